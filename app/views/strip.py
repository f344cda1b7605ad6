"""Kernels by loaders: the outcome of each cell, and which cells are shown as columns."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from app.services.analysis import Analysis, Run
from app.views.choices import Choices, Side
from app.views.headline import Headline
from app.views.prose import loader_name


class Pick(NamedTuple):
    """A run that is shown as a column; `name` is its loader, with the kernel where they differ."""

    name: str
    run: Run


@dataclass(frozen=True, slots=True)
class StripCell:
    """One loader on one kernel; `value` names the cell in a form."""

    loader: str
    kernel: str
    head: Headline
    shown: bool

    @property
    def value(self) -> str:
        """Name the cell: `kernel/loader`."""
        return f"{self.kernel}/{self.loader}"


@dataclass(frozen=True, slots=True)
class StripRow:
    """One kernel; it is `shown` when all its loaders have a column."""

    kernel: str
    cells: tuple[StripCell, ...]
    shown: bool


@dataclass(frozen=True, slots=True)
class Strip:
    """The table; `loaders` are the heads of its columns."""

    loaders: tuple[str, ...]
    rows: tuple[StripRow, ...]


def picks(analysis: Analysis, choices: Choices) -> tuple[Pick, ...]:
    """Give the runs that are shown, from left to right."""
    sides = choices.compared
    if sides is None:
        kernel, loaders = choices.shown_kernel, choices.shown_loaders
        return tuple(
            Pick(run.loader, run)
            for run in analysis.runs
            if run.kernel == kernel and run.loader in loaders
        )
    runs = {(run.kernel, run.loader): run for run in analysis.runs}
    found = [runs[side.kernel, side.loader] for side in sides]
    columns = tuple(map(Pick, names_of(sides), found))
    return columns[:1] if columns[0] == columns[1] else columns


def halves(left: Analysis, right: Analysis, choices: Choices) -> tuple[Pick, ...]:
    """Give both sides of a comparison, each from an analysis of its own."""
    sides = choices.compared
    if sides is None:
        return ()
    runs = [
        next(run for run in one.runs if (run.kernel, run.loader) == (side.kernel, side.loader))
        for one, side in zip((left, right), sides, strict=True)
    ]
    return tuple(map(Pick, names_of(sides), runs))


def names_of(sides: tuple[Side, Side]) -> tuple[str, str]:
    """Name two sides by what tells them apart: loader, kernel, compiler."""
    left, right = sides
    names = [left.loader, right.loader]
    if left.kernel != right.kernel:
        names = [f"{name} on {side.kernel}" for name, side in zip(names, sides, strict=True)]
    if left.clang != right.clang:
        names = [
            f"{name}, {f'clang {side.clang}' if side.clang else 'the usual clang'}"
            for name, side in zip(names, sides, strict=True)
        ]
    return names[0], names[1]


def strip(heads: Sequence[Headline], choices: Choices) -> Strip | None:
    """Build the table; None for a single kernel, whose headlines say it all."""
    kernels = list(dict.fromkeys(head.kernel for head in heads))
    loaders = list(dict.fromkeys(head.loader for head in heads))
    if len(kernels) < 2 or choices.compared:
        return None
    alone = choices.one if choices.one in choices.loaders else ""
    rows = []
    for kernel in kernels:
        here = kernel == choices.shown_kernel
        cells = tuple(
            StripCell(head.loader, kernel, head, here and head.loader == alone)
            for head in heads
            if head.kernel == kernel
        )
        rows.append(StripRow(kernel, cells, here and not alone))
    return Strip(tuple(map(loader_name, loaders)), tuple(rows))
