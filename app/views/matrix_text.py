"""A matrix as text: for each relocation a small table, kernels down and loaders across."""

from __future__ import annotations

from collections.abc import Iterator

from app.views.check_text import COLUMNS
from app.views.prose import count
from engine.explain.matrix import Change, Matrix, Row


def matrix_text(matrix: Matrix) -> str:
    """Give all rows, then where each first changes."""
    lines: list[str] = []
    for row in matrix.rows:
        lines += [*_row(row, matrix), ""]
    changes: dict[str, list[str]] = {}
    for change in matrix.first_changes():
        changes.setdefault(_change(change), []).append(change.loader)
    if changes:
        lines.append("first kernel where it changes:")
        lines += [f"  {text} ({', '.join(loaders)})" for text, loaders in changes.items()]
    else:
        lines.append(f"{count(len(matrix.rows), 'relocation')}, none of which changes")
    return "\n".join(lines) + "\n"


def _row(row: Row, matrix: Matrix) -> Iterator[str]:
    line = f"line {row.line.line_number}, " if row.line is not None else ""
    yield f"#{row.number} {row.local} ({row.kind.word})"
    yield f"  {line}slot {row.slot} of {row.function}; {row.meaning}"
    cells = {
        (column.kernel, column.loader): cell.words
        for column, cell in zip(matrix.columns, row.cells, strict=True)
    }
    kernels = tuple(dict.fromkeys(column.kernel for column in matrix.columns))
    loaders = tuple(dict.fromkeys(column.loader for column in matrix.columns))
    if len(set(cells.values())) == 1:
        yield f"  {next(iter(cells.values()))} everywhere"
        return
    first = max(map(len, kernels)) + 2
    width = max(map(len, (*loaders, *cells.values()))) + 2
    fitting = max(1, (COLUMNS - 2 - first) // width)
    for start in range(0, len(loaders), fitting):
        some = loaders[start : start + fitting]
        yield ("  " + " " * first + "".join(f"{loader:<{width}}" for loader in some)).rstrip()
        for kernel in kernels:
            words = "".join(f"{cells.get((kernel, loader), ''):<{width}}" for loader in some)
            yield f"  {kernel:<{first}}{words}".rstrip()


def _change(change: Change) -> str:
    return (
        f"#{change.row.number} {change.row.local} ({change.row.kind.word}): {change.before.words} "
        f"on {change.previous}, {change.after.words} on {change.kernel}"
    )
