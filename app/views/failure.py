"""An error as the page shows it; a compiler's diagnostics with the lines they speak of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from app.errors import AppError
from app.views.highlight import Coloured, highlight
from app.views.prose import count

DIAGNOSTICS: Final = 40
"""Diagnostics shown; a missing brace can make thousands."""
EXCERPT: Final = 240
"""Characters of a source line that are shown beneath its diagnostic."""


@dataclass(frozen=True, slots=True)
class Remark:
    """One diagnostic; `excerpt` is its source line, `marker` the spaces before its column."""

    file: str
    line: int
    column: int
    severity: str
    text: str
    excerpt: tuple[Coloured, ...]
    marker: str
    in_editor: bool

    @property
    def kind(self) -> str:
        """`error`, `warning` or `note`."""
        return self.severity.split()[-1]


@dataclass(frozen=True, slots=True)
class Failure:
    """Why there is no result."""

    code: str
    title: str
    message: str
    place: str
    hint: str
    remarks: tuple[Remark, ...] = ()
    more: str = ""
    command: str = ""


_TITLES: Final[Mapping[str, str]] = {
    "compile-failed": "The source does not compile",
    "internal": "Something broke here",
    "not-found": "There is nothing here",
    "server-busy": "The server is busy",
}


def failure(error: AppError, files: Mapping[str, str] | None = None) -> Failure:
    """Present an error; `files` are those in the editor."""
    raw: Sequence[Mapping[str, Any]] = error.details.get("diagnostics") or ()  # type: ignore[assignment]
    lines = _lines(files or {})
    remarks = tuple(_remark(entry, lines) for entry in raw[:DIAGNOSTICS])
    left = len(raw) - len(remarks)
    return Failure(
        code=error.code,
        title=_TITLES.get(error.code, "This cannot be answered"),
        message=error.message,
        place=error.place,
        hint=error.hint,
        remarks=remarks,
        more=f"{count(left, 'more message')} left out." if left > 0 else "",
        command=str(error.details.get("command") or ""),
    )


def remarks_of(diagnostics: Sequence[Any], files: Mapping[str, str]) -> tuple[Remark, ...]:
    """Present the warnings of a compile that went well; entries have the fields of Remark."""
    lines = _lines(files)
    entries = [
        {
            "file": d.file,
            "line": d.line,
            "column": d.column,
            "severity": d.severity,
            "text": d.text,
        }
        for d in diagnostics[:DIAGNOSTICS]
    ]
    return tuple(_remark(entry, lines) for entry in entries)


def _lines(files: Mapping[str, str]) -> dict[str, list[str]]:
    return {name: text.splitlines() for name, text in files.items()}


def _remark(entry: Mapping[str, Any], files: Mapping[str, Sequence[str]]) -> Remark:
    line, column = int(entry["line"] or 0), int(entry["column"] or 0)
    file = str(entry["file"])
    file = file if file in files else file.rpartition("/")[2]
    lines = files.get(file, ())
    in_editor = 0 < line <= len(lines)
    excerpt = lines[line - 1][:EXCERPT] if in_editor else ""
    before = excerpt[: max(column - 1, 0)] if column <= len(excerpt) + 1 else ""
    return Remark(
        file=file,
        line=line,
        column=column,
        severity=str(entry["severity"]),
        text=str(entry["text"]),
        excerpt=highlight(excerpt) if excerpt else (),
        marker="".join("\t" if c == "\t" else " " for c in before),
        in_editor=in_editor,
    )
