"""The search over all kernels."""

from __future__ import annotations

from dataclasses import dataclass

from app.views.hits import KIND_WORDS, Hits
from app.views.prose import count


@dataclass(frozen=True, slots=True)
class TypesPage:
    """The view model of /types."""

    hits: Hits
    kinds: tuple[tuple[str, str, bool], ...]
    about: str


def types_page(hits: Hits, kind: str, names: int, kernels: int) -> TypesPage:
    """Put the page together."""
    kinds = tuple((value, words, value == kind) for value, words in KIND_WORDS.items())
    return TypesPage(hits, kinds, f"{names:,} names of {count(kernels, 'kernel')}")
