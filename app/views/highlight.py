"""Colours for a line of C: Pygments' tokens as a few classes of our own."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from pygments.lexers.c_cpp import CLexer

LONGEST: Final = 400
"""Characters of a line that are coloured; more are never shown."""


class Coloured(NamedTuple):
    """A run of source text; `kind` is empty for plain text."""

    kind: str
    text: str


@lru_cache(maxsize=1)
def _lexer() -> CLexer:
    from pygments.lexers.c_cpp import CLexer  # late: only results with source lines need it

    return CLexer(stripnl=False, ensurenl=False)  # type: ignore[no-untyped-call]  # its stub


@lru_cache(maxsize=4096)
def highlight(line: str) -> tuple[Coloured, ...]:
    """Split one line into coloured runs; joined, their texts are the line (cut to LONGEST)."""
    runs: list[Coloured] = []
    for token, text in _lexer().get_tokens(line[:LONGEST]):
        kind = _kind(str(token))
        if runs and runs[-1].kind == kind:
            runs[-1] = Coloured(kind, runs[-1].text + text)
        elif text:
            runs.append(Coloured(kind, text))
    return tuple(runs)


def _kind(token: str) -> str:
    for start, kind in (
        ("Token.Comment.Preproc", "c-pre"),
        ("Token.Comment", "c-com"),
        ("Token.Keyword", "c-key"),
        ("Token.Literal.String", "c-str"),
        ("Token.Literal.Number", "c-num"),
    ):
        if token.startswith(start):
            return kind
    return ""
