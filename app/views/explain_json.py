"""Explanations and read logs as JSON-ready data."""

from __future__ import annotations

from typing import Any

from app.services.explain import Explained, Explanation
from engine.btf.ext import LineInfo
from engine.explain.fixes import Fix
from engine.explain.log_facts import LogFact, LogPlace, LogReport
from engine.explain.story import Story
from engine.explain.words import plain


def explanation_json(explanation: Explanation, kernel: str) -> dict[str, Any]:
    """Give kernel, loader and every relocation with its story and its fixes."""
    error = explanation.result.error
    return {
        "kernel": kernel,
        "loader": explanation.result.loader,
        "error": None if error is None else {"code": error.code, "text": error.text},
        "relocations": [_row(row) for row in explanation.rows],
    }


def _row(row: Explained) -> dict[str, Any]:
    relocation = row.relocation
    return {
        "function": row.function.name,
        "number": relocation.number,
        "slot": relocation.slot,
        "kind": relocation.kind_word,
        "asked": relocation.local,
        "outcome": relocation.outcome,
        "line": line_json(relocation.line),
        "story": story_json(row.story),
        "fixes": [fix_json(fix) for fix in row.fixes],
    }


def story_json(story: Story) -> list[dict[str, str]]:
    """Give the sentences; code stands in backticks."""
    return [{"kind": step.kind, "text": step.plain} for step in story.steps]


def fix_json(fix: Fix) -> dict[str, Any]:
    """Give a fix; `code` goes into a program, `call` shows how, `program` compiles as it is."""
    snippet = fix.snippet
    return {
        "kind": fix.kind,
        "title": fix.title,
        "why": plain(fix.why),
        "code": None if snippet is None else snippet.code,
        "call": None if snippet is None else snippet.call,
        "program": None if snippet is None else snippet.program,
    }


def line_json(line: LineInfo | None) -> dict[str, Any] | None:
    """Give a source line."""
    if line is None:
        return None
    return {"file": line.file_name, "number": line.line_number, "text": line.line}


def report_json(report: LogReport) -> dict[str, Any]:
    """Give what a log says: the summary and every finding."""
    return {
        "summary": plain(report.summary),
        "sources": list(report.sources),
        "lines": report.lines,
        "cut": report.cut,
        "more": report.more,
        "facts": [_fact(fact) for fact in report.facts],
    }


def _fact(fact: LogFact) -> dict[str, Any]:
    source = fact.source_line
    return {
        "kind": fact.kind,
        "source": fact.source,
        "weight": fact.weight,
        "line": fact.line,
        "times": fact.times,
        "said": fact.said,
        "cause": plain(fact.cause),
        "fix": plain(fact.fix),
        "program": fact.program,
        "instruction": fact.insn,
        "relocation": fact.relocation,
        "relocation_kind": fact.kind_word,
        "asked": fact.asked,
        "source_line": None
        if source is None
        else {"file": source.file, "number": source.number, "text": source.text},
        "needs": plain(fact.needs),
        "place": None if fact.place is None else _place(fact.place),
    }


def _place(place: LogPlace) -> dict[str, Any]:
    row = place.relocation
    return {
        "program": place.program,
        "function": place.function,
        "slot": place.slot,
        "sure": place.sure,
        "line": line_json(place.line),
        "text": plain(place.words),
        "relocation": None
        if row is None
        else {"number": row.number, "kind": row.kind_word, "asked": row.local},
        "story": [] if place.story is None else story_json(place.story),
        "fixes": [fix_json(fix) for fix in place.fixes],
    }
