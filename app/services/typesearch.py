"""Search among a hundred thousand names while they are being typed.

A name is as good as the place where the words were found in it:

    exact      task_struct for `task_struct`, also for `task_struct___old`, a flavor of it
    beginning  task_struct_cachep
    word       __task_struct, put_task_struct
    inside     xtask_structs

Several words must all be in the name. Each look goes through a bounded number of names, so an
answer takes milliseconds whatever is asked.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import IntEnum
from heapq import nsmallest
from typing import Final

from engine.btf.kinds import BtfKind
from engine.btf.names import GROUPS, Group, Names

LONGEST: Final = 200
"""Characters of a query that count."""
_VISITED: Final = 1_000
"""Hits looked at in one group of names and one pass."""
_COMPARED: Final = 1_000
"""Names compared with a misspelt one."""
_FLAVOR: Final = re.compile(r"(?<=.)___.*\Z", re.DOTALL)
_ENUMS: Final = 1 << BtfKind.ENUM | 1 << BtfKind.ENUM64
KINDS: Final = {
    "struct": (0, 1 << BtfKind.STRUCT),
    "union": (0, 1 << BtfKind.UNION),
    "enum": (0, _ENUMS),
    "typedef": (0, 1 << BtfKind.TYPEDEF),
    "number": (0, 1 << BtfKind.INT | 1 << BtfKind.FLOAT),
    "fwd": (0, 1 << BtfKind.FWD),
    "enumerator": (1, _ENUMS),
    "func": (3, 1 << BtfKind.FUNC),
    "var": (2, 1 << BtfKind.VAR),
    "datasec": (2, 1 << BtfKind.DATASEC),
}
"""Words for what can be searched: the group, and which of its kinds."""
_C_WORDS: Final = ("struct", "union", "enum", "typedef")


class Rank(IntEnum):
    """How good a hit is; less is better."""

    EXACT = 0
    FOLDED = 1
    BEGINNING = 2
    WORD = 3
    INSIDE = 4


@dataclass(frozen=True, slots=True)
class Hit:
    """One name: its group, and what `engine.btf.names.Found` knows of it."""

    name: str
    group: int
    kinds: int
    id: int
    kernels: int
    rank: Rank = Rank.INSIDE


@dataclass(frozen=True, slots=True)
class Query:
    """What was asked: words in lower case, the first as it was written, and a kind or nothing."""

    words: tuple[bytes, ...]
    written: bytes
    kind: str = ""


@dataclass(frozen=True, slots=True)
class Answer:
    """The best hits; `near` names what was meant, perhaps, where there is none.

    more  whether there are others
    """

    hits: tuple[Hit, ...]
    more: bool = False
    near: tuple[str, ...] = ()


def read_query(text: str, kind: str = "") -> Query:
    """Take a query apart: `struct task_str` asks for structs; a flavor's suffix is cut off."""
    words = text[:LONGEST].split()
    if len(words) > 1 and words[0] in _C_WORDS:
        kind = kind or words[0]
        words = words[1:]
    cut = [_FLAVOR.sub("", word).encode("utf-8", "backslashreplace") for word in words]
    folded = tuple(word.lower() for word in cut)
    return Query(folded, cut[0] if cut else b"", kind if kind in KINDS else "")


def search(names: Names, query: Query, limit: int) -> Answer:
    """Give the best hits, best first; nothing for an empty query."""
    if not query.words:
        return Answer(())
    found: dict[tuple[int, int], Rank] = {}
    for pass_ in (_beginning, _word, _inside) if len(query.words) == 1 else (_several,):
        for number, group, allowed in _groups(names, query):
            for row, rank in pass_(group, query):
                if allowed & group.kinds[row] and (number, row) not in found:
                    found[number, row] = rank
        if len(found) > limit:
            break
    best = nsmallest(
        limit,
        found,
        key=lambda at: (found[at], at[0], names.groups[at[0]].width(at[1]), at[1]),
    )
    hits = tuple(hit_at(names, number, row, found[number, row]) for number, row in best)
    return Answer(hits, len(found) > limit, () if hits else _near(names, query))


