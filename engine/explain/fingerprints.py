"""A number for each name of a kernel that changes when a type of that name does.

Two numbers differ exactly where `engine.explain.type_diff` finds a difference (but for one chance
in 2^64), so two kernels are compared without decoding a type of either.
"""

from __future__ import annotations

from array import array
from hashlib import blake2b
from typing import Final

from engine.btf.decode import Btf
from engine.btf.kinds import BtfKind, TypeId
from engine.btf.names import GROUPS, Names, written
from engine.errors import EngineError
from engine.explain.fields import c_name
from engine.explain.type_diff import Shape, shape_of

VERSION: Final = 1
_COMPARED: Final = frozenset(
    {BtfKind.STRUCT, BtfKind.UNION, BtfKind.ENUM, BtfKind.ENUM64, BtfKind.TYPEDEF}
    | {BtfKind.INT, BtfKind.FLOAT, BtfKind.FWD, BtfKind.VAR, BtfKind.FUNC}
)
_GROUP_OF: Final = {BtfKind.VAR: 2, BtfKind.FUNC: 3}


def fingerprints_of(btf: Btf, names: Names) -> bytes:
    """One u64 for each row of `names`, group after group; takes some seconds for a kernel.

    Enumerators have 0: they change with their enum. Types that are damaged count as their kind.
    """
    columns = [array("Q", bytes(8 * len(group))) for group in names.groups]
    rows = [dict[str, int]() for _ in GROUPS]
    for number in (0, 2, 3):
        group = names.groups[number]
        rows[number] = {group.name(row): row for row in range(len(group))}
    words: dict[int, str] = {}
    for type_id in range(1, len(btf)):
        kind = btf.kind(type_id)
        number = _GROUP_OF.get(kind, 0)
        if kind not in _COMPARED or not (name := btf.name(type_id)):
            continue
        row = rows[number].get(written(name))
        if row is not None:
            # types of one name add up, in whatever order they come
            columns[number][row] = (columns[number][row] + _number(btf, type_id, words)) % (1 << 64)
    return b"".join(column.tobytes() for column in columns)


def _number(btf: Btf, type_id: int, words: dict[int, str]) -> int:
    kind = btf.kind(type_id)
    try:
        if kind is BtfKind.FUNC:
            text = _prototype(btf, type_id, words)
        else:
            text = repr(_content(shape_of(btf, TypeId(type_id))))
    except EngineError:
        text = "damaged"
    digest = blake2b(f"{kind.word} {text}".encode("utf-8", "surrogatepass"), digest_size=8)
    return int.from_bytes(digest.digest(), "little")


def _content(shape: Shape) -> tuple[object, ...]:
    """What `diff_shapes` looks at; members in any order, as it pairs them by name."""
    parts = sorted((p.name, p.type, p.offset, p.bits, p.bitfield) for p in shape.parts if p.name)
    return (shape.size, shape.text, parts)


def _prototype(btf: Btf, type_id: int, words: dict[int, str]) -> str:
    proto = btf.type(btf.type(type_id).type_id)
    return "|".join(
        _words(btf, used, words)
        for used in (proto.type_id, *(param.type_id for param in proto.params))
    )


def _words(btf: Btf, type_id: int, words: dict[int, str]) -> str:
    """`c_name`, remembered: functions share their types."""
    found = words.get(type_id)
    if found is None:
        found = words[type_id] = c_name(btf, type_id)
    return found


def open_fingerprints(data: memoryview, names: Names) -> tuple[memoryview, ...]:
    """One column for each group of `names`."""
    columns = []
    at = 0
    for group in names.groups:
        columns.append(data[at : at + 8 * len(group)].cast("Q"))
        at += 8 * len(group)
    return tuple(columns)
