"""A verifier's log by pages: lines linked to slots, source and relocations, registers lit."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Final

from app.services.verification import SlotSource, VerifyResult
from app.services.verify_logs import PAGE, Known, OpenLog
from app.views.verify_page import Row, row_of, where
from app.views.verify_page_report import Report, report_of
from app.views.verify_text import relocation_at, source_at
from engine.explain.log_states import LogRow, Register
from engine.explain.words import printable

FOLDED: Final = {"trace": "of tracing precision back", "listing": "of listings"}
"""Kinds of lines that are folded where several follow each other."""
_FOLD: Final = 4
_WAS: Final = 28
"""Characters of an old value that are shown beside the new one."""
_LONGEST: Final = 2100


@dataclass(frozen=True, slots=True)
class RegisterView:
    """A register as a line has it; `word` says how it changed, empty where it did not."""

    text: str
    word: str = ""


@dataclass(frozen=True, slots=True)
class Line:
    """One line; `links` are the keys of what it belongs to."""

    number: int
    kind: str
    text: str
    insn: int | None = None
    registers: tuple[RegisterView, ...] = ()
    is_error: bool = False
    chosen: bool = False
    links: str = ""
    source: str = ""
    relocation: str = ""


@dataclass(frozen=True, slots=True)
class Lines:
    """Lines that stand together; those that are folded have words for what they are."""

    lines: tuple[Line, ...]
    folded: str = ""


@dataclass(frozen=True, slots=True)
class StateRow:
    """A register before and behind a line."""

    name: str
    before: str
    after: str
    word: str


@dataclass(frozen=True, slots=True)
class StateView:
    """All registers around one line."""

    line: int
    insn: int | None
    text: str
    rows: tuple[StateRow, ...]


@dataclass(frozen=True, slots=True)
class SourceLine:
    """A line of C that the program has; `key` names it for the linked views."""

    key: str
    place: str
    text: str


@dataclass(frozen=True, slots=True)
class Asked:
    """A relocation of the program."""

    key: str
    number: int
    text: str
    outcome: str
    links: str


@dataclass(frozen=True, slots=True)
class LogPage:
    """The view model of a log; lines are counted from 1 in it."""

    job: str
    number: int
    row: Row
    level: int
    first: int
    last: int
    total: int
    page: int
    pages: int
    error_line: int | None
    groups: tuple[Lines, ...]
    state: StateView | None
    report: Report | None
    sources: tuple[SourceLine, ...]
    relocations: tuple[Asked, ...]
    find: str = ""
    found: str = ""
    fn: str = ""

    @property
    def base(self) -> str:
        """The address of the log."""
        return f"/verify/{self.job}/log/{self.number}"


class Keys:
    """Names for the linked views: those of the page, or of a result around it."""

    def __init__(self, sources: Sequence[SlotSource], fn: str) -> None:
        self.sources = sources
        self.fn = fn

    def slot(self, insn: int) -> str:
        """Give the key of an instruction's row; empty where the result does not show it."""
        if not self.fn:
            return f"s{insn}"
        near = [source for source in self.sources if source.slot <= insn][-1:]
        if not near or near[0].function != self.fn or near[0].before is None:
            return ""
        return f"s{near[0].before + insn - near[0].slot}"

    def line(self, source: SlotSource) -> str:
        """Give the key of a source line."""
        return f"l{source.line}" if not self.fn or source.function == self.fn else ""

    def relocation(self, source: SlotSource) -> str:
        """Give the key of a relocation."""
        if self.fn:
            return f"r{source.relocation}" if source.function == self.fn else ""
        return f"r{source.relocation}-{source.slot}"


