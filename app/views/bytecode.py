"""The bytecode table of one program: a row per slot, a column before and one per loader.

Rows are the slots before relocation. A loader that loses a slot leaves a gap in its column,
and the slots after it carry other numbers than before: the gap and the shift are both shown.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from app.services.closeup import Near
from app.views.lanes import Arrow, Stroke, crossing, strokes
from app.views.lines import LineRef, SourceLines
from app.views.listing import Badge, Cell, Listing, is_second
from app.views.prose import anchor, count, loader_name
from app.views.values import change
from engine.btf.kinds import ByteOrder
from engine.core.result import FunctionResult, Relocation
from engine.flow.jumps import JumpCheck
from engine.insn.codec import Insn

ROWS: Final = 200
"""Rows on one page; longer programs are turned over like a book."""
_RUNS: Final = {"maybe": "may run", "yes": "reached"}


@dataclass(frozen=True, slots=True)
class Why:
    """What a relocation does at this slot: `r1`, `enumval_value`, `1 → poison`."""

    record: str
    kind: str
    texts: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Row:
    """One slot before relocation and what each loader made of it.

    `through` are, per loader, the strokes that cross the line above this row.
    """

    slot: int
    line: LineRef
    opens_line: bool
    before: Cell
    after: tuple[Cell, ...]
    why: tuple[Why, ...]
    keys: str
    through: tuple[tuple[Stroke, ...], ...]
    differs: bool = False


@dataclass(frozen=True, slots=True)
class Column:
    """A loader's column; `note` says what is unusual about it in a word or two."""

    key: str
    name: str
    past_end: tuple[Stroke, ...] = ()
    lanes: int = 0
    note: str = ""
    loader: str = ""


@dataclass(frozen=True, slots=True)
class Bytecode:
    """The table; `first` and `last` are the slots on this page of `total`."""

    columns: tuple[Column, ...]
    rows: tuple[Row, ...]
    first: int
    last: int
    total: int
    previous_page: int | None
    next_page: int | None
    end_row: bool

    @property
    def classes(self) -> tuple[str, ...]:
        """The classes of each loader's cells."""
        return tuple(f"new c{n} lanes-{c.lanes}" for n, c in enumerate(self.columns))

    @property
    def names(self) -> list[tuple[str, str]]:
        """The loaders' panes with their names."""
        return [(f"c{number}", column.name) for number, column in enumerate(self.columns)]


@dataclass(frozen=True, slots=True)
class Side:
    """One loader's view of the function; `function` is None if it refused the object.

    `near` says what can run, where it was looked at.
    """

    loader: str
    function: FunctionResult | None
    jumps: tuple[JumpCheck, ...] = ()
    note: str = ""
    near: Near | None = None


def page_of(total: int, at: int) -> tuple[int, int]:
    """Give the first and the last slot of the page that holds slot `at`."""
    first = min(max(at, 0), max(total - 1, 0)) // ROWS * ROWS
    return first, min(first + ROWS, total) - 1


def bytecode(
    sides: Sequence[Side],
    lines: SourceLines,
    byte_order: ByteOrder,
    *,
    at: int = 0,
    differ: frozenset[int] = frozenset(),
) -> Bytecode:
    """Build the table page that holds slot `at`; at least one side must have the function.

    `differ` are the slots at which the columns do not agree.
    """
    known = next(side.function for side in sides if side.function is not None)
    total = len(known.before)
    first, last = page_of(total, at)
    before = Listing("old", known.before, None, byte_order, first=first, last=last)
    after = [_After(side, byte_order, first, last) for side in sides]
    by_slot = _by_slot(sides)
    rows = []
    previous: LineRef | None = None
    for slot in range(first, last + 1):
        line = lines.ref(known.lines[slot] if slot < len(known.lines) else None)
        whys = tuple(_why(versions, known.before) for versions in by_slot.get(slot, ()))
        cells = tuple(column.cell(slot) for column in after)
        rows.append(
            Row(
                slot=slot,
                line=line,
                opens_line=line != previous,
                before=before.cell(slot, slot),
                after=cells,
                why=whys,
                keys=" ".join(
                    [*_pair(known.before, slot), *(w.record for w in whys), line.key]
                ).strip(),
                through=tuple(crossing(cell.strokes) for cell in cells),
                differs=slot in differ,
            )
        )
        previous = line
    columns = tuple(column.head() for column in after)
    return Bytecode(
        columns=columns,
        rows=tuple(rows),
        first=first,
        last=last,
        total=total,
        previous_page=max(first - ROWS, 0) if first else None,
        next_page=last + 1 if last + 1 < total else None,
        end_row=last + 1 == total and any(column.past_end for column in columns),
    )


def _pair(insns: tuple[Insn, ...], slot: int) -> tuple[str, ...]:
    """Give the keys of a slot and of the other half of its 16-byte load."""
    if insns[slot].is_ld_imm64:
        return f"s{slot}", f"s{slot + 1}"
    if is_second(insns, slot):
        return f"s{slot - 1}", f"s{slot}"
    return (f"s{slot}",)


Versions = list[tuple[str, Relocation]]


