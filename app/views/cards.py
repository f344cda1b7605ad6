"""Cards: what an operation, register, helper, relocation kind or loader is, in a few words.

The words are those of the documentation; a card is one section of it, with the way there.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final
from urllib.parse import quote

from app.views.prose import Prose, code, prose

_SECTION: Final = re.compile(r"^#{2,3} `([^`]+)`\n(.*?)(?=^#{2,3} |\Z)", re.MULTILINE | re.DOTALL)
_TICKED: Final = re.compile(r"`([^`]*)`")
_LINK: Final = re.compile(r"\[([^\]]*)\]\([^)]*\)")
_EMPHASIS: Final = re.compile(r"\*([^*]+)\*")


@dataclass(frozen=True, slots=True)
class Card:
    """A title, what kind of thing it is, a few paragraphs, and where to read on."""

    title: str
    kind: str
    texts: tuple[Prose, ...]
    url: str
    link: str


PLACES: Final = {
    "opcode": ("opcodes", "operation"),
    "register": ("registers", "register"),
    "relocation": ("relocations", "kind of relocation"),
}
"""Pages of the documentation that have a section per name, and what such a name is."""


def doc_card(kind: str, name: str, text: str) -> Card | None:
    """Make a card of the section `name` of a page whose Markdown is `text`; None without one."""
    place, what = PLACES[kind]
    section = next((body for title, body in _SECTION.findall(text) if title == name), None)
    if section is None:
        return None
    url = f"/docs/{place}#{quote(name)}"
    return Card(name, what, _paragraphs(section), url, "in the documentation")


def _paragraphs(markdown: str) -> tuple[Prose, ...]:
    """Give paragraphs as words and code; links and emphasis keep their words alone."""
    blocks = (" ".join(block.split()) for block in markdown.split("\n\n"))
    return tuple(_marked(_LINK.sub(r"\1", block)) for block in blocks if block)


def _marked(text: str) -> Prose:
    pieces = _TICKED.split(text)
    words = (
        code(piece) if at % 2 else _EMPHASIS.sub(r"\1", piece) for at, piece in enumerate(pieces)
    )
    return prose(*words)


def helper_card(name: str, number: int, kernels: Sequence[tuple[str, bool | None]]) -> Card:
    """Tell a helper by the list of each kernel that is looked at; None: the list is not there."""
    texts = [prose("Helper ", code(str(number)), " of ", code("enum bpf_func_id"), ".")]
    for kernel, has in kernels:
        if has is None:
            says = f"The BTF of {kernel} has no list of helpers."
        elif has:
            says = f"{kernel} has it."
        else:
            says = f"{kernel} does not have it: a program that calls it is refused there."
        texts.append(prose(says))
    return Card(name, "helper", tuple(texts), f"/docs/helpers/{quote(name)}", "its page")


def loader_card(name: str, title: str, notes: Sequence[str]) -> Card:
    """Tell what a loader version does differently."""
    return Card(
        title,
        "loader",
        tuple(prose(note) for note in notes) or (prose("As the version before it."),),
        f"/loaders#{quote(name)}",
        "all loaders",
    )
