"""Logs of verifications, opened for reading by pages: lines, registers, where the error is.

A log of level 2 has a hundred thousand lines. It is read once; what is needed to begin at any
page is kept, for a few logs at a time.
"""

from __future__ import annotations

from array import array
from collections import OrderedDict
from dataclasses import dataclass, field
from threading import Lock
from typing import Final

from app.services.verification import VerifyResult
from engine import limits
from engine.explain.log_facts import LogFact
from engine.explain.log_states import LogRow, StateReader
from engine.explain.logs import read_log

PAGE: Final = 500
"""Lines of a page."""
TAIL: Final = 64 << 10
"""Characters at the end of a log, in which a refusal is looked for first."""
_KEPT: Final = 6
_AHEAD: Final = 400
"""Lines behind an instruction in which its state is looked for."""
_NOTHING: Final = -1
_SAID: Final = frozenset({"said"})


@dataclass(frozen=True, slots=True)
class Known:
    """What is known of the registers before and behind a line; `insn` is what it is about."""

    line: int
    insn: int | None
    text: str
    before: dict[str, str]
    after: dict[str, str]


@dataclass(slots=True)
class OpenLog:
    """A log's lines; lines count from 0.

    insns  the instruction of each line that is one, -1 elsewhere
    fact   the first error that is known for what it is; error: its line, or the last words'
    """

    lines: list[str]
    insns: array[int]
    fact: LogFact | None = None
    error: int | None = None
    report: tuple[str, ...] = ()
    _starts: list[StateReader] = field(default_factory=list, repr=False)

    def rows(self, page: int) -> list[LogRow]:
        """Give the rows of a page, which count from 0."""
        first = page * PAGE
        if not 0 <= page < len(self._starts):
            return []
        reader = self._starts[page].copy()
        return [reader.feed(line) for line in self.lines[first : first + PAGE]]

    @property
    def pages(self) -> int:
        """How many pages there are."""
        return len(self._starts)

    def known(self, line: int) -> Known | None:
        """Give the registers before and behind a line; None where it is no instruction."""
        if not 0 <= line < len(self.lines):
            return None
        page = line // PAGE
        reader = self._starts[page].copy()
        for text in self.lines[page * PAGE : line]:
            reader.feed(text)
        before = dict(reader.known)
        row = reader.feed(self.lines[line])
        if row.kind not in ("insn", "state"):
            return None
        if row.kind == "insn" and not row.registers:
            for text in self.lines[line + 1 : line + _AHEAD]:
                after = reader.feed(text)
                if after.kind in ("insn", "state"):
                    break
        return Known(line, row.insn, row.head or row.text, before, dict(reader.known))

    def of_insn(self, insn: int, after: int = _NOTHING) -> int | None:
        """Find the next line of an instruction, from the start again behind the last."""
        return self._next([n for n, found in enumerate(self.insns) if found == insn], after)

    def containing(self, words: str, after: int = _NOTHING) -> int | None:
        """Find the next line with some text, capitals or not, from the start again at the end."""
        wanted = words.lower()
        order = (*range(after + 1, len(self.lines)), *range(after + 1))
        return next((n for n in order if wanted in self.lines[n].lower()), None)

    def before(self, line: int) -> int | None:
        """Give the line of the last instruction up to a line."""
        return next((n for n in range(line, -1, -1) if self.insns[n] != _NOTHING), None)

    @staticmethod
    def _next(lines: list[int], after: int) -> int | None:
        return next((line for line in lines if line > after), lines[0] if lines else None)


def open_log(result: VerifyResult) -> OpenLog:
    """Read a result's log; takes a second for a hundred thousand lines."""
    text = result.log
    lines = [_short(line) for line in text.split("\n")]
    if lines and not lines[-1]:
        lines.pop()
    opened = OpenLog(lines, array("l"))
    reader, report, last = StateReader(), [], None
    for number, line in enumerate(lines):
        if number % PAGE == 0:
            opened._starts.append(reader.copy())
        row = reader.feed(line)
        is_insn = row.kind == "insn" and row.insn is not None
        opened.insns.append(row.insn if is_insn and row.insn is not None else _NOTHING)
        if row.kind == "report":
            report.append(line)
        elif row.kind in _SAID:
            last = number
    opened.report = tuple(report)
    if result.loaded is False:
        opened.fact = first_error(result)
        opened.error = _line_of(lines, opened.fact, last)
    return opened


def first_error(result: VerifyResult) -> LogFact | None:
    """Give the first error of a refusal that is known for what it is; its `line` is not."""
    if result.loaded is not False:
        return None
    report = read_log(result.log[-TAIL:].encode("utf-8", "replace"))
    return next(iter(report.errors), None)


def _line_of(lines: list[str], fact: LogFact | None, last: int | None) -> int | None:
    """The line of an error, looked for from the end."""
    if fact is not None:
        said = fact.said[:200].removesuffix("...")
        for number in range(len(lines) - 1, -1, -1):
            if said in lines[number]:
                return number
    return last


def _short(line: str) -> str:
    longest = limits.LOG_LINE_CHARACTERS
    return line if len(line) <= longest else line[:longest] + " …"


class OpenLogs:
    """The logs that were read last, by job and place."""

    def __init__(self) -> None:
        self._open: OrderedDict[tuple[str, int], OpenLog] = OrderedDict()
        self._lock = Lock()

    def get(self, job: str, number: int, result: VerifyResult) -> OpenLog:
        """Give an opened log; called in a thread."""
        key = job, number
        with self._lock:
            found = self._open.get(key)
            if found is not None:
                self._open.move_to_end(key)
                return found
        opened = open_log(result)
        with self._lock:
            self._open[key] = opened
            while len(self._open) > _KEPT:
                self._open.popitem(last=False)
        return opened