def _by_slot(sides: Sequence[Side]) -> dict[int, list[Versions]]:
    """Group the relocations by slot; each group holds one record as every loader saw it."""
    families = [side.loader.partition("@")[0] for side in sides]
    records: dict[int, Versions] = {}
    for side, family in zip(sides, families, strict=True):
        name = family if families.count(family) == 1 else side.loader.partition("@")[2]
        for relocation in side.function.relocations if side.function else ():
            records.setdefault(relocation.number, []).append((name, relocation))
    by_slot: dict[int, list[Versions]] = {}
    for versions in records.values():
        by_slot.setdefault(versions[0][1].slot, []).append(versions)
    return by_slot


def _why(versions: Sequence[tuple[str, Relocation]], before: Sequence[Insn]) -> Why:
    """Say what each loader does; once if they do the same, else with its name."""
    said: dict[str, list[str]] = {}
    for loader, relocation in versions:
        said.setdefault(change(relocation, before), []).append(loader)
    first = versions[0][1]
    texts = tuple(
        text if len(said) == 1 else f"{', '.join(loaders)}: {text}"
        for text, loaders in said.items()
    )
    return Why(record=f"r{first.number}", kind=first.kind_word, texts=texts)


class _After:
    """One loader's column: its listing, what is poisoned, lost, and jumped to."""

    def __init__(self, side: Side, byte_order: ByteOrder, first: int, last: int) -> None:
        self.side = side
        self.key = anchor(side.loader)
        function = side.function
        self.map = function.slot_map if function and function.after is not None else ()
        self.listing = None
        if function and function.after is not None:
            shown = [after for after in self.map[first : last + 1] if after is not None]
            self.listing = Listing(
                self.key,
                function.after,
                dict(enumerate(function.before[first : last + 1], first)),
                byte_order,
                first=min(shown, default=0),
                last=max(shown, default=0),
            )
        self.poisoned = {
            slot
            for relocation in (function.relocations if function else ())
            if relocation.outcome == "poisoned"
            for slot in range(relocation.slot, relocation.slot + relocation.slots)
        }
        self.broken = [check for check in side.jumps if check.landing != "fine"]
        self.rows = {after: row for row, after in enumerate(self.map) if after is not None}
        self.near = side.near or Near(side.loader)
        self.asked = self._records(function)
        self.badges = self._jump_badges()
        self.strokes = strokes(self._arrows())

    def _row(self, after: int) -> int:
        """The row of a slot after relocation; past the end it is the row below the last."""
        return self.rows.get(after, len(self.map))

    def _arrows(self) -> list[Arrow]:
        arrows = []
        for check in self.broken:
            arrows.append(Arrow("actual", check.slot_before, self._row(check.actual)))
            if check.intended is not None:
                arrows.append(Arrow("meant", check.slot_before, self._row(check.intended)))
        return arrows

    def _jump_badges(self) -> dict[int, tuple[Badge, ...]]:
        badges: dict[int, list[Badge]] = {}
        for check in self.broken:
            add = badges.setdefault
            meant = "" if check.intended is None else f": meant {check.intended}"
            add(check.slot_before, []).append(Badge("stale", f"stale jump{meant}"))
            add(self._row(check.actual), []).append(
                Badge("lands", f"{check.slot_after} lands here")
            )
            if check.intended is not None:
                add(self._row(check.intended), []).append(
                    Badge("meant", f"{check.slot_after} was meant for this")
                )
        return {row: tuple(found) for row, found in badges.items()}

    def cell(self, slot: int) -> Cell:
        drawn = self.strokes.get(slot, ())
        if self.listing is None or slot >= len(self.map):
            return Cell(state="none")
        after = self.map[slot]
        if after is None:
            return Cell(state="lost", badges=(Badge("lost", "slot lost"),), strokes=drawn)
        made = self.listing.cell(after, slot, badges=self.badges.get(slot, ()), drawn=drawn)
        poisoned, dead = slot in self.poisoned, after in self.near.dead
        first: tuple[Badge, ...] = ()
        if poisoned:
            first = (Badge("poison", "poison"), *self._may_run(slot))
        elif made.changed:
            first = (Badge("changed", "changed"),)
        if dead and made.state == "code":
            first = (*first, Badge("dead", "dead"))
        on_path = after in self.near.path
        return replace(
            made, poisoned=poisoned, dead=dead, on_path=on_path, badges=(*first, *made.badges)
        )

    def _may_run(self, slot: int) -> tuple[Badge, ...]:
        """Say of poison that it can run; that it cannot is told of every such slot."""
        answer = self.near.reach.get(self.asked.get(slot, -1), "no")
        return (Badge("runs", _RUNS[answer]),) if answer in _RUNS else ()

    @staticmethod
    def _records(function: FunctionResult | None) -> dict[int, int]:
        """Give the record by the slots that it asks for."""
        return {
            slot: row.number
            for row in (function.relocations if function else ())
            for slot in range(row.slot, row.slot + row.slots)
        }

    def head(self) -> Column:
        """Give the column's own facts."""
        lost = sum(after is None for after in self.map)
        return Column(
            key=self.key,
            name=loader_name(self.side.loader),
            past_end=self.strokes.get(len(self.map), ()),
            lanes=max((s.lane + 1 for drawn in self.strokes.values() for s in drawn), default=0),
            loader=self.side.loader.partition(" ")[0].rstrip(","),
            note=f"{count(lost, 'slot')} lost" if lost else self.side.note,
        )
