"""Sentences with code in them, as data: who renders them marks the code and escapes the rest.

Names come from files that nobody vouches for, so they are pieces of their own, shortened and
free of control characters, and never become markup or terminal commands.
"""

from __future__ import annotations

from typing import Final, NamedTuple

_LONGEST: Final = 200
"""Characters of one piece of code; longer ones are cut in the middle."""


class Piece(NamedTuple):
    """A run of words, or of code."""

    text: str
    code: bool = False


Text = tuple[Piece, ...]
"""One sentence, or a few."""


def text(*parts: str | Piece | Text) -> Text:
    """Join words, code and whole sentences; neighbouring words melt into one piece."""
    joined: list[Piece] = []
    for part in parts:
        pieces: Text = (Piece(part),) if isinstance(part, str) else _pieces(part)
        for piece in pieces:
            if joined and not piece.code and not joined[-1].code:
                joined[-1] = Piece(joined[-1].text + piece.text)
            elif piece.text:
                joined.append(piece)
    return tuple(joined)


def _pieces(part: Piece | Text) -> Text:
    return (part,) if isinstance(part, Piece) else part


def code(name: str) -> Piece:
    """Mark a name or an instruction as code; what cannot be printed is shown as an escape."""
    return Piece(printable(name), code=True)


def printable(name: str, longest: int = _LONGEST) -> str:
    """Show control characters as escapes and cut what is very long in the middle."""
    if len(name) > longest:
        half = longest // 2
        name = f"{name[:half]}...{name[-half:]}"
    if name.isprintable():
        return name
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in name)


def listed(names: tuple[str, ...] | list[str], last: str = "or") -> Text:
    """Names as code in a list: `a`, `b` or `c`."""
    parts: list[str | Piece] = []
    for position, name in enumerate(names):
        if position:
            parts.append(f" {last} " if position == len(names) - 1 else ", ")
        parts.append(code(name))
    return text(*parts)


def plain(sentence: Text) -> str:
    """The sentence as text, code in backticks."""
    return "".join(f"`{piece.text}`" if piece.code else piece.text for piece in sentence)


def count(number: int, one: str, many: str = "") -> str:
    """A number with its noun: `1 byte`, `3 bytes`."""
    return f"{number:,} {one if number == 1 else many or one + 's'}"


def marked(sentence: str) -> Text:
    """Our own words with code in backticks; never for text that comes from outside."""
    parts = sentence.split("`")
    return text(*(code(part) if at % 2 else part for at, part in enumerate(parts)))
