"""A read log for a terminal: `coreplay log`."""

from __future__ import annotations

from collections.abc import Iterator

from app.views.explain_text import fix_lines, wrapped
from app.views.prose import count
from engine.explain.log_facts import LogFact, LogReport
from engine.explain.words import plain

_NOTES = 10
"""Harmless findings that are shown; the rest is counted."""


def report_text(report: LogReport) -> str:
    """Give the summary, then each finding with cause, place and what to do."""
    lines = wrapped(report.summary, "")
    shown = [*report.errors, *[f for f in report.facts if f.weight == "note"][:_NOTES]]
    for fact in shown:
        lines += ["", *_fact(fact)]
    left = len(report.facts) - len(shown) + report.more
    if left:
        lines += ["", f"{count(left, 'finding')} more; --json has all that were kept."]
    return "\n".join(lines) + "\n"


def _fact(fact: LogFact) -> Iterator[str]:
    times = f", {fact.times} times" if fact.times > 1 else ""
    yield f"line {fact.line}{times}: {fact.kind}"
    yield from wrapped(f"| {fact.said}", "  ", "  |   ")
    yield from wrapped(fact.cause, "  ")
    if fact.source_line is not None:
        source = fact.source_line
        where = f"{source.file}:{source.number}: " if source.file else ""
        yield from wrapped(f"source: {where}{source.text}", "  ", "    ")
    place = fact.place
    if place is not None:
        doubt = "" if place.sure else " (other programs of the object fit as well)"
        yield from wrapped(f"place: {plain(place.words)}{doubt}", "  ", "    ")
    if place is not None and place.fixes:
        yield from fix_lines(place.fixes, "  ")
    elif fact.fix:
        yield from wrapped(f"do: {plain(fact.fix)}", "  ", "    ")
    if fact.needs:
        yield from wrapped(f"to know more: {plain(fact.needs)}", "  ", "    ")
