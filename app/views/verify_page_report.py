"""The reports that verifiers write since 7.3, section by section.

Verification failed: Register Type Safety: Invalid dereference
Reason: ...   At: ...   Causal path: ...   Suggestion: ...
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from textwrap import dedent
from typing import Final

from engine.explain.words import printable

_HEADLINE: Final = "Verification failed:"
_WORDS: Final = frozenset({"Reason", "Suggestion"})
"""Sections of sentences; the others show code."""
_LINES: Final = 200


@dataclass(frozen=True, slots=True)
class Section:
    """One section; `sentences` where it has words, `code` where its lines are to stay."""

    title: str
    sentences: str = ""
    code: str = ""


@dataclass(frozen=True, slots=True)
class Report:
    """A report; the headline is what failed."""

    headline: str
    sections: tuple[Section, ...]


def report_of(lines: Sequence[str]) -> Report | None:
    """Read a report; None where there is none."""
    if not lines or not lines[0].startswith(_HEADLINE):
        return None
    sections: list[tuple[str, list[str]]] = []
    for line in lines[1:_LINES]:
        if line.endswith(":") and not line.startswith((" ", "\t")):
            sections.append((line[:-1], []))
        elif sections:
            sections[-1][1].append(line)
    headline = printable(lines[0].removeprefix(_HEADLINE).strip(), 500)
    return Report(headline, tuple(_section(title, text) for title, text in sections))


def _section(title: str, lines: Sequence[str]) -> Section:
    name = printable(title, 80)
    if title in _WORDS:
        return Section(name, sentences=printable(" ".join(" ".join(lines).split()), 4000))
    text = dedent("\n".join(lines)).strip("\n")
    return Section(name, code="\n".join(printable(line, 1000) for line in text.split("\n")))
