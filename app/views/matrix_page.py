"""The matrix as a table of a page: relocations down, kernels and loaders across."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from app.services.matrix import MatrixAnswer
from app.views.prose import loader_name
from app.views.type_links import Name, cut
from engine.explain.matrix import Cell, Change, Matrix, Row

ROWS: Final = 400
"""Relocations on one page."""


@dataclass(frozen=True, slots=True)
class CellView:
    """One value; `kind` is the engine's.

    step   what it was on the kernel before it, of this architecture and loader, where it differs
    apart  another loader says something else on this kernel
    """

    kind: str
    words: str
    text: str = ""
    step: str = ""
    previous: str = ""
    apart: bool = False


@dataclass(frozen=True, slots=True)
class RowView:
    """One relocation; `prog` names its program in addresses, `first` says where it changes."""

    number: int
    prog: str
    section: str
    line: str
    slot: int
    kind: str
    local: Name
    meaning: str
    differs: bool
    cells: tuple[CellView, ...]
    first: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Heading:
    """A kernel over the columns of its loaders."""

    kernel: str
    arch: str
    loaders: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class MatrixView:
    """The table; `start` and `end` are the rows on this page of `shown`, out of `total`."""

    headings: tuple[Heading, ...]
    rows: tuple[RowView, ...]
    start: int
    end: int
    shown: int
    total: int
    differing: int
    previous: int | None
    next: int | None
    skipped: tuple[str, ...]
    one_loader: bool


def matrix_view(answer: MatrixAnswer, *, differs: bool = False, at: int = 0) -> MatrixView:
    """Build the table page that holds row `at`; with `differs` only rows whose cells differ."""
    matrix = answer.matrix
    kept = matrix.differences() if differs else matrix
    start = min(max(at, 0), max(len(kept.rows) - 1, 0)) // ROWS * ROWS
    end = min(start + ROWS, len(kept.rows))
    return MatrixView(
        headings=tuple(_headings(matrix)),
        rows=tuple(rows_of(kept, start, end)),
        start=start,
        end=end,
        shown=len(kept.rows),
        total=len(matrix.rows),
        differing=sum(row.differs for row in matrix.rows),
        previous=start - ROWS if start else None,
        next=end if end < len(kept.rows) else None,
        skipped=answer.skipped,
        one_loader=len({column.loader for column in matrix.columns}) == 1,
    )


def _headings(matrix: Matrix) -> Iterator[Heading]:
    kernels = dict.fromkeys((column.kernel, column.arch) for column in matrix.columns)
    for kernel, arch in kernels:
        loaders = (column.loader for column in matrix.columns if column.kernel == kernel)
        yield Heading(kernel, arch, tuple(map(loader_name, loaders)))


def rows_of(matrix: Matrix, start: int, end: int) -> Iterator[RowView]:
    """Give some rows, each with where it changes first."""
    sections: dict[str, set[str]] = {}
    for row in matrix.rows:
        sections.setdefault(row.function, set()).add(row.section)
    changes: dict[tuple[str, int], list[Change]] = {}
    for change in matrix.first_changes():
        changes.setdefault((change.row.section, change.row.number), []).append(change)
    for row in matrix.rows[start:end]:
        single = len(sections[row.function]) == 1
        yield RowView(
            number=row.number,
            prog=row.function if single else f"{row.section}:{row.function}",
            section=row.section,
            line=_line(row),
            slot=row.slot,
            kind=row.kind.word,
            local=cut(row.local),
            meaning=row.meaning,
            differs=row.differs,
            cells=tuple(_cells(matrix, row)),
            first=tuple(_first(changes.get((row.section, row.number), ()), matrix)),
        )


def _line(row: Row) -> str:
    if row.line is None:
        return ""
    return f"{row.line.file_name.rpartition('/')[2]}:{row.line.line_number}"


def _cells(matrix: Matrix, row: Row) -> Iterator[CellView]:
    last: dict[tuple[str, str], tuple[Cell, str]] = {}
    by_kernel: dict[str, list[Cell]] = {}
    for column, cell in zip(matrix.columns, row.cells, strict=True):
        by_kernel.setdefault(column.kernel, []).append(cell)
    for column, cell in zip(matrix.columns, row.cells, strict=True):
        key = (column.loader, column.arch)
        before, kernel = last.get(key, (cell, ""))
        last[key] = cell, column.kernel
        changed = row.changed(before, cell)
        yield CellView(
            cell.kind,
            cell.words,
            cell.text,
            before.words if changed else "",
            kernel if changed else "",
            any(row.changed(cell, other) for other in by_kernel[column.kernel]),
        )


def _first(changes: Sequence[Change], matrix: Matrix) -> Iterator[str]:
    """Say on which kernel each first change comes, and under which loaders if not all."""
    loaders = {column.loader for column in matrix.columns}
    said: dict[str, list[str]] = {}
    for change in changes:
        text = f"{change.kernel}: {change.before.words} → {change.after.words}"
        said.setdefault(text, []).append(change.loader)
    for text, who in said.items():
        names = f" ({', '.join(map(loader_name, who))})" if set(who) != loaders else ""
        yield f"{text}{names}"


_NUMBER = re.compile(r"-?[0-9]+")


def matrix_csv(matrix: Matrix) -> str:
    """Write all rows as CSV (RFC 4180), safe to be opened by a spreadsheet."""
    columns = [f"{column.kernel} {column.loader}" for column in matrix.columns]
    head = ["program", "section", "relocation", "slot", "line", "kind", "asks for", "meaning"]
    lines = [[*head, *columns, "first changes on"]]
    for row in rows_of(matrix, 0, len(matrix.rows)):
        facts = [row.prog, row.section, str(row.number), str(row.slot), row.line, row.kind]
        values = [cell.words for cell in row.cells]
        lines.append(
            [*facts, row.local.whole or row.local.short, row.meaning, *values, "; ".join(row.first)]
        )
    return "".join(",".join(map(_quoted, line)) + "\r\n" for line in lines)


def _quoted(text: str) -> str:
    """Quote one value; what a spreadsheet would take for a formula is marked as text."""
    if text[:1] in ("=", "+", "-", "@", "\t", "\r", "\n") and not _NUMBER.fullmatch(text):
        text = f"'{text}"
    return '"' + text.replace('"', '""') + '"' if re.search(r'[",\r\n]', text) else text
