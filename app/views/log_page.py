"""A read log for the page: the answer first, then finding by finding."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Final

from app.views.choices import Choices
from app.views.closeup import FixView
from app.views.failure import Failure
from app.views.highlight import highlight
from app.views.menu import Option
from app.views.prose import Piece, Prose, count, loader_name
from engine.explain.fixes import Fix
from engine.explain.log_facts import LogFact, LogReport

NOTES: Final = 10
"""Harmless findings that are shown; the rest is counted."""
FIXES: Final = 3


@dataclass(frozen=True, slots=True)
class FactView:
    """One finding: what was said, why, where, and what to do."""

    kind: str
    weight: str
    line: int
    times: str
    said: str
    cause: Prose
    asked: str
    program: str
    insn: str
    source: str
    place: Prose
    doubt: str
    fix: Prose
    fixes: tuple[FixView, ...]
    needs: Prose


@dataclass(frozen=True, slots=True)
class LogView:
    """All findings; `placed` says whether a program was looked into."""

    summary: Prose
    origin: str
    facts: tuple[FactView, ...]
    more: str
    found: bool
    placed: bool = False


@dataclass(frozen=True, slots=True)
class LogPage:
    """The page with its form and, once a log was given, the answer."""

    kernels: tuple[Option, ...]
    loaders: tuple[Option, ...]
    log: str = ""
    view: LogView | None = None
    failure: Failure | None = None
    main: str = ""


_ORIGINS: Final = {"verifier": "the verifier", "cilium": "cilium/ebpf", "kernel": "the kernel"}


def log_view(report: LogReport) -> LogView:
    """Present a report; called in a worker."""
    notes = [fact for fact in report.facts if fact.weight == "note"]
    shown = [*report.errors, *notes[:NOTES]]
    left = len(report.facts) - len(shown) + report.more
    origin = ", ".join(_ORIGINS.get(source, source) for source in report.sources)
    return LogView(
        summary=_prose(report.summary),
        origin=f"{count(report.lines, 'line')}{f' of {origin}' if origin else ''}",
        facts=tuple(map(_fact, shown)),
        more=f"{count(left, 'finding')} more; coreplay log --json has all." if left else "",
        found=bool(report.facts),
    )


def placed_view(report: LogReport) -> LogView:
    """Present a report that was looked up in a program; called in a worker."""
    return replace(log_view(report), placed=True)


def log_page(
    choices: Choices,
    *,
    kernels: Sequence[str],
    loaders: Sequence[str],
    log: str = "",
    view: LogView | None = None,
    failure: Failure | None = None,
) -> LogPage:
    """Build the page; nothing is chosen where the log speaks for itself."""
    unknown = Option("", "not known", not choices.kernels)
    said = Option("", "as the log says", not choices.loaders)
    return LogPage(
        kernels=(unknown, *(Option(k, k, k in choices.kernels[:1]) for k in kernels)),
        loaders=(said, *(Option(i, loader_name(i), i in choices.loaders[:1]) for i in loaders)),
        log=log,
        view=view,
        failure=failure,
    )


def _fact(fact: LogFact) -> FactView:
    place, source = fact.place, fact.source_line
    where = f"{source.file}:{source.number}: " if source and source.file else ""
    return FactView(
        kind=fact.kind,
        weight=fact.weight,
        line=fact.line,
        times=count(fact.times, "time") if fact.times > 1 else "",
        said=fact.said,
        cause=_prose(fact.cause),
        asked=f"{fact.kind_word} {fact.asked}".strip() if fact.asked else "",
        program=fact.program or (place.program if place else ""),
        insn="" if fact.insn is None else str(fact.insn),
        source=f"{where}{source.text}" if source else "",
        place=_prose(place.words) if place else (),
        doubt="" if place is None or place.sure else "Other programs of the object fit as well.",
        fix=() if place and place.fixes else _prose(fact.fix),
        fixes=tuple(map(_fix, place.fixes[:FIXES])) if place else (),
        needs=_prose(fact.needs),
    )


def _fix(fix: Fix) -> FixView:
    text = fix.snippet.code.expandtabs(4).rstrip() if fix.snippet else ""
    return FixView(
        title=fix.title,
        why=_prose(fix.why),
        lines=tuple(highlight(line) for line in text.splitlines()),
        call=fix.snippet.call if fix.snippet else "",
    )


def _prose(text: Iterable[tuple[str, bool]]) -> Prose:
    return tuple(Piece(words, code) for words, code in text)
