"""Names that were found, as a list of links."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from app.services.typesearch import KINDS, Answer, Hit
from app.views.prose import count
from app.views.type_links import Name, cut, history_url, type_url
from engine.btf.decode import Btf
from engine.errors import EngineError

KIND_WORDS: Final = {
    "struct": "structs",
    "union": "unions",
    "enum": "enums",
    "typedef": "typedefs",
    "enumerator": "enumerators",
    "func": "functions",
    "var": "variables",
    "number": "numbers",
    "fwd": "forward declarations",
    "datasec": "sections",
}
"""What can be asked for, in the order of the menu."""


@dataclass(frozen=True, slots=True)
class Line:
    """One name: where it leads, what it is, and which kernels have it."""

    name: Name
    url: str
    kinds: str
    where: str


@dataclass(frozen=True, slots=True)
class Hits:
    """The answer to a search; `summary` is said to screen readers too."""

    query: str
    lines: tuple[Line, ...]
    summary: str
    near: tuple[tuple[str, str], ...] = ()


def kinds_of(hit: Hit) -> str:
    """Say what a name stands for: `struct`, `struct, function`."""
    if hit.group == 1:
        return "enumerator"
    words = {"func": "function", "var": "variable", "datasec": "section", "number": ""}
    found = [
        words.get(kind, kind)
        for kind, (group, mask) in KINDS.items()
        if group == hit.group and mask & hit.kinds
    ]
    return ", ".join(word or "number" for word in found)


def newest(hit: Hit, kernels: Sequence[str]) -> str:
    """Give the last kernel that has a name."""
    return kernels[hit.kernels.bit_length() - 1]


def where(mask: int, kernels: Sequence[str]) -> str:
    """Say which kernels have a name."""
    having = [kernel for bit, kernel in enumerate(kernels) if mask >> bit & 1]
    if len(having) == len(kernels):
        return "all kernels"
    if len(having) == 1:
        return f"only {having[0]}"
    if having == list(kernels[-len(having) :]):
        return f"from {having[0]} on"
    return f"{len(having)} of {len(kernels)} kernels"


def all_hits(answer: Answer, query: str, kernels: Sequence[str], btfs: dict[str, Btf]) -> Hits:
    """List names of all kernels; an enumerator leads to its enum in the newest kernel."""
    lines = []
    for hit in answer.hits:
        kernel = newest(hit, kernels)
        url = (
            _enumerator_url(btfs[kernel], kernel, hit) if hit.group == 1 else history_url(hit.name)
        )
        url = url or type_url(kernel, hit.name, hit.id)
        lines.append(Line(cut(hit.name), url, kinds_of(hit), where(hit.kernels, kernels)))
    return _hits(answer, query, lines, "/types?q=")


def kernel_hits(answer: Answer, query: str, kernel: str, btf: Btf) -> Hits:
    """List names of one kernel."""
    return _hits(answer, query, kernel_lines(answer.hits, kernel, btf), "?q=")


def kernel_lines(hits: Sequence[Hit], kernel: str, btf: Btf) -> list[Line]:
    """Give a line for each name of one kernel."""
    return [
        Line(
            cut(hit.name),
            _enumerator_url(btf, kernel, hit)
            if hit.group == 1
            else type_url(kernel, hit.name, hit.id),
            kinds_of(hit),
            "",
        )
        for hit in hits
    ]


def _enumerator_url(btf: Btf, kernel: str, hit: Hit) -> str:
    try:
        name = btf.name(hit.id)
    except EngineError:
        name = ""
    return type_url(kernel, name, hit.id, hit.name)


def _hits(answer: Answer, query: str, lines: Sequence[Line], base: str) -> Hits:
    if not query.strip():
        return Hits(query, (), "")
    if not lines:
        near = tuple((name, base + name) for name in answer.near)
        return Hits(query, (), "Nothing has such a name.", near)
    summary = f"the best {len(lines)}; there are more" if answer.more else count(len(lines), "name")
    return Hits(query, tuple(lines), summary)
