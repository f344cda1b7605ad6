"""All names of a BTF at once, without decoding its types.

A kernel has 100,000 types; these loops run over its words and take a few hundredths of a second.
"""

from __future__ import annotations

import sys
from array import array
from collections.abc import Collection, Iterator
from itertools import compress
from typing import Final

from engine.btf.decode import Btf
from engine.btf.kinds import BtfKind, TypeId

_ENUM_ROW_WORDS: Final = {int(BtfKind.ENUM): 2, int(BtfKind.ENUM64): 3}
_C_KINDS: Final = frozenset(
    int(kind)
    for kind in {
        BtfKind.INT,
        BtfKind.FLOAT,
        BtfKind.STRUCT,
        BtfKind.UNION,
        BtfKind.ENUM,
        BtfKind.ENUM64,
    }
    | {BtfKind.FWD, BtfKind.TYPEDEF}
)
_WITHOUT_FLAG: Final = bytes(number & 0x7F for number in range(256))
"""Takes kind_flag off the byte that holds it and the kind."""
_CACHE_KEY: Final = __name__


class NameTable:
    """The names of a BTF, its base included, that C knows; ids are ascending, the base's first."""

    def __init__(self, btf: Btf) -> None:
        self._base = name_table(btf.base) if btf.base else None
        self._types, self._enumerators = _read(btf)

    def types(self, name: str) -> tuple[TypeId, ...]:
        """Tags, typedefs and numbers of this name."""
        own = self._types.get(name.encode(), ())
        return self._base.types(name) + own if self._base else own

    def type_names(self, beginning: str) -> Iterator[str]:
        """Names of types that begin so, underscores in front not counted; in no order."""
        wanted = beginning.encode("utf-8", "surrogatepass")
        if self._base:
            yield from self._base.type_names(beginning)
        yield from (name.decode() for name in self._types if name.lstrip(b"_").startswith(wanted))

    def enums_with(self, name: str) -> tuple[TypeId, ...]:
        """Enums that have an enumerator of this name."""
        own = self._enumerators.get(name.encode(), ())
        return self._base.enums_with(name) + own if self._base else own


def name_table(btf: Btf) -> NameTable:
    """The names of this BTF, read at the first call."""
    found = btf.caches.get(_CACHE_KEY)
    if not isinstance(found, NameTable):
        found = btf.caches[_CACHE_KEY] = NameTable(btf)
    return found


def ids_of_kinds(btf: Btf, kinds: Collection[int]) -> list[TypeId]:
    """Ids of all types of these kinds, the base's first, ascending."""
    found = ids_of_kinds(btf.base, kinds) if btf.base else []
    words, offsets, _ = btf.parts()
    found += [TypeId(type_id) for type_id, _, _ in _rows(btf.first_id, words, offsets, kinds)]
    return found


def _rows(
    first_id: int, words: array[int], offsets: array[int], kinds: Collection[int]
) -> Iterator[tuple[int, int, int]]:
    """(id, word offset, kind) of each type of these kinds.

    The kind is the top byte of a type's second word. All kinds are looked up, and then the types
    chosen, by loops inside of CPython.
    """
    top_bytes = memoryview(words).cast("B")[7 if sys.byteorder == "little" else 4 :: 4]
    found = bytes(map(top_bytes.__getitem__, offsets)).translate(_WITHOUT_FLAG)
    chosen = found.translate(bytes(number in kinds for number in range(256)))
    ids = range(first_id, first_id + len(offsets))
    return zip(*(compress(part, chosen) for part in (ids, offsets, found)), strict=True)


_Ids = dict[bytes, tuple[TypeId, ...]]


def _read(btf: Btf) -> tuple[_Ids, _Ids]:
    words, offsets, strings = btf.parts()
    types: dict[int, tuple[TypeId, ...]] = {}
    enumerators: dict[int, tuple[TypeId, ...]] = {}
    for type_id, at, kind in _rows(btf.first_id, words, offsets, _C_KINDS):
        own = (TypeId(type_id),)
        name = words[at]
        if name:
            types[name] = types[name] + own if name in types else own
        if kind in _ENUM_ROW_WORDS:
            row = _ENUM_ROW_WORDS[kind]
            for name in words[at + 3 : at + 3 + row * (words[at + 1] & 0xFFFFFF) : row]:
                enumerators[name] = enumerators[name] + own if name in enumerators else own
    return _named(btf, strings, types), _named(btf, strings, enumerators)


def _named(btf: Btf, strings: bytes, by_offset: dict[int, tuple[TypeId, ...]]) -> _Ids:
    table: _Ids = {}
    first = btf.first_string
    for offset, ids in by_offset.items():
        start = offset - first
        if start < 0:
            name = btf.string(offset).encode()
        else:
            name = strings[start : strings.find(b"\0", start)]
            if not name.isascii():
                name = btf.string(offset).encode()  # other bytes are shown as escapes
        table[name] = table[name] + ids if name in table else ids
    return table
