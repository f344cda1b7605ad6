"""Two kernels side by side: which types came, went, changed; and one type on both."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlencode

from app.services.types import TypeDiff
from app.services.typesearch import KINDS, Hit
from app.views.history_page import Compared, compared
from app.views.hits import KIND_WORDS, kinds_of
from app.views.type_links import Name, cut, diff_url, history_url, kernel_url, type_url
from app.views.type_page import Block
from engine.btf.names import AFTER, BEFORE, Names

PAGE: Final = 100
CHANGES: Final = {
    "changed": BEFORE | AFTER,
    "added": AFTER,
    "removed": BEFORE,
}


@dataclass(frozen=True, slots=True)
class Count:
    """How many names of a kind changed, came and went; each with an address."""

    kind: str
    words: str
    numbers: tuple[tuple[str, str, str], ...]


@dataclass(frozen=True, slots=True)
class DiffLine:
    """One name that differs; `compare` leads to the types side by side."""

    name: Name
    url: str
    compare: str
    kinds: str
    change: str


@dataclass(frozen=True, slots=True)
class Asked:
    """What the list shows."""

    query: str = ""
    kind: str = ""
    change: str = ""
    at: int = 0


@dataclass(frozen=True, slots=True)
class DiffPage:
    """The view model of /kernels/<a>/diff/<b>; without `counts` it is still being worked out."""

    before: str
    after: str
    before_url: str
    after_url: str
    swapped: str
    asked: Asked
    counts: tuple[Count, ...] = ()
    kinds: tuple[tuple[str, str, bool], ...] = ()
    lines: tuple[DiffLine, ...] = ()
    summary: str = ""
    pager: tuple[int | None, int | None] = (None, None)
    progress: str = ""

    @property
    def url(self) -> str:
        """The comparison without what the list is narrowed to."""
        return diff_url(self.before, self.after)

    @property
    def paged(self) -> str:
        """The address of the list, ready for `at=`."""
        asked = {"q": self.asked.query, "kind": self.asked.kind, "change": self.asked.change}
        query = urlencode({name: value for name, value in asked.items() if value})
        return f"{self.url}?{query}&" if query else f"{self.url}?"

    @property
    def here(self) -> str:
        """The address of what is shown."""
        return f"{self.paged}at={self.asked.at}"


@dataclass(frozen=True, slots=True)
class TypeDiffPage:
    """The view model of /kernels/<a>/diff/<b>/types/<name>."""

    before: str
    after: str
    before_url: str
    after_url: str
    all_url: str
    history: str
    name: Name
    diffs: tuple[Compared, ...]
    left: tuple[Block, ...]
    right: tuple[Block, ...]


def selected(names: Names, asked: Asked) -> list[tuple[int, int]]:
    """Give (group, row) of the names that differ and fit what was asked."""
    wanted = asked.query.lower().encode("utf-8", "backslashreplace").split()
    change = CHANGES.get(asked.change)
    only = KINDS.get(asked.kind)
    found = []
    for number, group in enumerate(names.groups):
        if only is not None and only[0] != number:
            continue
        mask = only[1] if only else ~0
        for row in range(len(group)):
            if not group.kinds[row] & mask or change not in (None, group.planes[0][row]):
                continue
            if wanted and not all(word in group.folded(row) for word in wanted):
                continue
            found.append((number, row))
    return found


def counts(names: Names, before: str, after: str) -> tuple[Count, ...]:
    """Count what changed by kind; a name may count for several kinds."""
    url = diff_url(before, after)
    found = []
    for kind, words in KIND_WORDS.items():
        number, mask = KINDS[kind]
        group = names.groups[number]
        tally = dict.fromkeys((BEFORE, AFTER, BEFORE | AFTER), 0)
        for kinds, bits in zip(group.kinds, group.planes[0], strict=True):
            if kinds & mask:
                tally[bits] += 1
        if any(tally.values()):
            numbers = tuple(
                (word, f"{tally[bits]:,}", f"{url}?kind={kind}&change={word}")
                for word, bits in CHANGES.items()
            )
            found.append(Count(kind, words, numbers))
    return tuple(found)


def diff_lines(hits: Sequence[Hit], before: str, after: str) -> tuple[DiffLine, ...]:
    """Give a line for each name."""
    words = {bits: word for word, bits in CHANGES.items()}
    lines = []
    for hit in hits:
        kernel = before if hit.kernels == BEFORE else after
        # the id is that of the last side that has it
        enumerator = hit.group == 1
        url = "" if enumerator else type_url(kernel, hit.name, hit.id)
        both = hit.kernels == BEFORE | AFTER and not enumerator
        compare = diff_url(before, after, hit.name) if both else ""
        lines.append(DiffLine(cut(hit.name), url, compare, kinds_of(hit), words[hit.kernels]))
    return tuple(lines)


def frame(before: str, after: str, asked: Asked) -> DiffPage:
    """Give the page before there is anything on it."""
    return DiffPage(
        before,
        after,
        kernel_url(before),
        kernel_url(after),
        diff_url(after, before),
        asked,
        kinds=tuple((kind, words, kind == asked.kind) for kind, words in KIND_WORDS.items()),
    )


def type_diff_page(
    before: str,
    after: str,
    name: str,
    diffs: Sequence[TypeDiff],
    sides: tuple[Sequence[Block], Sequence[Block]],
) -> TypeDiffPage:
    """Put the comparison of one type together."""
    return TypeDiffPage(
        before,
        after,
        kernel_url(before),
        kernel_url(after),
        diff_url(before, after),
        history_url(name),
        cut(name),
        tuple(compared(diff) for diff in diffs),
        tuple(sides[0]),
        tuple(sides[1]),
    )
