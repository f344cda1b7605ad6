"""What a loader asks of the kernel for a linked program: BTF_LOAD, MAP_CREATE, BPF_PROG_LOAD.

Pure: nothing is loaded here. The plan is for a guest without modules, and its ids are those of
that guest's own BTF, against which the object was relocated and linked.

Simplified: loaders differ in the BTF and the names that they hand over. All are given libbpf's
(see `loadplan_btf`), and of the instructions, func_info and line_info what each one makes. A map
that no program refers to is left out, although a loader creates it too.

Follows: libbpf src/libbpf.c bpf_object_load_prog, libbpf_prepare_prog_load,
bpf_object__relocate_data @ v1.7.0.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from engine.btf.kinds import BtfKind, TypeId
from engine.core.candidates import Target
from engine.core.patch import signed32
from engine.core.policy import LoaderPolicy
from engine.core.prepare import PreparedObject
from engine.core.refusal import Refusal
from engine.core.result import LoaderError
from engine.insn.codec import Insn, encode_insns
from engine.loaders import loadplan_numbers as numbers
from engine.loaders.attach import AttachPoint
from engine.loaders.link import LinkedObject, LinkedProgram
from engine.loaders.loadplan_btf import LoadableBtf, loadable_btf
from engine.loaders.loadplan_kconfig import SECTION as KCONFIG
from engine.loaders.loadplan_kconfig import Kconfig, kconfig_of
from engine.loaders.loadplan_maps import (
    ENTRIES,
    STACK_DEPTH,
    MapPlan,
    kernel_name,
    maps_of,
)
from engine.loaders.references import PSEUDO_MAP_VALUE, Reference

FUNC_INFO_BYTES: Final = 8
LINE_INFO_BYTES: Final = 16
_KSYMS: Final = ".ksyms"
_FUNC_INFO: Final = struct.Struct("<II")
_LINE_INFO: Final = struct.Struct("<IIII")
_SOME_ADDRESS: Final = 0xFFFFFFFF_81000000
"""Given for a kernel symbol without a type; to the verifier it is a number like any other."""
_NEEDS_BTF_ID: Final = frozenset(
    {"TRACE_RAW_TP", "TRACE_FENTRY", "TRACE_FEXIT", "TRACE_FSESSION", "MODIFY_RETURN"}
    | {"TRACE_ITER", "LSM_MAC", "LSM_CGROUP"}
)


@dataclass(frozen=True, slots=True)
class Guest:
    """What a guest kernel is, as far as a loader asks.

    version_code  KERNEL_VERSION(a, b, c), what LINUX_KERNEL_VERSION gives there
    options       its .config by name; empty where it is not known
    """

    release: str
    version_code: int = 0
    cpus: int = 1
    options: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class MapUse:
    """A ld_imm64 at `slot` of a map, or of the address `offset` bytes into its value."""

    slot: int
    symbol: str
    value: bool
    offset: int = 0


@dataclass(frozen=True, slots=True)
class ProgramPlan:
    """One BPF_PROG_LOAD, or why there is none.

    refusal      the loader gives up before it asks the kernel; its own words
    unsupported  the guest cannot be asked: a clause that says why
    """

    name: str
    section: str
    insns: bytes = field(default=b"", repr=False)
    type: int = 0
    attach_type: int = 0
    attach_btf_id: int = 0
    flags: int = 0
    license: str = ""
    map_uses: tuple[MapUse, ...] = ()
    func_info: bytes = field(default=b"", repr=False)
    line_info: bytes = field(default=b"", repr=False)
    refusal: LoaderError | None = None
    unsupported: str = ""

    @property
    def kernel_name(self) -> str:
        """The name as the kernel takes it."""
        return kernel_name(self.name)


@dataclass(frozen=True, slots=True)
class LoadPlan:
    """What one loader hands one kernel for an object.

    remarks  what was simplified for this object, a sentence each
    """

    loader: str
    programs: tuple[ProgramPlan, ...]
    maps: tuple[MapPlan, ...] = ()
    btf: LoadableBtf | None = None
    remarks: tuple[str, ...] = ()


def plan_object(
    prepared: PreparedObject,
    linked: LinkedObject,
    target: Target,
    policy: LoaderPolicy,
    guest: Guest,
) -> LoadPlan:
    """Plan the load of every program of an object; never raises for what a loader refuses.

    Raises BtfTypeError where the object's types lead nowhere.
    """
    if prepared.obj.byte_order != "little":
        reason = "the object is big-endian, and the guests are little-endian"
        return LoadPlan(policy.id, _nowhere(prepared, linked, unsupported=reason))
    if linked.error is not None and not linked.programs:
        return LoadPlan(policy.id, _nowhere(prepared, linked, refusal=linked.error))
    unsized = "" if policy.resolves_externs else _unsized_section(prepared)
    if unsized:
        text = f"BTF error: Unable to determine the size of section `{unsized}`"
        error = LoaderError("fixup_and_sanitize_btf", text)
        return LoadPlan(policy.id, _nowhere(prepared, linked, refusal=error))
    kconfig = Kconfig()
    if prepared.btf is not None:
        kconfig = kconfig_of(prepared.btf, guest.version_code, guest.options)
    try:
        maps = maps_of(prepared, kconfig, guest.cpus)
    except Refusal as refusal:
        error = LoaderError(refusal.code, refusal.text)
        return LoadPlan(policy.id, _nowhere(prepared, linked, refusal=error))
    btf = None
    if prepared.btf is not None:
        btf = loadable_btf(
            prepared,
            prepared.btf,
            guest.release,
            hides_functions=policy.hides_functions,
            kconfig_offsets=kconfig.offsets,
        )
    planner = _Planner(prepared, target, policy, kconfig, {plan.symbol: plan for plan in maps}, btf)
    programs = tuple(planner.program(program) for program in linked.programs)
    return LoadPlan(policy.id, programs, maps, btf, _remarks(guest, kconfig, btf, maps))


def _unsized_section(prepared: PreparedObject) -> str:
    """Name a section of externs: types have it and ELF has not, so nothing tells its size.

    A loader that does not resolve externs looks for it all the same. Follows: aya
    aya-obj/src/btf/btf.rs fixup_and_sanitize @ aya-obj-v0.3.0.
    """
    btf = prepared.btf
    if btf is None:
        return ""
    for name in (KCONFIG, _KSYMS):
        found = [btf.type(type_id) for type_id in btf.ids_named(name)]
        if any(one.kind is BtfKind.DATASEC and not one.size for one in found):
            return name
    return ""


def _nowhere(
    prepared: PreparedObject,
    linked: LinkedObject,
    *,
    refusal: LoaderError | None = None,
    unsupported: str = "",
) -> tuple[ProgramPlan, ...]:
    names = [(program.name, program.section) for program in linked.programs]
    if not names:
        entries = [f for f in prepared.functions if f.is_entry] or list(prepared.functions)
        names = [(function.name, function.section) for function in entries]
    return tuple(
        ProgramPlan(name, section, refusal=refusal, unsupported=unsupported)
        for name, section in names
    )


def _remarks(
    guest: Guest, kconfig: Kconfig, btf: LoadableBtf | None, maps: Sequence[MapPlan]
) -> tuple[str, ...]:
    found = []
    sized = [plan.symbol for plan in maps if plan.sized]
    if sized:
        found.append(
            f"The object leaves the size of {', '.join(sized)} to its user side; "
            f"{ENTRIES} entries are taken, and stacks of {STACK_DEPTH} frames."
        )
    if btf is not None and btf.replaced:
        found.append(
            f"The object's BTF has kinds that {guest.release} does not know; the loader replaces "
            f"them: {', '.join(btf.replaced)}."
        )
    if kconfig.unknown:
        found.append(
            f"The guest's configuration is not known: {', '.join(kconfig.unknown)} are taken as 0."
        )
    return tuple(found)


@dataclass(slots=True)
class _Planner:
    prepared: PreparedObject
    target: Target
    policy: LoaderPolicy
    kconfig: Kconfig
    maps: Mapping[str, MapPlan]
    btf: LoadableBtf | None

    def program(self, program: LinkedProgram) -> ProgramPlan:
        bare = ProgramPlan(program.name, program.section)
        if program.error is not None or program.insns is None:
            error = program.error or LoaderError("link", "the program could not be linked")
            return ProgramPlan(program.name, program.section, refusal=error)
        point = program.attach
        if point is None:
            error = LoaderError(
                "EINVAL",
                f"prog '{program.name}': missing BPF prog type, check ELF section name "
                f"'{program.section}'",
            )
            return ProgramPlan(program.name, program.section, refusal=error)
        unsupported = _unsupported(point)
        if unsupported:
            return ProgramPlan(program.name, program.section, unsupported=unsupported)
        refusal = _missing_target(program, point)
        if refusal is not None:
            return ProgramPlan(program.name, program.section, refusal=refusal)
        return self._load(bare, program, point)

    def _load(self, bare: ProgramPlan, program: LinkedProgram, point: AttachPoint) -> ProgramPlan:
        try:
            insns, uses = self._insns(program)
        except Refusal as refusal:
            error = LoaderError(refusal.code, refusal.text)
            return ProgramPlan(bare.name, bare.section, refusal=error)
        return ProgramPlan(
            bare.name,
            bare.section,
            encode_insns(insns, "little"),
            numbers.PROGRAM_TYPES[point.program_type],
            numbers.ATTACH_TYPES.get(point.attach_type, 0),
            point.btf_id or 0,
            _flags(program.section, point),
            self.prepared.obj.license,
            uses,
            _func_info(program.func_infos) if self.btf else b"",
            self._line_info(program) if self.btf else b"",
        )

    def _insns(self, program: LinkedProgram) -> tuple[list[Insn], tuple[MapUse, ...]]:
        insns = list(program.insns or ())
        uses = []
        for reference in program.references:
            if reference.kind in ("map", "global", "kconfig"):
                uses.append(self._map_use(reference, insns))
            elif reference.kind == "ksym" and not reference.typed:
                self._symbol(insns, reference)
        return insns, tuple(uses)

    def _map_use(self, reference: Reference, insns: Sequence[Insn]) -> MapUse:
        symbol = KCONFIG if reference.kind == "kconfig" else reference.name
        if symbol not in self.maps:
            raise Refusal("ENOENT", f"map '{symbol}' is not defined")
        value = insns[reference.slot].src == PSEUDO_MAP_VALUE
        offset = insns[reference.slot + 1].imm & 0xFFFFFFFF if value else 0
        if reference.kind == "kconfig":
            offset = self.kconfig.offsets.get(reference.name, 0)
        return MapUse(reference.slot, symbol, value, offset)

    def _symbol(self, insns: list[Insn], reference: Reference) -> None:
        """A kernel symbol that only /proc/kallsyms knows; whether it is there, types tell."""
        if reference.weak and not self.target.btf.ids_named(reference.name):
            return
        slot = reference.slot
        insns[slot] = insns[slot]._replace(imm=signed32(_SOME_ADDRESS & 0xFFFFFFFF))
        insns[slot + 1] = insns[slot + 1]._replace(imm=signed32(_SOME_ADDRESS >> 32))

    def _line_info(self, program: LinkedProgram) -> bytes:
        if self.btf is None:
            return b""
        rows = bytearray()
        last = -1
        for slot, line in program.line_infos:
            if slot <= last:  # the kernel wants them ascending
                continue
            last = slot
            column = line.line_number << 10 | line.column & 0x3FF
            strings = self.btf.string(line.file_name), self.btf.string(line.line)
            rows += _LINE_INFO.pack(slot, *strings, column & 0xFFFFFFFF)
        return bytes(rows)


def _func_info(infos: Sequence[tuple[int, TypeId]]) -> bytes:
    return b"".join(_FUNC_INFO.pack(slot, type_id) for slot, type_id in sorted(infos))


def _flags(section: str, point: AttachPoint) -> int:
    flags = numbers.F_SLEEPABLE if point.sleepable else 0
    if section.removeprefix("?").startswith("xdp.frags"):
        flags |= numbers.F_XDP_HAS_FRAGS
    return flags


def _unsupported(point: AttachPoint) -> str:
    if point.program_type == "EXT":
        return "freplace needs the program that it replaces, which the guest does not have"
    if point.program_type == "STRUCT_OPS":
        return "struct_ops programs are not sent to the guest yet"
    if point.module:
        return f"it attaches to {point.btf_name} of the module {point.module}, and guests have none"
    return ""


def _missing_target(program: LinkedProgram, point: AttachPoint) -> LoaderError | None:
    """A loader looks the attach target up before it asks the kernel anything."""
    if point.attach_type not in _NEEDS_BTF_ID or point.btf_id is not None:
        return None
    if not point.target:
        text = f"prog '{program.name}': section '{program.section}' names nothing to attach to"
        return LoaderError("EINVAL", text)
    return LoaderError(
        "ESRCH",
        f"prog '{program.name}': failed to find kernel BTF type ID of '{point.btf_name}'",
    )


__all__ = [
    "Guest",
    "LoadPlan",
    "MapPlan",
    "MapUse",
    "ProgramPlan",
    "plan_object",
]