def hit_at(names: Names, number: int, row: int, rank: Rank = Rank.INSIDE) -> Hit:
    """Give what is known of one row of one group."""
    group = names.groups[number]
    return Hit(group.name(row), number, group.kinds[row], group.ids[row], group.kernels(row), rank)


def listed(names: Names, kind: str, start: int, count: int) -> tuple[tuple[Hit, ...], int]:
    """Give a page of all names of a kind in their order, and how many there are."""
    number, allowed = KINDS[kind]
    group = names.groups[number]
    rows = [row for row, kinds in enumerate(group.kinds) if kinds & allowed]
    return tuple(hit_at(names, number, row) for row in rows[start : start + count]), len(rows)


def counted(names: Names) -> dict[str, int]:
    """Count the names of each kind; a name may count for several."""
    found = {}
    for kind, (number, allowed) in KINDS.items():
        kinds = names.groups[number].kinds
        found[kind] = sum(1 for mask in kinds if mask & allowed)
    return found


def lookup(names: Names, name: str) -> tuple[Hit, ...]:
    """Give the hits of exactly this name, one of each group that has it."""
    written = name.encode("utf-8", "backslashreplace")
    folded = written.lower()
    found = []
    for number, group in enumerate(names.groups):
        row = group.first(folded)
        while row < len(group) and group.folded(row) == folded:
            if group.name(row) == name:
                found.append(hit_at(names, number, row, Rank.EXACT))
            row += 1
    return tuple(found)


def _groups(names: Names, query: Query) -> Iterator[tuple[int, Group, int]]:
    """The groups to look into, with a mask of the kinds that count."""
    only = KINDS.get(query.kind)
    for number in range(len(GROUPS)):
        if only is None or only[0] == number:
            yield number, names.groups[number], only[1] if only else ~0


_Pass = Callable[[Group, Query], Iterator[tuple[int, Rank]]]


def _beginning(group: Group, query: Query) -> Iterator[tuple[int, Rank]]:
    word = query.words[0]
    first, last = group.first(word), group.first(word + b"\xff")
    for row in range(first, min(last, first + _VISITED)):
        exact = group.width(row) == len(word)
        same = exact and group.name(row).encode() == query.written
        yield row, Rank.EXACT if same else Rank.FOLDED if exact else Rank.BEGINNING


def _word(group: Group, query: Query) -> Iterator[tuple[int, Rank]]:
    return ((row, Rank.WORD) for row in _hits(group, b"_" + query.words[0]))


def _inside(group: Group, query: Query) -> Iterator[tuple[int, Rank]]:
    return ((row, Rank.INSIDE) for row in _hits(group, query.words[0]))


def _several(group: Group, query: Query) -> Iterator[tuple[int, Rank]]:
    """Names that hold all words, found by the longest of them, which is the rarest most often."""
    for row in _hits(group, max(query.words, key=len)):
        name = group.folded(row)
        at = [name.find(word) for word in query.words]
        if min(at) >= 0:
            ordered = at == sorted(at)
            yield row, Rank.BEGINNING if not at[0] else Rank.WORD if ordered else Rank.INSIDE


def _hits(group: Group, wanted: bytes) -> Iterator[int]:
    """Rows that hold `wanted` somewhere, in the order of the file."""
    position = 0
    for _ in range(_VISITED):
        position = group.lower.find(wanted, position)
        if position < 0:
            return
        row = group.row_at(position)
        position = group.starts[row + 1]
        yield row


def _near(names: Names, query: Query) -> tuple[str, ...]:
    """Names spelled alike, among those that begin with the same word."""
    from engine.explain.nearest import near_names  # late: only for a mistake

    wanted = query.words[0].decode("utf-8", "replace")
    parts = wanted.lstrip("_").split("_")
    for beginning in dict.fromkeys((parts[0], parts[0][:2])):
        if not beginning:
            continue
        alike = list(_starting(names, query, beginning.encode()))
        near = near_names(wanted, (name for name in alike if len(name) <= LONGEST))
        if near:
            return near
    return ()


def _starting(names: Names, query: Query, beginning: bytes) -> Iterator[str]:
    for _, group, allowed in _groups(names, query):
        first, last = group.first(beginning), group.first(beginning + b"\xff")
        for row in range(first, min(last, first + _COMPARED)):
            if group.kinds[row] & allowed:
                yield group.name(row)
