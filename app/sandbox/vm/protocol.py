"""What a guest is asked and what it answers: programs to load, and what its kernel said.

    GuestRequest   BTF, then maps in order, then programs in order; then the test runs, and last
                   the values that are read back
    GuestAnswer    one answer for each map and each program, in the same order

Nothing in a request has a name of the host or a file descriptor. Maps and programs refer to each
other by their index in the request, and only to earlier ones. What needs a file descriptor of
the guest stands in `GuestProgram.relocations`: the guest writes src_reg and imm of that ld_imm64.
Everything else is resolved before: CO-RE, calls between functions (relative, BPF_PSEUDO_CALL and
BPF_PSEUDO_FUNC), kfuncs (BPF_PSEUDO_KFUNC_CALL with the BTF id in imm, off 0), ksyms with a BTF id
(BPF_PSEUDO_BTF_ID), attach_btf_id. Ids are those of the guest kernel's own vmlinux BTF, which
the catalog has under the guest's id.

The guest **loads and never attaches**. Each program is loaded with log level 4 first: that load
gives the verdict (`errno`), the error text and the statistics (`summary`). With `log_level` 1 or
2 it is loaded again for the log alone; an overflow there makes the log truncated and changes
nothing about the verdict.

`app.sandbox.vm.wire` says how these records look as bytes; guest/ reads them in C.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import IntEnum
from typing import Final

VERSION: Final = 1
"""Changes with every change of the records below; the guest refuses another."""

MAPS: Final = 64
PROGRAMS: Final = 64
LOG_BYTES: Final = 16 << 20
"""The largest log of one program; all answers together have about 48 MiB."""
DEFAULT_LOG_BYTES: Final = 4 << 20


class RelocationKind(IntEnum):
    """What the guest writes into a ld_imm64."""

    MAP = 1
    """The map itself: BPF_PSEUDO_MAP_FD."""
    MAP_VALUE = 2
    """The address `offset` bytes into the value of an array map: BPF_PSEUDO_MAP_VALUE."""


class Step(IntEnum):
    """How far the guest came with a map or a program."""

    DONE = 0
    CREATE = 1
    """BPF_MAP_CREATE failed."""
    UPDATE = 2
    """Writing the initial contents failed, at `entry`."""
    FREEZE = 3
    INNER = 4
    """The map or program it refers to was not made."""
    LOAD = 5
    """BPF_PROG_LOAD failed: the verifier's verdict."""


@dataclass(frozen=True, slots=True)
class MapEntry:
    """One initial element; a per-CPU value is one CPU's."""

    key: bytes
    value: bytes
    reference: int | None = None
    """Instead of `value`: the index of a map (map-in-map), or of a program (prog array)."""


@dataclass(frozen=True, slots=True)
class GuestMap:
    """A map to create; numbers are those of union bpf_attr."""

    name: str
    type: int
    key_size: int
    value_size: int
    max_entries: int
    flags: int = 0
    inner: int | None = None
    """Index of the map that inner_map_fd names."""
    entries: tuple[MapEntry, ...] = ()
    """Written after creation; those that refer to programs, after these are loaded."""
    frozen: bool = False
    btf_key_type_id: int = 0
    """In the request's own BTF; libbpf's rule: 0 for map types that allow none."""
    btf_value_type_id: int = 0
    btf_vmlinux_value_type_id: int = 0
    extra: int = 0
    read_back: tuple[bytes, ...] = ()
    """Keys whose values are read after the test runs; needs a map that user space can read."""


@dataclass(frozen=True, slots=True)
class Relocation:
    """A ld_imm64 at `slot` that shall hold a map or an address within its value."""

    slot: int
    kind: RelocationKind
    map: int
    offset: int = 0


@dataclass(frozen=True, slots=True)
class TestRun:
    """One BPF_PROG_TEST_RUN; the guest ends it after 100 ms of its own time (EINTR)."""

    data: bytes = b""
    context: bytes = b""
    repeat: int = 0
    """0 is once, and the only number that raw tracepoints allow."""
    data_out: int = 0
    """Bytes of room for the packet after the run; 0: none wanted."""
    context_out: int = 0
    flags: int = 0


