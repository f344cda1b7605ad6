"""The table of loaders: a family a section, a version a row."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Final

_REPOSITORIES: Final = {
    "libbpf": "https://github.com/libbpf/libbpf",
    "cilium": "https://github.com/cilium/ebpf",
    "aya": "https://github.com/aya-rs/aya",
}


@dataclass(frozen=True, slots=True)
class Row:
    """One version and where it differs; each note names its commit."""

    id: str
    notes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Family:
    """The versions of one loader, newest first; `url` is empty for the kernel."""

    name: str
    url: str
    rows: tuple[Row, ...]


@dataclass(frozen=True, slots=True)
class LoadersPage:
    """The view model of /loaders."""

    families: tuple[Family, ...]


def loaders_page(loaders: Iterable[tuple[str, str, Sequence[str]]]) -> LoadersPage:
    """Make the page from (id, family, notes), which come family by family."""
    families = []
    for family, group in groupby(loaders, key=lambda loader: loader[1]):
        rows = tuple(Row(name, tuple(notes)) for name, _, notes in group)
        families.append(Family(family, _REPOSITORIES.get(family, ""), rows))
    return LoadersPage(tuple(families))