def log_page(
    job: str,
    number: int,
    result: VerifyResult,
    level: int,
    opened: OpenLog,
    *,
    page: int,
    line: int | None,
    find: str = "",
    found: str = "",
    fn: str = "",
) -> LogPage:
    """Build a page of a log; `page` and `line` count from 0."""
    keys = Keys(result.subject.sources, fn)
    first = page * PAGE
    made = [
        _line(first + at, row, opened, keys, chosen=first + at == line)
        for at, row in enumerate(opened.rows(page))
    ]
    known = None if line is None else opened.known(line)
    return LogPage(
        job=job,
        number=number,
        row=row_of(number, result),
        level=level,
        first=first + 1,
        last=first + len(made),
        total=len(opened.lines),
        page=page,
        pages=opened.pages,
        error_line=None if opened.error is None else opened.error + 1,
        groups=tuple(_groups(made)),
        state=None if known is None else state_view(known),
        report=report_of(opened.report),
        sources=() if fn else tuple(_sources(keys)),
        relocations=() if fn else tuple(_relocations(keys)),
        find="".join(letter for letter in find if letter.isprintable()),
        found=found,
        fn=fn,
    )


def _line(number: int, row: LogRow, opened: OpenLog, keys: Keys, *, chosen: bool) -> Line:
    links, source, relocation = [], "", ""
    if row.kind == "insn" and row.insn is not None:
        links = [keys.slot(row.insn)]
        line, asked = source_at(keys.sources, row.insn), relocation_at(keys.sources, row.insn)
        if line is not None:
            links.append(keys.line(line))
            source = where(line)
        if asked is not None:
            links.append(keys.relocation(asked))
            relocation = f"{asked.relocation} {asked.outcome}"
    return Line(
        number=number + 1,
        kind=row.kind,
        text=printable(row.head if row.registers else row.text, _LONGEST),
        insn=row.insn if row.kind == "insn" else None,
        registers=tuple(map(_register, row.registers)),
        is_error=number == opened.error,
        chosen=chosen,
        links=" ".join(filter(None, links)),
        source=source,
        relocation=relocation,
    )


def _register(register: Register) -> RegisterView:
    text = printable(register.text, _LONGEST)
    return RegisterView(text, _changed(register.was, register.value))


def _changed(was: str | None, value: str | None) -> str:
    """Say how a value changed; empty where it did not."""
    if was == value:
        return ""
    if was is None:
        return "new"
    return f"was {printable(was)}" if len(was) <= _WAS else "changed"


def _groups(lines: Iterable[Line]) -> Iterator[Lines]:
    for kind, found in groupby(lines, key=lambda line: line.kind in FOLDED and line.kind):
        several = tuple(found)
        shown = any(line.is_error or line.chosen for line in several)
        if not kind or len(several) < _FOLD or shown:
            yield Lines(several)
        else:
            yield Lines(several, f"{len(several)} lines {FOLDED[str(kind)]}")


def state_view(known: Known) -> StateView:
    """Present all registers around a line."""
    names = sorted({*known.before, *known.after}, key=_order)
    rows = []
    for name in names:
        before, after = known.before.get(name), known.after.get(name)
        said = {True: "", False: "changed"}[before == after]
        said = "new" if before is None else "gone" if after is None else said
        rows.append(
            StateRow(name, printable(before or "", 2000), printable(after or "", 2000), said)
        )
    return StateView(known.line + 1, known.insn, printable(known.text, _LONGEST), tuple(rows))


def _order(name: str) -> tuple[int, int]:
    """Registers, then the stack from its top, then the rest."""
    if name.startswith("R") and name[1:].isdigit():
        return 0, int(name[1:])
    if name.startswith("fp-"):
        return 1, int(name[3:])
    return 2, 0


def _sources(keys: Keys) -> Iterator[SourceLine]:
    """The lines of C that have instructions, in the order of the file."""
    lines = {(s.file, s.line): s for s in keys.sources if s.line}
    for _, source in sorted(lines.items()):
        yield SourceLine(keys.line(source), where(source), source.text)


def _relocations(keys: Keys) -> Iterator[Asked]:
    for source in keys.sources:
        if source.relocation is not None:
            line = source_at(keys.sources, source.slot)
            links = [keys.slot(source.slot)] + ([keys.line(line)] if line else [])
            yield Asked(
                keys.relocation(source),
                source.relocation,
                source.asked,
                source.outcome,
                " ".join(links),
            )
