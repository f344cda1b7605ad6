"""What a relocation run holds while it works on one object."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

from engine.btf.decode import Btf
from engine.btf.ext import BtfExt, CoreRelo, LineInfo
from engine.core.candidates import Target
from engine.core.kinds import CoreReloKind
from engine.core.policy import LoaderPolicy
from engine.core.refusal import ERRNO_NUMBERS
from engine.core.result import LoaderError, OutcomeWord, Relocation
from engine.core.spec import AccessSpec
from engine.core.trace import Step
from engine.core.values import U32, U64
from engine.elf.programs import Function
from engine.insn.codec import Insn
from engine.insn.opcodes import ALU, ALU64, LDX, ST, STX

DebugSink = Callable[[Literal["debug", "warning"], str], None]
"""Takes the level and the text of each line that a loader prints."""


@dataclass(slots=True)
class FunctionWork:
    """One function while it is being relocated; `insns` keeps the slot numbers of the ELF."""

    function: Function
    insns: list[Insn]
    lines: Sequence[LineInfo | None]
    relocations: list[Relocation] = field(default_factory=list)
    lost_slots: set[int] = field(default_factory=set)
    error: LoaderError | None = None


class Record(NamedTuple):
    """One CO-RE record with the function and slot it belongs to."""

    number: int
    relo: CoreRelo
    kind: CoreReloKind | None
    """None for a number that is not one of the thirteen."""
    work: FunctionWork
    slot: int


@dataclass(slots=True)
class Run:
    """Everything about one object, one target and one loader."""

    local_btf: Btf
    ext: BtfExt
    target: Target
    policy: LoaderPolicy
    debug: DebugSink | None = None
    warnings: list[str] = field(default_factory=list)

    def warn(self, text: str) -> None:
        """Keep a warning of the loader; it is part of its error text."""
        self.warnings.append(text)
        if self.debug is not None:
            self.debug("warning", text)

    def note(self, text: str) -> None:
        """Pass on a debug line, if anybody listens."""
        if self.debug is not None:
            self.debug("debug", text)

    def errno(self, code: str) -> str:
        """An errno as this loader version prints it: `-EINVAL` or `-22`."""
        if self.policy.errno_names:
            return f"-{code}"
        return errno_number(code)


def errno_number(code: str) -> str:
    """An errno as a number, `-22`; some texts of libbpf never name it."""
    return f"-{ERRNO_NUMBERS.get(code, code)}"


def finished(
    record: Record,
    outcome: OutcomeWord,
    local: str,
    steps: list[Step],
    new: int | None = None,
) -> None:
    """Add the result of one record to its function."""
    work = record.work
    before = work.function.insns
    wide = record.slot < len(before) and before[record.slot].is_ld_imm64
    work.relocations.append(
        Relocation(
            number=record.number,
            slot=record.slot,
            slots=2 if wide else 1,
            kind=record.kind if record.kind is not None else CoreReloKind.FIELD_BYTE_OFFSET,
            access=record.relo.access,
            local=local,
            orig=written(before, record.slot),
            new=new,
            outcome=outcome,
            line=work.lines[record.slot] if record.slot < len(work.lines) else None,
            trace=tuple(steps),
        )
    )


def written_path(run: Run, local: AccessSpec) -> str:
    """A path through the object's types in words, written once per object."""
    paths: dict[object, str] = run.local_btf.caches.setdefault("core.paths", {})
    key = (local.kind, local.root_id, local.raw)
    if key not in paths:
        paths[key] = local.path
    return paths[key]


def written(insns: Sequence[Insn], slot: int) -> int | None:
    """The value that an instruction holds where a relocation would write, as 64 unsigned bits.

    The immediate of arithmetic, both halves of a two-slot load, the offset of a memory access;
    None for other instructions.
    """
    if slot >= len(insns):
        return None
    insn = insns[slot]
    if insn.is_ld_imm64:
        high = insns[slot + 1].imm if slot + 1 < len(insns) else 0
        return insn.imm & U32 | (high & U32) << 32
    kind = insn.code & 7
    if kind in (ALU, ALU64):
        return insn.imm & U64
    return insn.off & U64 if kind in (LDX, ST, STX) else None