@dataclass(frozen=True, slots=True)
class GuestProgram:
    """A program to load; numbers are those of union bpf_attr."""

    name: str
    type: int
    instructions: bytes
    """8 bytes a slot, little-endian, subprograms appended."""
    license: str = "GPL"
    expected_attach_type: int = 0
    flags: int = 0
    attach_btf_id: int = 0
    attach_program: int | None = None
    """Index of the program that a freplace or fentry of a BPF program is for."""
    relocations: tuple[Relocation, ...] = ()
    func_info: bytes = b""
    """bpf_func_info records whose offsets are instruction slots, not bytes."""
    func_info_record: int = 0
    line_info: bytes = b""
    """bpf_line_info records, offsets in slots."""
    line_info_record: int = 0
    core_relocations: bytes = b""
    """bpf_core_relo records for the kernel to apply itself (5.17 and newer)."""
    core_relocation_record: int = 0
    log_level: int = 0
    """0: verdict and statistics only; 1 or 2: a log as well."""
    log_bytes: int = DEFAULT_LOG_BYTES
    translated: bool = False
    """Give the instructions after the verifier's rewriting."""
    jited: bool = False
    """Give the machine code."""
    test_run: TestRun | None = None


@dataclass(frozen=True, slots=True)
class GuestFile:
    """A file of the guest; the folders above it are made."""

    path: str
    """Absolute, below 256 bytes."""
    content: bytes
    executable: bool = False


@dataclass(frozen=True, slots=True)
class GuestCommand:
    """A static program that is run as root in the guest and traced; it has /proc and /sys.

    At most 16 arguments, the first of which is its path, and 32 files.
    """

    argv: tuple[str, ...]
    files: tuple[GuestFile, ...] = ()
    output_bytes: int = 1 << 20


@dataclass(frozen=True, slots=True)
class GuestRequest:
    """Everything for one clone, which answers once and is killed."""

    btf: bytes | None = None
    """The object's .BTF with DATASEC sizes and offsets filled in, as libbpf does."""
    maps: tuple[GuestMap, ...] = ()
    programs: tuple[GuestProgram, ...] = ()
    command: GuestCommand | None = None
    """Run after everything else."""


@dataclass(frozen=True, slots=True)
class BtfAnswer:
    """What BPF_BTF_LOAD said. Where it failed, programs were loaded without BTF."""

    errno: int
    log: bytes


@dataclass(frozen=True, slots=True)
class MapAnswer:
    """What became of a map; `entry` counts from 0 and matters for Step.UPDATE alone."""

    step: Step
    errno: int
    entry: int
    values: tuple[bytes | None, ...]
    """For each key of `read_back` its value, None where the map has no such key."""


@dataclass(frozen=True, slots=True)
class TestAnswer:
    """What a test run gave; with an errno the rest is zero or empty."""

    errno: int
    retval: int
    """Unsigned, 32 bits."""
    nanoseconds: int
    """Mean of one repetition, by the guest's clock."""
    data: bytes
    context: bytes


@dataclass(frozen=True, slots=True)
class ProgramAnswer:
    """The verifier's verdict on one program."""

    step: Step
    errno: int
    summary: bytes
    """Level-4 text: the error, if there is one, and the statistics."""
    log: bytes
    """Level-1 or 2 text, as the kernel wrote it: from 6.4 on the tail, before that the head."""
    log_truncated: bool
    nanoseconds: int
    """The load that gave the verdict, by the guest's clock."""
    translated: bytes
    jited: bytes

    @property
    def loaded(self) -> bool:
        """Whether the verifier accepted the program."""
        return self.step is Step.DONE

    @property
    def verified_instructions(self) -> int | None:
        """Instructions the verifier processed, all paths together; None where it did not say."""
        return self._number(rb"processed (\d+) insns")

    @property
    def peak_states(self) -> int | None:
        """Most verifier states kept at one time."""
        return self._number(rb"peak_states (\d+)")

    @property
    def total_states(self) -> int | None:
        """Verifier states explored in all."""
        return self._number(rb"total_states (\d+)")

    def _number(self, pattern: bytes) -> int | None:
        found = re.search(pattern, self.summary)
        return int(found[1]) if found else None


@dataclass(frozen=True, slots=True)
class LoadSeen:
    """One BPF_PROG_LOAD of a command, as the kernel got it and answered it."""

    name: bytes
    type: int
    errno: int
    instructions: bytes
    log: bytes


@dataclass(frozen=True, slots=True)
class CommandAnswer:
    """What a command did: its loads in their order, feature probes among them; at most 256."""

    loads: tuple[LoadSeen, ...]
    status: int
    """As wait() gives it: 0 is success, 127 << 8 that it could not be started."""
    output: bytes
    """What it printed, on either stream."""


@dataclass(frozen=True, slots=True)
class GuestAnswer:
    """What the guest's kernel said to a request."""

    btf: BtfAnswer | None
    programs: tuple[ProgramAnswer, ...]
    test_runs: tuple[TestAnswer | None, ...]
    """One for each program; None where none was asked for or the program was not loaded."""
    maps: tuple[MapAnswer, ...]
    command: CommandAnswer | None = None
