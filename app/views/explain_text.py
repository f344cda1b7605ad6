"""Explanations for a terminal: `coreplay explain`."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Iterator

from app.services.explain import Explained, Explanation
from app.views.prose import count
from engine.explain.fixes import Fix
from engine.explain.words import Text, plain, printable

WIDTH = 100


def explanation_text(explanation: Explanation, kernel: str) -> str:
    """Give each relocation as a numbered story, with the C to write instead."""
    loader = explanation.result.loader
    lines = [f"{loader} on {kernel}: {count(len(explanation.rows), 'relocation')}"]
    if explanation.result.error is not None:
        lines += wrapped(f"refused: {explanation.result.error.text}", "  ")
    for row in explanation.rows:
        lines += ["", *_row(row)]
    return "\n".join(lines) + "\n"


def _row(row: Explained) -> Iterator[str]:
    relocation = row.relocation
    asked = f"{relocation.kind_word} of {printable(relocation.local)}"
    yield f"{printable(row.function.name)} #{relocation.number}, {asked}: {relocation.outcome}"
    for number, step in enumerate(row.story.steps, 1):
        yield from wrapped(step.text, f"  {number:2}. ", "      ")
    yield from fix_lines(row.fixes, "  ")


def fix_lines(fixes: Iterable[Fix], margin: str) -> Iterator[str]:
    """Give fixes with their C; the first in full, of the others the title."""
    for position, fix in enumerate(fixes):
        word = "Instead:" if not position else "Or:"
        yield from wrapped(f"{word} {fix.title}. {plain(fix.why)}", margin, margin + "  ")
        if fix.snippet is not None and not position:
            yield ""
            yield from (f"{margin}    {line}".rstrip() for line in _code(fix))
            yield ""


def _code(fix: Fix) -> list[str]:
    return fix.snippet.code.expandtabs(4).splitlines() if fix.snippet is not None else []


def wrapped(sentence: Text | str, first: str, rest: str | None = None) -> list[str]:
    """Break a sentence into lines of at most WIDTH columns."""
    words = sentence if isinstance(sentence, str) else plain(sentence)
    return textwrap.wrap(
        words,
        WIDTH,
        initial_indent=first,
        subsequent_indent=first if rest is None else rest,
        break_long_words=False,
        break_on_hyphens=False,
    )
