"""Where clang puts the members of a struct, and what must be written so that it is where BTF says.

BTF has offsets but no alignment. For each struct the natural layout of a BPF target is computed
(SysV rules: a bitfield may not cross the boundary of its own type, unnamed bitfields do not raise
the alignment); gaps that it would not leave are filled with unnamed bitfields, and where it would
go too far the struct is packed. What no C struct can have becomes opaque bytes.

Offsets and widths are in bits, sizes and alignments in bytes.
Source: System V ABI AMD64 3.1.2; clang lib/AST/RecordLayoutBuilder.cpp for bit-fields.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from engine.btf.c_names import alias_of, standard_type
from engine.btf.decode import Btf
from engine.btf.kinds import SKIPPED_KINDS, BtfKind, BtfType, Member
from engine.btf.resolve import size_of
from engine.errors import BtfTypeError

POINTER_BYTES: Final = 8
"""Of every pointer on BPF."""
_PAD_BITS: Final = 64
_MOST_NESTED: Final = 48
"""Structs that hold each other by value; a kernel has about 20."""
_MOST_PADS: Final = 4096
"""Larger gaps (32 KiB) make the struct opaque: one row of 64 bits each would be unreadable."""


@dataclass(frozen=True, slots=True)
class Layout:
    """How a struct or union is written.

    rows     members in order, and as a number the width of an unnamed bitfield
    packed   needs __attribute__((packed))
    aligned  needs __attribute__((aligned(N))); 0 for none
    align    the alignment that clang then gives it
    opaque   its members cannot be placed; only its size can be kept
    """

    rows: tuple[Member | int, ...]
    packed: bool = False
    aligned: int = 0
    align: int = 1
    opaque: bool = False


class _Unplaceable(Exception):
    """The members do not fit into a struct laid out in this way."""


class CLayout:
    """Layouts and alignments of one BTF's types, remembered by id."""

    def __init__(self, btf: Btf) -> None:
        self._btf = btf
        self._layouts: dict[int, Layout] = {}
        self._aligns: dict[int, tuple[int, int]] = {}
        self._open: set[int] = set()
        self._loose = btf.pointer_size != POINTER_BYTES

    def of(self, known: BtfType) -> Layout:
        """The layout of a struct or union.

        Raises BtfTypeError when it contains itself. Where the BTF's pointers are not 8 bytes long
        no BPF layout can be the same, and members are written as they come.
        """
        found = self._layouts.get(known.id)
        if found is None:
            if known.id in self._open or len(self._open) > _MOST_NESTED:
                raise BtfTypeError(
                    f"[{known.id}] {known.kind.word} {known.name or '<anon>'} contains itself",
                    place=f"type [{known.id}] of .BTF",
                )
            self._open.add(known.id)
            try:
                found = self._layouts[known.id] = self._plan(known)
            finally:
                self._open.discard(known.id)
        return found

    def _plan(self, known: BtfType) -> Layout:
        try:
            shapes = [self._shape(member.type_id) for member in known.members]
        except _Unplaceable:
            return Layout((), opaque=True)
        if self._loose:
            return Layout(known.members, align=max((align for _, align in shapes), default=1))
        plan = _union if known.kind is BtfKind.UNION else _struct
        return plan(known, shapes) or Layout((), opaque=True)

    def _shape(self, type_id: int) -> tuple[int, int]:
        """Size in bits and alignment in bytes, as clang sees them."""
        found = self._aligns.get(type_id)
        if found is None:
            try:
                size = size_of(self._btf, type_id)
            except BtfTypeError:
                raise _Unplaceable from None
            found = self._aligns[type_id] = (size * 8, self._align(type_id))
        return found

    def _align(self, type_id: int) -> int:
        current = self._btf.type(type_id)
        while current.kind in SKIPPED_KINDS or current.kind is BtfKind.ARRAY:
            current = self._btf.type(current.type_id)
        if current.is_composite:
            return self.of(current).align
        if current.kind is BtfKind.PTR:
            return POINTER_BYTES
        if current.kind in (BtfKind.INT, BtfKind.FLOAT) and not standard_type(current):
            return max(current.size, 1) if alias_of(current) else 1
        return max(current.size, 1)


def _struct(known: BtfType, shapes: Sequence[tuple[int, int]]) -> Layout | None:
    for packed in (False, True):
        align = 1 if packed else max((align for _, align in shapes), default=1)
        try:
            rows, end = _place(known.members, shapes, packed=packed)
            if known.size % align or end > known.size * 8:
                continue
            if -end % (align * 8) + end < known.size * 8:
                rows += _pads(end, known.size * 8)
        except _Unplaceable:
            continue
        return Layout(tuple(rows), packed=packed, align=align)
    return None


def _place(
    members: Sequence[Member], shapes: Sequence[tuple[int, int]], *, packed: bool
) -> tuple[list[Member | int], int]:
    """The rows that bring each member to its offset, and the bit after the last one."""
    rows: list[Member | int] = []
    at = 0
    for member, (bits, align) in zip(members, shapes, strict=True):
        step = 8 if packed else align * 8
        offset, width = member.bit_offset, member.bitfield_size
        if width:
            crosses = not packed and offset % step + width > bits
            if width > bits or crosses:
                raise _Unplaceable
            natural = at
            if not packed and at % step + width > bits:
                natural += -at % step
        else:
            if offset % step:
                raise _Unplaceable
            natural = at + -at % step
        if offset < natural:
            raise _Unplaceable
        if offset > natural:
            rows += _pads(at, offset)
        rows.append(member)
        at = offset + (width or bits)
    return rows, at


def _pads(start: int, end: int) -> list[int]:
    """Widths of unnamed bitfields from `start` to `end`, none across a 64-bit boundary."""
    if end - start > _PAD_BITS * _MOST_PADS:
        raise _Unplaceable
    widths = []
    while start < end:
        width = min(end - start, _PAD_BITS - start % _PAD_BITS)
        widths.append(width)
        start += width
    return widths


def _union(known: BtfType, shapes: Sequence[tuple[int, int]]) -> Layout | None:
    if any(member.bit_offset for member in known.members):
        return None
    if any(m.bitfield_size > bits for m, (bits, _) in zip(known.members, shapes, strict=True)):
        return None
    widths = (m.bitfield_size or bits for m, (bits, _) in zip(known.members, shapes, strict=True))
    need = (max(widths, default=0) + 7) // 8
    align = max((align for _, align in shapes), default=1)
    if need + -need % align == known.size:
        return Layout(known.members, align=align)
    if need == known.size:
        return Layout(known.members, packed=True)
    while align < known.size:
        align *= 2
        if need + -need % align == known.size:
            return Layout(known.members, aligned=align, align=align)
    return None
