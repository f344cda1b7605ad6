"""All names of a BTF at once, without decoding its types.

A kernel has 100,000 types; these loops run over its words and take a few hundredths of a second.
"""

from __future__ import annotations

from collections.abc import Container
from dataclasses import dataclass
from typing import Final

from engine.btf.decode import Btf
from engine.btf.kinds import BtfKind, TypeId

_ENUM_ROW_WORDS: Final = {int(BtfKind.ENUM): 2, int(BtfKind.ENUM64): 3}
_C_KINDS: Final = frozenset(
    {BtfKind.INT, BtfKind.FLOAT, BtfKind.STRUCT, BtfKind.UNION, BtfKind.ENUM, BtfKind.ENUM64}
    | {BtfKind.FWD, BtfKind.TYPEDEF}
)
_CACHE_KEY: Final = __name__


@dataclass(frozen=True, slots=True)
class NameTable:
    """Names that C knows; ids are ascending, the base's first."""

    types: dict[str, tuple[TypeId, ...]]
    """Tags, typedefs and numbers."""
    enumerators: dict[str, tuple[TypeId, ...]]
    """Enumerators, with the enums that hold them."""


def name_table(btf: Btf) -> NameTable:
    """The names of this BTF and its base, read at the first call."""
    found = btf.caches.get(_CACHE_KEY)
    if not isinstance(found, NameTable):
        found = btf.caches[_CACHE_KEY] = _read(btf)
    return found


def ids_of_kinds(btf: Btf, kinds: Container[int]) -> list[TypeId]:
    """Ids of all types of these kinds, the base's first, ascending."""
    found = ids_of_kinds(btf.base, kinds) if btf.base else []
    words, offsets, _ = btf.parts()
    found += [
        TypeId(type_id)
        for type_id, at in enumerate(offsets, btf.first_id)
        if words[at + 1] >> 24 & 0x7F in kinds
    ]
    return found


def _read(btf: Btf) -> NameTable:
    words, offsets, _ = btf.parts()
    types: dict[int, tuple[TypeId, ...]] = {}
    enumerators: dict[int, tuple[TypeId, ...]] = {}
    for type_id, at in enumerate(offsets, btf.first_id):
        info = words[at + 1]
        kind = info >> 24 & 0x7F
        if kind not in _C_KINDS:
            continue
        own = (TypeId(type_id),)
        name = words[at]
        if name:
            types[name] = types[name] + own if name in types else own
        row = _ENUM_ROW_WORDS.get(kind)
        if row:
            for name in words[at + 3 : at + 3 + row * (info & 0xFFFFFF) : row]:
                enumerators[name] = enumerators[name] + own if name in enumerators else own
    base = name_table(btf.base) if btf.base else NameTable({}, {})
    return NameTable(_named(btf, types, base.types), _named(btf, enumerators, base.enumerators))


def _named(
    btf: Btf, by_offset: dict[int, tuple[TypeId, ...]], base: dict[str, tuple[TypeId, ...]]
) -> dict[str, tuple[TypeId, ...]]:
    table = dict(base)
    for offset, ids in by_offset.items():
        name = btf.string(offset)
        table[name] = table[name] + ids if name in table else ids
    return table
