"""Which registers are still read after a slot: others need not be compared between paths."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from engine.flow.cfg import INDIRECT, Cfg, build_cfg
from engine.flow.code import CALL, EXIT, Code
from engine.insn import opcodes as op
from engine.insn.codec import LD_IMM64, Insn

_ARGUMENTS = 0b111110
_ALL = (1 << 10) - 1
_CMPXCHG = op.ATOMIC_CMPXCHG


def live_registers(code: Code, slots: set[int]) -> dict[int, tuple[int, ...]]:
    """Give, for each slot of `slots`, the registers r0 .. r9 that may be read from there on."""
    found: dict[int, tuple[int, ...]] = {}
    for start in code.starts:
        end = code.end_of(start)
        cfg = build_cfg(code.insns[start:end])
        found.update(_in_function(cfg, start, slots))
    return found


def _in_function(cfg: Cfg, start: int, slots: set[int]) -> Iterator[tuple[int, tuple[int, ...]]]:
    successors: list[list[int]] = [[] for _ in cfg.blocks]
    before: list[list[int]] = [[] for _ in cfg.blocks]
    for edge in cfg.edges:
        if edge.target is not None:
            successors[edge.source].append(edge.target)
            before[edge.target].append(edge.source)
    effects = [_effect_of_block(cfg.insns, block.start, block.end) for block in cfg.blocks]
    live_in = [0] * len(cfg.blocks)
    pending = list(range(len(cfg.blocks)))
    waiting = [True] * len(cfg.blocks)
    while pending:
        number = pending.pop()
        waiting[number] = False
        out = 0
        for target in successors[number]:
            out |= live_in[target]
        uses, writes = effects[number]
        live = uses | (out & ~writes)
        if live != live_in[number]:
            live_in[number] = live
            for other in before[number]:
                if not waiting[other]:
                    waiting[other] = True
                    pending.append(other)
    for block in cfg.blocks:
        if not any(slot + start in slots for slot in range(block.start, block.end)):
            continue
        out = 0
        for target in successors[block.number]:
            out |= live_in[target]
        for slot, live in _backwards(cfg.insns, block.start, block.end, out):
            if slot + start in slots:
                yield slot + start, tuple(r for r in range(10) if live >> r & 1)


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
