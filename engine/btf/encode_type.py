"""One type as the words of a .BTF section: the inverse of `engine.btf.tails`.

Source: Linux include/uapi/linux/btf.h.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import Final

from engine.btf.kinds import BtfKind, BtfType, ByteOrder, Member
from engine.errors import BtfEncodeError

PREFIX: Final = {"little": "<", "big": ">"}
"""The byte order as the struct module spells it."""
_MOST_ENTRIES: Final = 0xFFFF
"""What vlen holds in every version of the format; newer ones have room for more."""
_SIZED: Final = frozenset(
    {BtfKind.INT, BtfKind.STRUCT, BtfKind.UNION, BtfKind.ENUM, BtfKind.ENUM64}
    | {BtfKind.FLOAT, BtfKind.DATASEC}
)


def encode_type(known: BtfType, byte_order: ByteOrder, add_string: Callable[[str], int]) -> bytes:
    """The words of one type; its names go through `add_string`.

    Raises BtfEncodeError when a value does not fit its field.
    """
    # FUNC keeps its linkage where other kinds count their entries.
    vlen = known.linkage if known.kind is BtfKind.FUNC else known.vlen
    if not 0 <= vlen <= _MOST_ENTRIES:
        raise _unfit(known, "vlen", vlen)
    info = known.kind_flag << 31 | known.kind << 24 | vlen
    refers = 0 if known.kind is BtfKind.ARRAY else known.type_id
    third = known.size if known.kind in _SIZED else refers
    words = [add_string(known.name), info, third, *_tail(known, add_string)]
    for word in words:
        if not 0 <= word <= 0xFFFFFFFF:
            raise _unfit(known, "a 32-bit field", word)
    return struct.pack(f"{PREFIX[byte_order]}{len(words)}I", *words)


def _tail(known: BtfType, add_string: Callable[[str], int]) -> list[int]:
    """The words after the three that all kinds have."""
    match known.kind:
        case BtfKind.INT:
            return [_int_word(known)]
        case BtfKind.ARRAY:
            return [known.type_id, known.index_type_id, known.nelems]
        case BtfKind.STRUCT | BtfKind.UNION:
            return [
                word
                for member in known.members
                for word in (add_string(member.name), member.type_id, _offset_word(known, member))
            ]
        case BtfKind.ENUM:
            return [
                word
                for enumerator in known.enumerators
                for word in (add_string(enumerator.name), _value(known, enumerator.value, 32))
            ]
        case BtfKind.ENUM64:
            words = []
            for enumerator in known.enumerators:
                value = _value(known, enumerator.value, 64)
                words += [add_string(enumerator.name), value & 0xFFFFFFFF, value >> 32]
            return words
        case BtfKind.FUNC_PROTO:
            return [w for param in known.params for w in (add_string(param.name), param.type_id)]
        case BtfKind.DATASEC:
            return [word for variable in known.variables for word in variable]
        case BtfKind.VAR:
            return [known.linkage]
        case BtfKind.DECL_TAG:
            if not -(1 << 31) <= known.component_idx < 1 << 31:
                raise _unfit(known, "component_idx", known.component_idx)
            return [known.component_idx & 0xFFFFFFFF]
    return []


def _int_word(known: BtfType) -> int:
    fields = (("encoding", known.int_encoding, 15), ("offset", known.int_offset, 255))
    for field, value, most in (*fields, ("bits", known.int_bits, 255)):
        if not 0 <= value <= most:
            raise _unfit(known, field, value)
    return known.int_encoding << 24 | known.int_offset << 16 | known.int_bits


def _offset_word(known: BtfType, member: Member) -> int:
    """With kind_flag `bitfield size << 24 | bit offset`, else the bit offset alone."""
    if not known.kind_flag:
        if member.bitfield_size:
            raise _unfit(known, f"member {member.name} without kind_flag", member.bitfield_size)
        return member.bit_offset
    if not 0 <= member.bit_offset < 1 << 24 or not 0 <= member.bitfield_size < 1 << 8:
        raise _unfit(known, f"member {member.name}", member.bit_offset)
    return member.bitfield_size << 24 | member.bit_offset


def _value(known: BtfType, value: int, bits: int) -> int:
    low, high = (-(1 << bits - 1), 1 << bits - 1) if known.kind_flag else (0, 1 << bits)
    if not low <= value < high:
        raise _unfit(known, f"a {bits}-bit enumerator", value)
    return value & (1 << bits) - 1


def _unfit(known: BtfType, field: str, value: int) -> BtfEncodeError:
    return BtfEncodeError(
        f"{value} does not fit {field}",
        place=f"type [{known.id}] {known.kind.word} {known.name or '<anon>'}",
    )
