"""Which registers are still read after a slot: others need not be compared between paths."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from engine.flow.cfg import INDIRECT, outline
from engine.flow.code import CALL, EXIT, Code
from engine.flow.graph import predecessors_of
from engine.insn import opcodes as op
from engine.insn.codec import LD_IMM64, Insn

_ARGUMENTS = 0b111110
_ALL = (1 << 10) - 1
_CMPXCHG = op.ATOMIC_CMPXCHG


def live_registers(code: Code, slots: set[int]) -> dict[int, tuple[int, ...]]:
    """Give, for each slot of `slots`, the registers r0 .. r9 that may be read from there on."""
    found: dict[int, tuple[int, ...]] = {}
    for start in code.starts:
        found.update(_in_function(code.insns[start : code.end_of(start)], start, slots))
    return found


def _in_function(
    insns: Sequence[Insn], start: int, slots: set[int]
) -> Iterator[tuple[int, tuple[int, ...]]]:
    spans, ways = outline(insns)
    at = {begin: number for number, (begin, _) in enumerate(spans)}
    successors = [[at[slot] for slot, _ in ends if slot in at] for ends in ways]
    before = predecessors_of(successors)
    effects = [_effect_of_block(insns, begin, end) for begin, end in spans]
    live_in = [0] * len(spans)
    pending = list(range(len(spans)))
    waiting = [True] * len(spans)
    while pending:
        number = pending.pop()
        waiting[number] = False
        uses, writes = effects[number]
        live = uses | (_live_out(successors[number], live_in) & ~writes)
        if live != live_in[number]:
            live_in[number] = live
            for other in before[number]:
                if not waiting[other]:
                    waiting[other] = True
                    pending.append(other)
    for number, (begin, end) in enumerate(spans):
        if begin + start in slots:
            yield begin + start, _numbers(live_in[number])
        if any(slot in slots for slot in range(begin + start + 1, end + start)):
            out = _live_out(successors[number], live_in)
            for slot, live in _backwards(insns, begin, end, out):
                if slot + start in slots:
                    yield slot + start, _numbers(live)


def _live_out(successors: Sequence[int], live_in: Sequence[int]) -> int:
    out = 0
    for target in successors:
        out |= live_in[target]
    return out


def _numbers(bits: int) -> tuple[int, ...]:
    return tuple(register for register in range(10) if bits >> register & 1)


def _slots(insns: Sequence[Insn], start: int, end: int) -> list[int]:
    """First slots of the instructions of a block."""
    found = []
    slot = start
    while slot < end:
        found.append(slot)
        slot += 2 if insns[slot].code == LD_IMM64 else 1
    return found


def _effect_of_block(insns: Sequence[Insn], start: int, end: int) -> tuple[int, int]:
    """Registers read before they are written, and registers written, as bits."""
    uses = writes = 0
    for slot in _slots(insns, start, end):
        read, written = effect_of(insns[slot])
        uses |= read & ~writes
        writes |= written
    return uses, writes


def _backwards(insns: Sequence[Insn], start: int, end: int, out: int) -> Iterator[tuple[int, int]]:
    live = out
    for slot in reversed(_slots(insns, start, end)):
        read, written = effect_of(insns[slot])
        live = read | (live & ~written)
        yield slot, live


def effect_of(insn: Insn) -> tuple[int, int]:
    """Registers that one instruction reads and writes, as bits; more may be read than written."""
    code, dst, src = insn.code, 1 << insn.dst, 1 << insn.src
    kind = code & op.CLASS_MASK
    if kind in (op.ALU, op.ALU64):
        source = src if code & op.SOURCE_REGISTER and code & 0xF0 != op.END else 0
        return (source if code & 0xF0 == op.MOV else source | dst), dst
    if kind == op.LDX:
        return src, dst
    if kind == op.ST:
        return dst, 0
    if kind == op.STX:
        if code & op.MODE_MASK != op.MODE_ATOMIC:
            return src | dst, 0
        if insn.imm == op.ATOMIC_LOAD_ACQUIRE:
            return src, dst
        return src | dst | (1 if insn.imm == _CMPXCHG else 0), 0
    if kind == op.LD:
        if code == LD_IMM64:
            return 0, dst
        return 1 << 6 | src, 0b111111
    if code == CALL:
        return _ARGUMENTS, 0b111111
    if code == EXIT:
        return 1, 0
    if code == INDIRECT:
        return _ALL, 0
    if code & 0xF0 in (op.JA, op.JCOND):
        return 0, 0
    return dst | (src if code & op.SOURCE_REGISTER else 0), 0
