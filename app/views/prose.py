"""Sentences with code in them: plain data that a template renders and a test reads as text."""

from __future__ import annotations

import re
from typing import NamedTuple


class Piece(NamedTuple):
    """A run of words, or of code."""

    text: str
    code: bool = False


Prose = tuple[Piece, ...]


def prose(*parts: str | Piece) -> Prose:
    """Join words and code to one sentence; neighbouring words melt into one piece."""
    joined: list[Piece] = []
    for part in parts:
        piece = Piece(part) if isinstance(part, str) else part
        if joined and not piece.code and not joined[-1].code:
            joined[-1] = Piece(joined[-1].text + piece.text)
        elif piece.text:
            joined.append(piece)
    return tuple(joined)


def code(text: str) -> Piece:
    """Mark a name or an instruction as code."""
    return Piece(text, code=True)


_NAME = re.compile(
    r"(?:(?:enum|struct|union) )?\b\w*_\w+(?:(?:\.|::)\w+)*|(?:enum|struct|union) \w+|\S{100,}"
)


def names_as_code(text: str) -> Prose:
    """Mark what looks like a C name in an engine's sentence: `enum e`, `task_struct`, `X_Y`."""
    pieces: list[str | Piece] = []
    end = 0
    for match in _NAME.finditer(text):
        pieces += [text[end : match.start()], code(match.group())]
        end = match.end()
    return prose(*pieces, text[end:])


def plain(sentence: Prose) -> str:
    """Give the sentence as text, code in backticks."""
    return "".join(f"`{piece.text}`" if piece.code else piece.text for piece in sentence)


def count(number: int, one: str, many: str = "") -> str:
    """Write a number with its noun: `1 relocation`, `3 relocations`."""
    return f"{number:,} {one if number == 1 else many or one + 's'}"


def size(number: int) -> str:
    """Write a number of bytes for people: `764 bytes`, `37 kB`."""
    if number < 1000:
        return count(number, "byte")
    if number < 1_000_000:
        return f"{number / 1000:.3g} kB"
    return f"{number / 1_000_000:.3g} MB"


def loader_name(identity: str) -> str:
    """Write `cilium@0.13.0` as people say it: `cilium 0.13.0`."""
    return identity.replace("@", " ", 1)


def anchor(identity: str) -> str:
    """Write `cilium@0.13.0` as the start of an element id: `cilium-0.13.0`."""
    return "".join(c if c.isalnum() or c in "-." else "-" for c in identity)
