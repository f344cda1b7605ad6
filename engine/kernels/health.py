"""Whether a kernel's BTF is whole: every type decoded, every reference looked at."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from engine.btf.decode import Btf
from engine.btf.kinds import BtfKind, BtfType, ByteOrder
from engine.errors import EngineError

_LISTED: Final = 20
_EXPECTED: Final = ("task_struct", "file", "sk_buff")
"""Structs of every kernel a BPF program would be run on."""


@dataclass(frozen=True, slots=True)
class Health:
    """The outcome of a check; a snapshot without problems is fit for use."""

    types: int
    """Number of types, void not counted."""
    by_kind: tuple[tuple[BtfKind, int], ...]
    """How many types there are of each kind, the most frequent first."""
    byte_order: ByteOrder
    pointer_size: int
    """Bytes."""
    string_bytes: int
    problems: tuple[str, ...]
    """Sentences; beyond 20, the last one says how many more there are."""

    @property
    def healthy(self) -> bool:
        """Whether nothing was found wrong."""
        return not self.problems


def examine(raw: bytes) -> Health:
    """Decode every type of a raw .BTF section; raises only what `Btf.parse` raises."""
    btf = Btf.parse(raw)
    kinds = Counter(btf.kind(number) for number in range(1, len(btf)))
    problems: list[str] = []
    more = 0
    for problem in _problems(btf):
        if len(problems) < _LISTED:
            problems.append(problem)
        else:
            more += 1
    if more:
        problems.append(f"{more} more problems of these kinds")
    return Health(
        types=len(btf) - 1,
        by_kind=tuple(kinds.most_common()),
        byte_order=btf.byte_order,
        pointer_size=btf.pointer_size,
        string_bytes=btf.string_bytes,
        problems=tuple(problems),
    )


def _problems(btf: Btf) -> Iterator[str]:
    if len(btf) < 2:
        yield "the BTF has no types"
        return
    for name in _EXPECTED:
        if not any(btf.kind(found) is BtfKind.STRUCT for found in btf.ids_named(name)):
            yield f"there is no struct {name}: this may not be a kernel's own BTF"
    for number in range(1, len(btf)):
        try:
            found = btf.type(number)
        except EngineError as error:
            yield f"type [{number}]: {error}"
            continue
        if max(_references(found), default=0) >= len(btf):
            yield f"type [{number}] {found.kind.word} {found.name} refers to a missing type"


def _references(found: BtfType) -> Iterator[int]:
    yield found.type_id
    yield found.index_type_id
    yield from (member.type_id for member in found.members)
    yield from (parameter.type_id for parameter in found.params)
    yield from (variable.type_id for variable in found.variables)
