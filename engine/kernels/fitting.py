"""Whether a split BTF was written on the base it is given with."""

from __future__ import annotations

from typing import Final

from engine.btf.decode import Btf
from engine.btf.kinds import BtfKind

_REFERS: Final = frozenset(
    {BtfKind.PTR, BtfKind.TYPEDEF, BtfKind.CONST, BtfKind.VOLATILE, BtfKind.RESTRICT}
    | {BtfKind.FUNC, BtfKind.VAR, BtfKind.DECL_TAG, BtfKind.TYPE_TAG, BtfKind.FUNC_PROTO}
)
"""Kinds whose third word is a type id."""
_NAMED_ROWS: Final = {BtfKind.STRUCT: 3, BtfKind.UNION: 3, BtfKind.FUNC_PROTO: 2}
"""Words per entry of kinds whose entries are (name, type id, ...)."""


def misfit(btf: Btf) -> str:
    """Say what does not fit the base, or give an empty text.

    Every type id must exist and every name must start where a string starts: with another
    build's base they fall outside, or into the middle of a word. Takes about 1 µs a type.
    """
    words, offsets, own = btf.parts()
    names: set[int] = set()
    largest = 0
    for at in offsets:
        info = words[at + 1]
        kind, vlen = info >> 24 & 0x7F, info & 0xFFFFFF
        names.add(words[at])
        if kind in _REFERS:
            largest = max(largest, words[at + 2])
        if kind in _NAMED_ROWS:
            step = _NAMED_ROWS[BtfKind(kind)]
            end = at + 3 + vlen * step
            names.update(words[at + 3 : end : step])
            largest = max(largest, max(words[at + 4 : end : step], default=0))
        elif kind == BtfKind.ARRAY:
            largest = max(largest, words[at + 3], words[at + 4])
        elif kind == BtfKind.DATASEC:
            largest = max(largest, max(words[at + 3 : at + 3 + vlen * 3 : 3], default=0))
    if largest >= len(btf):
        return f"it refers to type [{largest}], and the kernel has {len(btf) - len(offsets) - 1}"
    strings = b"" if btf.base is None else _strings(btf.base)
    for offset in names:
        text, place = (strings, offset) if offset < len(strings) else (own, offset - len(strings))
        if place > max(len(text) - 1, 0) or (place and text[place - 1]):
            return f"no string starts at byte {offset:#x}, where it has a name"
    return ""


def _strings(base: Btf) -> bytes:
    key = "kernels.strings"
    if key not in base.caches:
        base.caches[key] = base.parts()[2]
    found: bytes = base.caches[key]
    return found
