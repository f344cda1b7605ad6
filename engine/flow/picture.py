"""What a drawing of a control-flow graph shows, whatever draws it: texts, marks, sizes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from engine.btf.kinds import ByteOrder
from engine.flow.cfg import Block, Cfg, Edge
from engine.flow.jumps import StrayJump
from engine.flow.reach import PoisonFact, Reachability
from engine.insn.disasm import disassemble

LINES_PER_BLOCK: Final = 16
"""Instructions written out in one block; of a longer one the last is always among them."""

LINES_NAMED: Final = 4
"""Source lines of a block that are named one by one."""


@dataclass(frozen=True, slots=True)
class Marks:
    """What is known beyond the graph; slots count from the start of its function.

    visited  slots that can run, None when that was not asked
    poison   slots that a loader made invalid
    stray    slots of jumps that no longer go where they were meant to
    taken    jumps that can be taken, as (slot, target), None when that was not asked
    """

    visited: frozenset[int] | None = None
    poison: frozenset[int] = frozenset()
    stray: frozenset[int] = frozenset()
    taken: frozenset[tuple[int, int]] | None = None

    def is_dead(self, block: Block) -> bool:
        """Whether no path comes to a block."""
        return self.visited is not None and block.start not in self.visited


@dataclass(frozen=True, slots=True)
class Row:
    """One line of text in a block; slot -1 stands for instructions left out.

    `lost` and `changed` compare with the code before relocation, in overlays alone.
    """

    slot: int
    text: str
    poison: bool = False
    dead: bool = False
    lost: bool = False
    changed: bool = False


@dataclass(frozen=True, slots=True)
class Picture:
    """A graph with everything that a drawing of it says: words and texts by block and edge.

    slots  by block, the slots before relocation that it speaks of
    """

    cfg: Cfg
    rows: tuple[tuple[Row, ...], ...]
    blocks: tuple[tuple[str, ...], ...]
    edges: tuple[tuple[str, ...], ...]
    slots: tuple[tuple[int, ...], ...]


def picture_of(
    cfg: Cfg, marks: Marks, byte_order: ByteOrder, origin: Mapping[int, int] | None = None
) -> Picture:
    """Say what a drawing shows; `origin` gives the slot before relocation by that after it."""
    slots = [range(block.start, block.end) for block in cfg.blocks]
    return Picture(
        cfg,
        rows_of(cfg, marks, byte_order),
        tuple(block_classes(block, marks) for block in cfg.blocks),
        tuple(edge_classes(cfg, edge, marks) for edge in cfg.edges),
        tuple(
            tuple(span) if origin is None else tuple(origin[s] for s in span if s in origin)
            for span in slots
        ),
    )


def marks_of(
    reach: Reachability,
    start: int,
    slots: int,
    *,
    poisons: Sequence[PoisonFact] = (),
    strays: Sequence[StrayJump] = (),
) -> Marks:
    """Marks of the function that takes up `slots` slots from `start` of a linked program."""
    span = range(start, start + slots)
    return Marks(
        frozenset(slot - start for slot in reach.visited if slot in span),
        frozenset(fact.slot - start for fact in poisons if fact.slot in span),
        frozenset(jump.slot - start for jump in strays if jump.slot in span),
        frozenset((slot - start, to - start) for slot, to in reach.taken if slot in span),
    )


def rows_of(cfg: Cfg, marks: Marks, byte_order: ByteOrder) -> tuple[tuple[Row, ...], ...]:
    """The text of each block."""
    texts = {line.slot: line.text for line in disassemble(cfg.insns, byte_order=byte_order)}
    return tuple(_rows(block, texts, marks) for block in cfg.blocks)


def _rows(block: Block, texts: dict[int, str], marks: Marks) -> tuple[Row, ...]:
    slots = [slot for slot in range(block.start, block.end) if slot in texts]
    rows = [Row(slot, f"{slot}: {texts[slot]}", slot in marks.poison) for slot in slots]
    return shortened(rows)


def shortened(rows: Sequence[Row]) -> tuple[Row, ...]:
    """Leave out the middle of a long block."""
    if len(rows) > LINES_PER_BLOCK:
        left_out = len(rows) - LINES_PER_BLOCK + 1
        hidden = any(row.poison for row in rows[LINES_PER_BLOCK - 2 : -1])
        rest = Row(-1, f"… {left_out} more", hidden)
        rows = [*rows[: LINES_PER_BLOCK - 2], rest, rows[-1]]
    return tuple(rows)


def edge_classes(cfg: Cfg, edge: Edge, marks: Marks) -> tuple[str, ...]:
    """Words for an edge: its kind, and whether it goes back, is broken, stray or dead."""
    source = cfg.blocks[edge.source]
    words: list[str] = [edge.kind]
    if edge.back:
        words.append("back")
    if edge.broken:
        words.append("broken")
    if edge.kind == "taken" and source.end - 1 in marks.stray:
        words.append("stray")
    if marks.is_dead(source) or (
        edge.target is not None and marks.is_dead(cfg.blocks[edge.target])
    ):
        words.append("dead")
    return tuple(words)


def block_classes(block: Block, marks: Marks) -> tuple[str, ...]:
    """Words for a block: dead, poison."""
    words = ["dead"] if marks.is_dead(block) else []
    if any(block.start <= slot < block.end for slot in marks.poison):
        words.append("poison")
    return tuple(words)


def lines_text(block: Block) -> str:
    """The source lines of a block in words: `lines 12, 14`, `lines 12 to 40` for many."""
    numbers = sorted({line.line_number for line in block.lines})
    if not numbers:
        return ""
    if len(numbers) > LINES_NAMED:
        return f"lines {numbers[0]} to {numbers[-1]}"
    return ("line " if len(numbers) == 1 else "lines ") + ", ".join(map(str, numbers))
