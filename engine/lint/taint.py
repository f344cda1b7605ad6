"""Where the value of one instruction goes inside its function: to a branch, or out of sight.

A coarse walk along all paths; a value that memory or a call took is not followed any further.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, Literal

from engine.flow.cfg import falls_through
from engine.flow.code import CALL, EXIT
from engine.insn import opcodes as op
from engine.insn.codec import LD_IMM64, Insn
from engine.insn.opcodes import jump_target

Sink = Literal["branch", "stack", "memory", "call", "return"]

_FRAME_POINTER: Final = 10
_ARGUMENTS: Final = range(1, 6)
_CLOBBERED: Final = frozenset(range(6))
_JUMPS: Final = (op.JMP, op.JMP32)
_ARITHMETIC: Final = (op.ALU, op.ALU64)


def sinks_of(insns: Sequence[Insn], slot: int) -> frozenset[Sink]:
    """Where the register that instruction `slot` sets is used, copies and sums included."""
    found: set[Sink] = set()
    first = frozenset({insns[slot].dst})
    pending = [(slot + (2 if insns[slot].code == LD_IMM64 else 1), first)]
    seen: dict[int, frozenset[int]] = {}
    while pending:
        at, tainted = pending.pop()
        known = seen.get(at, frozenset())
        if not 0 <= at < len(insns) or not tainted or (at in seen and tainted <= known):
            continue
        tainted |= known
        seen[at] = tainted
        insn = insns[at]
        found |= _sinks(insn, tainted)
        after = _after(insn, tainted)
        target = jump_target(at, insn)
        if target is not None:
            pending.append((target, after))
        if falls_through(insn):
            pending.append((at + (2 if insn.code == LD_IMM64 else 1), after))
    return frozenset(found)


def _sinks(insn: Insn, tainted: frozenset[int]) -> set[Sink]:
    kind = insn.code & op.CLASS_MASK
    if insn.code == EXIT:
        return {"return"} if 0 in tainted else set()
    if insn.code == CALL:
        return {"call"} if tainted & frozenset(_ARGUMENTS) else set()
    if kind in _JUMPS:
        by_register = insn.code & op.SOURCE_REGISTER and insn.src in tainted
        return {"branch"} if insn.dst in tainted or by_register else set()
    if kind == op.STX and insn.src in tainted:
        return {"stack" if insn.dst == _FRAME_POINTER else "memory"}
    return set()


def _after(insn: Insn, tainted: frozenset[int]) -> frozenset[int]:
    kind = insn.code & op.CLASS_MASK
    if insn.code == CALL:
        return tainted - _CLOBBERED
    if kind in _ARITHMETIC:
        from_source = bool(insn.code & op.SOURCE_REGISTER) and insn.src in tainted
        if insn.code & op.OPERATION_MASK == op.MOV:
            return tainted | {insn.dst} if from_source else tainted - {insn.dst}
        return tainted | {insn.dst} if from_source else tainted
    if kind in (op.LDX, op.LD):
        return tainted - {insn.dst}
    return tainted
