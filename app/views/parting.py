"""Where two columns part, in words: the first slot that differs, or that nothing does."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from app.views.prose import Prose, count, loader_name, prose
from engine.core.result import FunctionResult
from engine.insn.codec import Insn

KEPT: Final = 2_000
"""Differences that a page knows by slot; further ones are only counted."""


@dataclass(frozen=True, slots=True)
class Parting:
    """What differs between the columns of one program.

    rows    slots before relocation at which not all loaders write the same
    starts  where each run of such slots begins, at most KEPT of them
    same    all columns hold the same bytes
    """

    sentence: Prose
    rows: frozenset[int] = frozenset()
    starts: tuple[int, ...] = ()
    same: bool = False

    @property
    def first(self) -> int | None:
        """The first slot that differs."""
        return self.starts[0] if self.starts else None


def itself(name: str) -> Parting:
    """Say that left and right are one and the same choice."""
    return Parting(prose(f"Left and right are the same choice: {loader_name(name)}."), same=True)


def parting(sides: Sequence[tuple[str, FunctionResult | None]]) -> Parting | None:
    """Compare the columns of one program, named by their loaders; None where there is but one."""
    if len(sides) < 2:
        return None
    names = [loader_name(name) for name, _ in sides]
    written = [(function, written_in(function)) for _, function in sides]
    empty = [name for name, (_, insns) in zip(names, written, strict=True) if insns is None]
    if empty:
        verb = "writes" if len(empty) == 1 else "write"
        return Parting(prose(f"{_and(empty)} {verb} no bytes, so there is nothing to compare."))
    columns = [insns for _, insns in written if insns is not None]
    first, *others = columns
    total = max(len(column) for column in columns)
    rows = [
        row for row in range(total) if any(_at(column, row) != _at(first, row) for column in others)
    ]
    known = frozenset(rows)
    starts = tuple(row for row in rows if row - 1 not in known)
    if not rows:
        same = "the same slot" if total == 1 else f"the same {total:,} slots"
        both = "both write" if len(names) == 2 else "all write"
        return Parting(prose(f"{_and(names)} {both} {same}, byte for byte."), same=True)
    differ = count(len(rows), "slot differs", "slots differ")
    return Parting(
        prose(f"{_and(names)} part at slot {rows[0]}: {differ} of {total:,}."),
        known,
        starts[:KEPT],
    )


def written_in(function: FunctionResult | None) -> list[Insn | None] | None:
    """Give per slot before relocation what is written now, None for a slot that was lost."""
    if function is None or function.after is None:
        return None
    after = function.after
    return [None if slot is None else after[slot] for slot in function.slot_map]


def _at(column: Sequence[Insn | None], row: int) -> Insn | None:
    return column[row] if row < len(column) else None


def _and(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
