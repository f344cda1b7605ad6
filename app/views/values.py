"""The values of relocations as text: what the compiler wrote and what came of it."""

from __future__ import annotations

from collections.abc import Sequence

from engine.core.result import Relocation
from engine.insn import opcodes as op
from engine.insn.codec import Insn

U64 = (1 << 64) - 1
_MEMORY = frozenset({op.LDX, op.ST, op.STX})


def written(before: Sequence[Insn], slot: int) -> int:
    """Give the value that the compiler wrote at a slot, as an unsigned 64-bit number.

    It is the offset of a load or store, both halves of a 64-bit load, else the immediate.
    """
    insn = before[slot]
    if insn.is_ld_imm64 and slot + 1 < len(before):
        return (before[slot + 1].imm << 32 | insn.imm & 0xFFFFFFFF) & U64
    return (insn.off if insn.code & op.CLASS_MASK in _MEMORY else insn.imm) & U64


def value(number: int | None) -> str:
    """Write a value: small ones decimal, large ones hexadecimal, none as a dash."""
    if number is None:
        return "–"
    signed = number - (1 << 64) if number >> 63 else number
    return str(signed) if -65_536 < signed < 65_536 else hex(number)


def change(relocation: Relocation, before: Sequence[Insn]) -> str:
    """Say what a relocation does to its value: `1 → 0`, `1 → poison`, `= 24`."""
    old = value(written(before, relocation.slot))
    if relocation.outcome == "poisoned":
        return f"{old} → poison"
    if relocation.outcome == "failed":
        return "refused"
    if relocation.outcome == "skipped":
        return "skipped"
    if relocation.outcome == "unchanged":
        return f"= {old}"
    return f"{old} → {value(relocation.new)}"
