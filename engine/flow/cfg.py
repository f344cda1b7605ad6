"""Control flow of one function: basic blocks, edges, loops, dominators.

Nothing here raises for damaged code. A jump that leaves the function, or lands in the second
slot of a two-slot load, becomes a broken edge without a target block.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

from engine.btf.ext import LineInfo
from engine.core.result import FunctionResult
from engine.flow.code import CALL, EXIT, call_target
from engine.flow.graph import dominators, find_back_edges, natural_loops
from engine.insn import opcodes as op
from engine.insn.codec import LD_IMM64, Insn
from engine.insn.opcodes import jump_target

EdgeKind = Literal["fallthrough", "taken"]
CallKind = Literal["helper", "kfunc", "subprogram", "callback"]

GOTO: Final = (op.JMP | op.JA, op.JMP32 | op.JA)
_JUMP_CLASSES: Final = (op.JMP, op.JMP32)
INDIRECT: Final = op.JMP | op.JA | op.SOURCE_REGISTER
"""A jump to an address in a register; where it goes does not stand in the code."""
_NOWHERE: Final = frozenset({EXIT, *GOTO, INDIRECT})


@dataclass(frozen=True, slots=True)
class Block:
    """Slots `start` up to but not including `end`, which run one after the other."""

    number: int
    start: int
    end: int
    lines: tuple[LineInfo, ...] = ()


@dataclass(frozen=True, slots=True)
class Edge:
    """From the last instruction of block `source` to slot `slot`.

    target  the block there, None when the edge is broken
    back    it closes a loop: its target is on the way from the entry to its source
    """

    source: int
    target: int | None
    slot: int
    kind: EdgeKind
    back: bool = False

    @property
    def broken(self) -> bool:
        """Whether there is no instruction where the edge leads."""
        return self.target is None


@dataclass(frozen=True, slots=True)
class CallSite:
    """A call, or the address of a function passed on; `target` counts slots or is an id."""

    slot: int
    kind: CallKind
    target: int


@dataclass(frozen=True, slots=True)
class Loop:
    """A loop: the block that its back edges lead to, and all blocks in it."""

    head: int
    blocks: frozenset[int]


@dataclass(frozen=True, slots=True)
class Cfg:
    """One function as a graph. Blocks are in the order of their slots, the entry is block 0.

    idom         immediate dominator by block; None for the entry and for blocks that no edge
                 from the entry reaches
    unreachable  the latter: a kernel refuses code that has such blocks
    """

    name: str
    insns: Sequence[Insn]
    blocks: tuple[Block, ...]
    edges: tuple[Edge, ...]
    calls: tuple[CallSite, ...]
    loops: tuple[Loop, ...]
    idom: tuple[int | None, ...]
    unreachable: frozenset[int]
    irreducible: bool = False
    """A loop has an entry besides its head."""

    def block_at(self, slot: int) -> Block | None:
        """The block that holds a slot."""
        low, high = 0, len(self.blocks)
        while low < high:
            middle = (low + high) // 2
            if self.blocks[middle].end <= slot:
                low = middle + 1
            else:
                high = middle
        found = self.blocks[low] if low < len(self.blocks) else None
        return found if found is not None and found.start <= slot else None

    def dominates(self, one: int, other: int) -> bool:
        """Whether every way from the entry to block `other` passes block `one`."""
        at: int | None = other
        while at is not None and at != one:
            at = self.idom[at]
        return at == one and (other not in self.unreachable or one == other)


def build_cfg(
    insns: Sequence[Insn], *, name: str = "", lines: Sequence[LineInfo | None] = ()
) -> Cfg:
    """Build the graph of one function; slots count from its start.

    `lines` gives the source line in force per slot, or nothing.
    """
    spans, ways = outline(insns)
    blocks = tuple(
        Block(number, start, end, _lines_of(lines, start, end))
        for number, (start, end) in enumerate(spans)
    )
    at = {start: number for number, (start, _) in enumerate(spans)}
    plain = [
        Edge(number, at.get(slot), slot, kind)
        for number, ends in enumerate(ways)
        for slot, kind in ends
    ]
    successors: list[list[int]] = [[] for _ in blocks]
    for edge in plain:
        if edge.target is not None:
            successors[edge.source].append(edge.target)
    back, order = find_back_edges(successors)
    idom = dominators(successors, order)
    loops, irreducible = natural_loops(successors, back, idom)
    return Cfg(
        name,
        insns,
        blocks,
        tuple(
            Edge(e.source, e.target, e.slot, e.kind, (e.source, e.target) in back) for e in plain
        ),
        _calls(insns),
        tuple(Loop(head, body) for head, body in loops),
        tuple(idom),
        frozenset(range(len(blocks))) - frozenset(order),
        irreducible,
    )


def function_cfgs(result: FunctionResult) -> tuple[Cfg, Cfg | None]:
    """The graphs of a function before and after relocation; None when the loader refused."""
    before = build_cfg(result.before, name=result.name, lines=result.lines)
    if result.after is None:
        return before, None
    lines: list[LineInfo | None] = [None] * len(result.after)
    for slot, place in enumerate(result.slot_map):
        if place is not None and place < len(lines):
            lines[place] = result.lines[slot]
    return before, build_cfg(result.after, name=result.name, lines=lines)


def outline(
    insns: Sequence[Insn],
) -> tuple[list[tuple[int, int]], list[list[tuple[int, EdgeKind]]]]:
    """Blocks as (start, end), and for each the slots that it leads to, which may not exist."""
    if not insns:
        return [], []
    second = second_slots(insns)
    starts = _leaders(insns, second)
    spans = list(zip(starts, [*starts[1:], len(insns)], strict=True))
    return spans, [_ways_on(insns, start, end, second) for start, end in spans]


def second_slots(insns: Sequence[Insn]) -> frozenset[int]:
    """Slots that are the second half of a two-slot load."""
    found = set()
    for slot, insn in enumerate(insns):
        if insn.code == LD_IMM64 and slot not in found:
            found.add(slot + 1)
    return frozenset(found)


def falls_through(insn: Insn) -> bool:
    """Whether the next instruction can run after this one."""
    return insn.code not in _NOWHERE


def _leaders(insns: Sequence[Insn], second: frozenset[int]) -> list[int]:
    leaders = {0} if insns else set()
    for slot, insn in enumerate(insns):
        if insn.code & op.CLASS_MASK not in _JUMP_CLASSES or slot in second:
            continue
        target = jump_target(slot, insn)
        if target is not None:
            leaders.add(target)
        if target is not None or insn.code in (EXIT, INDIRECT):
            leaders.add(slot + 1)
    return sorted(slot for slot in leaders if 0 <= slot < len(insns) and slot not in second)


def _ways_on(
    insns: Sequence[Insn], start: int, end: int, second: frozenset[int]
) -> list[tuple[int, EdgeKind]]:
    last = end - 1
    if last in second and last > start:
        last -= 1
    insn = insns[last]
    ways: list[tuple[int, EdgeKind]] = []
    if falls_through(insn):
        ways.append((end, "fallthrough"))
    target = jump_target(last, insn) if last not in second else None
    if target is not None:
        ways.append((target, "taken"))
    return ways


def _lines_of(lines: Sequence[LineInfo | None], start: int, end: int) -> tuple[LineInfo, ...]:
    found: list[LineInfo] = []
    for line in lines[start:end]:
        if line is not None and (not found or found[-1] is not line):
            found.append(line)
    return tuple(found)


def _calls(insns: Sequence[Insn]) -> tuple[CallSite, ...]:
    found = []
    second = -1
    for slot, insn in enumerate(insns):
        if slot == second or insn.code not in (CALL, LD_IMM64):
            continue
        if insn.code == LD_IMM64:
            second = slot + 1
        target = call_target(slot, insn)
        if target is not None:
            found.append(CallSite(slot, "subprogram" if insn.code == CALL else "callback", target))
        elif insn.code == CALL:
            kind: CallKind = "kfunc" if insn.src == op.CALL_KFUNC else "helper"
            found.append(CallSite(slot, kind, insn.imm))
    return tuple(found)
