"""What follows the three common words of a BTF type, kind by kind.

Source: Linux include/uapi/linux/btf.h.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import repeat
from types import MappingProxyType

from engine.btf.kinds import (
    KIND_OF,
    BtfKind,
    BtfType,
    Enumerator,
    Member,
    Param,
    SecVar,
    TypeId,
)

_new_tuple = tuple.__new__
"""`Member._make` without a Python call for each member."""
_SIZED = frozenset(
    {BtfKind.INT, BtfKind.STRUCT, BtfKind.UNION, BtfKind.ENUM, BtfKind.ENUM64}
    | {BtfKind.FLOAT, BtfKind.DATASEC}
)
_TAILS: Mapping[int, tuple[int, int]] = MappingProxyType(
    {
        BtfKind.INT: (1, 0),
        BtfKind.PTR: (0, 0),
        BtfKind.ARRAY: (3, 0),
        BtfKind.STRUCT: (0, 3),
        BtfKind.UNION: (0, 3),
        BtfKind.ENUM: (0, 2),
        BtfKind.FWD: (0, 0),
        BtfKind.TYPEDEF: (0, 0),
        BtfKind.VOLATILE: (0, 0),
        BtfKind.CONST: (0, 0),
        BtfKind.RESTRICT: (0, 0),
        BtfKind.FUNC: (0, 0),
        BtfKind.FUNC_PROTO: (0, 2),
        BtfKind.VAR: (1, 0),
        BtfKind.DATASEC: (0, 3),
        BtfKind.FLOAT: (0, 0),
        BtfKind.DECL_TAG: (1, 0),
        BtfKind.TYPE_TAG: (0, 0),
        BtfKind.ENUM64: (0, 3),
    }
)


def tail_words() -> Mapping[int, tuple[int, int]]:
    """Per kind: (words that are always there, words per entry counted by vlen)."""
    return _TAILS


def decode_type(
    words: Sequence[int], at: int, type_id: TypeId, string: Callable[[int], str]
) -> BtfType:
    """Decode the type that starts at word `at`; `string` resolves name offsets."""
    info = words[at + 1]
    kind = KIND_OF[info >> 24 & 0x7F]
    vlen = info & 0xFFFFFF
    fields: dict[str, object] = {}
    tail = at + 3
    if kind is BtfKind.INT:
        bits = words[tail]
        fields = {
            "int_encoding": bits >> 24 & 15,
            "int_offset": bits >> 16 & 255,
            "int_bits": bits & 255,
        }
    elif kind is BtfKind.ARRAY:
        fields = {"index_type_id": words[tail + 1], "nelems": words[tail + 2]}
    elif kind in (BtfKind.STRUCT, BtfKind.UNION):
        fields = {"members": _members(words, tail, vlen, bool(info >> 31), string)}
    elif kind is BtfKind.ENUM:
        fields = {"enumerators": _enumerators(words, tail, vlen, bool(info >> 31), string)}
    elif kind is BtfKind.ENUM64:
        fields = {"enumerators": _enumerators64(words, tail, vlen, bool(info >> 31), string)}
    elif kind is BtfKind.FUNC_PROTO:
        rows = range(tail, tail + 2 * vlen, 2)
        fields = {
            "params": tuple(Param(string(words[row]), TypeId(words[row + 1])) for row in rows)
        }
    elif kind is BtfKind.DATASEC:
        rows = range(tail, tail + 3 * vlen, 3)
        fields = {
            "variables": tuple(
                SecVar(TypeId(words[row]), words[row + 1], words[row + 2]) for row in rows
            )
        }
    elif kind is BtfKind.FUNC:
        fields = {"linkage": vlen}
    elif kind is BtfKind.VAR:
        fields = {"linkage": words[tail]}
    elif kind is BtfKind.DECL_TAG:
        fields = {"component_idx": _signed(words[tail], 32)}
    sized = kind in _SIZED
    return BtfType(
        id=type_id,
        kind=kind,
        name=string(words[at]),
        kind_flag=bool(info >> 31),
        vlen=vlen,
        size=words[at + 2] if sized else 0,
        type_id=TypeId(words[tail] if kind is BtfKind.ARRAY else 0 if sized else words[at + 2]),
        **fields,  # type: ignore[arg-type]  # the dict holds only fields of BtfType
    )


def _members(
    words: Sequence[int], tail: int, vlen: int, kind_flag: bool, string: Callable[[int], str]
) -> tuple[Member, ...]:
    """With kind_flag an offset word is `bitfield size << 24 | bit offset`."""
    end = tail + 3 * vlen
    names = map(string, words[tail:end:3])
    types: Iterable[TypeId] = words[tail + 1 : end : 3]  # type: ignore[assignment]  # are ints
    offsets = words[tail + 2 : end : 3]
    if not kind_flag:
        return tuple(map(_new_tuple, repeat(Member), zip(names, types, offsets, repeat(0))))
    sizes = [offset >> 24 for offset in offsets]
    bits = [offset & 0xFFFFFF for offset in offsets]
    return tuple(map(_new_tuple, repeat(Member), zip(names, types, bits, sizes, strict=True)))


def _enumerators(
    words: Sequence[int], tail: int, vlen: int, signed: bool, string: Callable[[int], str]
) -> tuple[Enumerator, ...]:
    return tuple(
        Enumerator(string(words[row]), _signed(words[row + 1], 32) if signed else words[row + 1])
        for row in range(tail, tail + 2 * vlen, 2)
    )


def _enumerators64(
    words: Sequence[int], tail: int, vlen: int, signed: bool, string: Callable[[int], str]
) -> tuple[Enumerator, ...]:
    found = []
    for row in range(tail, tail + 3 * vlen, 3):
        value = words[row + 2] << 32 | words[row + 1]
        found.append(Enumerator(string(words[row]), _signed(value, 64) if signed else value))
    return tuple(found)


def _signed(value: int, bits: int) -> int:
    return value - (1 << bits) if value >> (bits - 1) else value
