"""Two programs that were compiled differently, laid beside each other where they agree.

Their slots say nothing of each other, so they are aligned like the lines of two texts.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import Final

from app.views.lines import LineRef, SourceLines
from app.views.listing import Cell, Listing
from app.views.prose import Prose, anchor, count, prose
from engine.btf.kinds import ByteOrder
from engine.core.result import FunctionResult

ROWS: Final = 200
"""Rows on one page."""
CAREFUL: Final = 1_000
"""Instructions of a program up to which the best alignment is looked for."""


@dataclass(frozen=True, slots=True)
class Half:
    """One side of a row; `line` is the C line that it comes from."""

    line: LineRef
    cell: Cell


@dataclass(frozen=True, slots=True)
class Pair:
    """One row; a side without an instruction here is None."""

    number: int
    left: Half | None
    right: Half | None
    differs: bool


@dataclass(frozen=True, slots=True)
class Aligned:
    """Rows `first` to `last` of `total`; `starts` are the rows where differences begin."""

    left: str
    right: str
    sentence: Prose
    rows: tuple[Pair, ...]
    starts: tuple[int, ...]
    first: int
    last: int
    total: int
    previous_page: int | None
    next_page: int | None


@dataclass(frozen=True, slots=True)
class Text:
    """One side: its name, its function, and how its source lines are told."""

    name: str
    function: FunctionResult
    lines: SourceLines
    byte_order: ByteOrder


Rows = list[tuple[int | None, int | None, bool]]


def aligned(left: Text, right: Text, *, at: int = 0) -> Aligned:
    """Align what the loaders of both sides wrote; `at` is a row on the page that is given."""
    listings = _listing(left, "left"), _listing(right, "right")
    rows = _rows(*(_texts(listing) for listing in listings))
    starts = tuple(
        number for number, row in enumerate(rows) if row[2] and not (number and rows[number - 1][2])
    )
    total = len(rows)
    first = min(max(at, 0), max(total - 1, 0)) // ROWS * ROWS
    last = min(first + ROWS, total) - 1
    return Aligned(
        left=left.name,
        right=right.name,
        sentence=_sentence(rows, left.name, right.name),
        rows=tuple(
            Pair(
                number,
                _half(left, listings[0], rows[number][0]),
                _half(right, listings[1], rows[number][1]),
                rows[number][2],
            )
            for number in range(first, last + 1)
        ),
        starts=starts,
        first=first,
        last=last,
        total=total,
        previous_page=max(first - ROWS, 0) if first else None,
        next_page=last + 1 if last + 1 < total else None,
    )


def _listing(text: Text, key: str) -> Listing:
    code = text.function.after or ()
    return Listing(anchor(key), code, None, text.byte_order, first=0, last=len(code) - 1)


def _texts(listing: Listing) -> list[tuple[int, str]]:
    return [(slot, line.text) for slot, line in sorted(listing.lines.items())]


def _rows(left: Sequence[tuple[int, str]], right: Sequence[tuple[int, str]]) -> Rows:
    """Pair the instructions of both sides."""
    many = max(len(left), len(right)) > CAREFUL
    matcher = SequenceMatcher(
        None, [text for _, text in left], [text for _, text in right], autojunk=many
    )
    rows: Rows = []
    for word, i, j, k, m in matcher.get_opcodes():
        for step in range(max(j - i, m - k)):
            one = left[i + step][0] if i + step < j else None
            other = right[k + step][0] if k + step < m else None
            rows.append((one, other, word != "equal"))
    return rows


def _half(text: Text, listing: Listing, slot: int | None) -> Half | None:
    if slot is None:
        return None
    function = text.function
    row = function.slot_map.index(slot) if slot in function.slot_map else slot
    line = function.lines[row] if row < len(function.lines) else None
    return Half(text.lines.ref(line), listing.cell(slot, slot))


def _sentence(rows: Rows, left: str, right: str) -> Prose:
    differ = [number for number, row in enumerate(rows) if row[2]]
    if not differ:
        return prose(f"{left} and {right} give the same {count(len(rows), 'instruction')}.")
    left_only, right_only = _only(rows)
    changed = len(differ) - left_only - right_only
    parts = [f"{count(len(rows) - len(differ), 'instruction is', 'instructions are')} the same"]
    parts += [f"{changed:,} written differently"] if changed else []
    parts += [f"{left_only:,} only left"] if left_only else []
    parts += [f"{right_only:,} only right"] if right_only else []
    return prose(f"They part at row {differ[0]}: {', '.join(parts)}.")


def _only(rows: Rows) -> tuple[int, int]:
    """Count the rows that have a left side alone, and a right side alone."""
    left = sum(1 for _, right, _ in rows if right is None)
    right = sum(1 for left, _, _ in rows if left is None)
    return left, right
