"""A struct or union line by line, with offsets, sizes, holes and padding, as pahole shows it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Final, Literal

from engine.btf.decode import Btf
from engine.btf.kinds import SKIPPED_KINDS, BtfKind, BtfType, Member
from engine.btf.resolve import size_of
from engine.errors import BtfTypeError, EngineError
from engine.explain.c_pieces import CPiece, Pieces, declared

_DEPTH: Final = 16
ROWS: Final = 5_000
"""Lines of one type; what comes after them is left out and said so."""

RowKind = Literal["member", "open", "close", "hole", "padding", "more"]


@dataclass(frozen=True, slots=True)
class Row:
    """One line of a body.

    offset  in bits from the start of the outer type
    size    bytes, 0 where the type has none; of a hole or padding the bits are in `bits`
    bits    the width of a bitfield, else 0
    path    names from the outer type: `rcu.next`; anonymous structs are left out
    """

    kind: RowKind
    depth: int
    pieces: Pieces = ()
    offset: int = 0
    size: int = 0
    bits: int = 0
    path: str = ""


@dataclass(frozen=True, slots=True)
class Gaps:
    """What a type wastes: bits in holes and in padding at its end, members and holes counted."""

    members: int
    holes: int
    hole_bits: int
    padding_bits: int


def type_rows(btf: Btf, found: BtfType) -> tuple[Row, ...]:
    """The lines between the braces; anonymous structs are opened in place."""
    rows = tuple(islice(_body(btf, found, 0, 1, ""), ROWS + 1))
    return rows if len(rows) <= ROWS else (*rows[:ROWS], Row("more", 1))


def gaps(rows: tuple[Row, ...]) -> Gaps:
    """Add up what is lost."""
    holes = [row.bits for row in rows if row.kind == "hole"]
    padding = sum(row.bits for row in rows if row.kind == "padding")
    members = sum(row.kind == "member" for row in rows)
    return Gaps(members, len(holes), sum(holes), padding)


def _body(btf: Btf, holder: BtfType, base: int, depth: int, path: str) -> Iterator[Row]:
    end = base
    for member in holder.members:
        offset = base + member.bit_offset
        if holder.kind is BtfKind.STRUCT and offset > end:
            yield Row("hole", depth, offset=end, bits=offset - end)
        yield from _member(btf, member, offset, depth, path)
        end = max(end, offset + (member.bitfield_size or 8 * _size(btf, member.type_id)))
    last = base + 8 * holder.size
    if holder.kind is BtfKind.STRUCT and holder.members and last > end:
        yield Row("padding", depth, offset=end, bits=last - end)


def _member(btf: Btf, member: Member, offset: int, depth: int, path: str) -> Iterator[Row]:
    size = _size(btf, member.type_id)
    inside = ".".join(filter(None, (path, member.name)))
    inner, after = _opened(btf, member)
    if inner is not None and depth < _DEPTH:
        head = (CPiece(inner.kind.word, word=True), CPiece(" {"))
        yield Row("open", depth, head, offset, size)
        yield from _body(btf, inner, offset, depth + 1, inside)
        name = f" {member.name}" if member.name else ""
        shown = inside if member.name else ""
        yield Row("close", depth, (CPiece(f"}}{name}{after};"),), offset, size, path=shown)
        return
    try:
        pieces = declared(btf, member.type_id, member.name)
    except EngineError as error:
        pieces = (CPiece(f"{member.name} /* {error.message} */"),)
    bits = (CPiece(f": {member.bitfield_size}"),) if member.bitfield_size else ()
    yield Row(
        "member",
        depth,
        (*pieces, *bits, CPiece(";")),
        offset,
        size,
        member.bitfield_size,
        inside,
    )


def _opened(btf: Btf, member: Member) -> tuple[BtfType | None, str]:
    """The anonymous struct that a member is, and the dimensions of an array of such."""
    dimensions = ""
    try:
        current = btf.type(member.type_id)
        for _ in range(8):
            if current.kind is BtfKind.ARRAY:
                dimensions += f"[{current.nelems or ''}]"
            elif current.kind not in SKIPPED_KINDS or current.kind is BtfKind.TYPEDEF:
                break
            current = btf.type(current.type_id)
    except BtfTypeError:
        return None, ""
    if current.is_composite and not current.name:
        return current, dimensions
    return None, ""


def _size(btf: Btf, type_id: int) -> int:
    try:
        return size_of(btf, type_id)
    except BtfTypeError:
        return 0
