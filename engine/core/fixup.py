"""Writing one fixup into an instruction, as cilium/ebpf does.

Follows: cilium/ebpf btf/core.go COREFixup.Apply @ v0.22.0; @ v0.13.0 for WidePoison.ONE_CALL.
"""

from __future__ import annotations

from dataclasses import dataclass

from engine.core.kinds import EXISTENCE_KINDS, CoreReloKind
from engine.core.pairwise import CODE
from engine.core.patch import POISON_CALL, POISON_LOAD, signed32
from engine.core.policy import WidePoison
from engine.core.refusal import Refusal
from engine.core.values import U32, U64
from engine.insn.codec import Insn

_LD, _LDX, _ST, _STX, _ALU, _JMP, _ALU64 = 0, 1, 2, 3, 4, 5, 7
_SWAP = 0xD0
_MAX_INT16, _MAX_INT32 = 0x7FFF, 0x7FFFFFFF


@dataclass(frozen=True, slots=True)
class Fixup:
    """What to write: values are unsigned 64-bit numbers."""

    kind: CoreReloKind
    local: int = 0
    target: int = 0
    poison: bool = False
    unchecked: bool = False
    """Do not compare the instruction with `local`."""

    def same_as(self, other: Fixup) -> bool:
        """Equal in both values; whether one is poison does not count."""
        return (self.local, self.target) == (other.local, other.target)

    @property
    def is_missing(self) -> bool:
        """An existence check that came out as 0."""
        return self.kind in EXISTENCE_KINDS and self.target == 0

    def __str__(self) -> str:
        if self.poison:
            return f"{self.kind.word}=poison"
        return f"{self.kind.word}={self.local}->{self.target}"


def missing(kind: CoreReloKind, existence: frozenset[CoreReloKind]) -> Fixup:
    """The fixup for nothing found: 0 for what asks for existence, else poison."""
    if kind in existence:
        return Fixup(kind, 1, 0)
    return Fixup(kind, poison=True)


def apply_fixup(insns: list[Insn], at: int, fixup: Fixup, wide: WidePoison) -> set[int]:
    """Change the instruction at slot `at` in place; give the slots that the program loses.

    Raises Refusal where the loader refuses.
    """
    if fixup.poison:
        return _poison(insns, at, wide)
    insn = insns[at]
    kind = insn.code & 7
    if kind in (_LDX, _ST, _STX):
        _offset(insns, at, fixup)
    elif kind == _LD:
        _load(insns, at, fixup)
    elif kind in (_ALU, _ALU64):
        _immediate(insns, at, fixup)
    else:
        raise Refusal(CODE, f"invalid class {'Jump' if kind == _JMP else 'Jump32'}Class")
    return set()


def _poison(insns: list[Insn], at: int, wide: WidePoison) -> set[int]:
    if not insns[at].is_ld_imm64 or at + 1 >= len(insns):
        insns[at] = POISON_CALL
        return set()
    if wide is WidePoison.R10_LOAD:
        insns[at : at + 2] = POISON_LOAD
        return set()
    insns[at] = POISON_CALL
    if wide is WidePoison.ONE_CALL:
        return {at + 1}
    insns[at + 1] = POISON_CALL
    return set()


def _offset(insns: list[Insn], at: int, fixup: Fixup) -> None:
    insn = insns[at]
    if not fixup.unchecked and (fixup.local ^ insn.off) & 0xFFFF:
        raise Refusal(CODE, f"invalid offset {insn.off}, expected {fixup.local}")
    if fixup.target > _MAX_INT16:
        raise Refusal(CODE, f"offset {fixup.target} exceeds MaxInt16")
    insns[at] = insn._replace(off=fixup.target)


def _load(insns: list[Insn], at: int, fixup: Fixup) -> None:
    insn = insns[at]
    if not insn.is_ld_imm64 or insn.src or insn.off or at + 1 >= len(insns):
        raise Refusal(CODE, "not a dword-sized immediate load")
    constant = insn.imm & U32 | (insns[at + 1].imm & U32) << 32
    if not fixup.unchecked and fixup.local != constant:
        shown = constant - (1 << 64) if constant >> 63 else constant
        want = fixup.local - (1 << 64) if fixup.local >> 63 else fixup.local
        raise Refusal(CODE, f"invalid immediate {shown}, expected {want} (fixup: {fixup})")
    insns[at] = insn._replace(imm=signed32(fixup.target))
    insns[at + 1] = insns[at + 1]._replace(imm=signed32(fixup.target >> 32))


def _immediate(insns: list[Insn], at: int, fixup: Fixup) -> None:
    insn = insns[at]
    if insn.code & 7 == _ALU and insn.code & 0xF0 == _SWAP:
        raise Refusal(CODE, "relocation against swap")
    if insn.code & 0x08:
        raise Refusal(CODE, "invalid source RegSource")
    if not fixup.unchecked and insn.imm & U64 != fixup.local:
        raise Refusal(CODE, f"invalid immediate {insn.imm}, expected {fixup.local}")
    if fixup.target > _MAX_INT32:
        raise Refusal(CODE, f"immediate {fixup.target} exceeds MaxInt32")
    insns[at] = insn._replace(imm=fixup.target)
