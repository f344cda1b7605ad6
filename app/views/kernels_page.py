"""The list of kernels, and one kernel: its facts, its types by kind, its modules."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from app.services.choices import Kernel
from app.views.hits import KIND_WORDS, Hits, Line
from app.views.prose import count, size
from app.views.type_links import diff_url, kernel_url

PAGE: Final = 200
"""Names of one kind, a page."""


@dataclass(frozen=True, slots=True)
class KernelLine:
    """One kernel of the list."""

    id: str
    url: str
    release: str
    arch: str
    order: str
    types: str
    size: str
    modules: str
    origin: str
    health: str
    sound: bool | None


@dataclass(frozen=True, slots=True)
class KernelsPage:
    """The view model of /kernels."""

    query: str
    kernels: tuple[KernelLine, ...]
    total: int
    problems: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of name with its number; `value` is what the address says."""

    value: str
    words: str
    number: str
    chosen: bool


@dataclass(frozen=True, slots=True)
class Listing:
    """A page of all names of a kind."""

    words: str
    lines: tuple[Line, ...]
    first: int
    last: int
    total: int
    before: int | None
    after: int | None


@dataclass(frozen=True, slots=True)
class Health:
    """What is wrong with a kernel; `problems` is None where nobody has looked yet."""

    kernel: str
    problems: tuple[str, ...] | None

    @property
    def url(self) -> str:
        """Where it is looked at."""
        return f"{kernel_url(self.kernel)}/health"


@dataclass(frozen=True, slots=True)
class KernelPage:
    """The view model of /kernels/<id>."""

    kernel: KernelLine
    source: str
    sha256: str
    health: Health
    kinds: tuple[Kind, ...]
    kind: str
    hits: Hits
    listing: Listing | None
    others: tuple[tuple[str, str], ...]
    modules: tuple[str, ...]


def kernel_line(kernel: Kernel, problems: Sequence[str] | None) -> KernelLine:
    """Present a kernel; `problems` is None where nobody has looked yet."""
    health = "not looked at yet" if problems is None else "sound"
    if problems:
        health = count(len(problems), "problem")
    return KernelLine(
        kernel.id,
        kernel_url(kernel.id),
        kernel.release,
        kernel.arch or "unknown",
        f"{kernel.byte_order}-endian",
        f"{kernel.types:,}" if kernel.types is not None else "unknown",
        size(kernel.raw_bytes),
        f"{kernel.modules:,}" if kernel.modules else "none",
        "came with coreplay" if kernel.origin == "committed" else "added",
        health,
        None if problems is None else not problems,
    )


def kernels_page(
    kernels: Sequence[Kernel],
    health: Mapping[str, Sequence[str]],
    query: str,
    problems: Sequence[str],
) -> KernelsPage:
    """List the kernels whose id, architecture or distribution has all the words of the query."""
    words = query.lower().split()
    lines = [
        kernel_line(kernel, health.get(kernel.id))
        for kernel in kernels
        if all(word in _searched(kernel) for word in words)
    ]
    return KernelsPage(query[:200], tuple(lines), len(kernels), tuple(problems))


def _searched(kernel: Kernel) -> str:
    parts = (kernel.id, kernel.release, kernel.arch, kernel.distribution, kernel.byte_order)
    return " ".join(part for part in parts if part).lower()


def kind_menu(numbers: Mapping[str, int], chosen: str) -> tuple[Kind, ...]:
    """Give the kinds that there are."""
    return tuple(
        Kind(kind, words, f"{numbers[kind]:,}", kind == chosen)
        for kind, words in KIND_WORDS.items()
        if numbers.get(kind)
    )


def listing(kind: str, lines: Sequence[Line], at: int, total: int) -> Listing:
    """Present a page of all names of a kind."""
    after = at + PAGE if at + PAGE < total else None
    before = max(0, at - PAGE) if at else None
    return Listing(KIND_WORDS[kind], tuple(lines), at + 1, at + len(lines), total, before, after)


def others(kernel: str, kernels: Sequence[Kernel]) -> tuple[tuple[str, str], ...]:
    """Give the kernels that this one can be compared with, and the address of each."""
    return tuple((other.id, diff_url(kernel, other.id)) for other in kernels if other.id != kernel)
