"""A type of one kernel: its C with offsets, holes and links, and who points at it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from app.services.kerneltypes import Opened
from app.views.hits import Line
from app.views.prose import count
from app.views.type_links import Name, anchor, cut, kernel_url, link_to, type_url
from engine.btf.c_decl import enum_values
from engine.btf.decode import Btf
from engine.btf.kinds import BtfKind
from engine.explain.c_pieces import Pieces
from engine.explain.pointing import Pointer
from engine.explain.type_rows import Row

PAGE: Final = 100
"""Places that point here, a page."""


@dataclass(frozen=True, slots=True)
class Piece:
    """A run of C; `url` leads to the type it names, `whole` is set where the text was cut."""

    text: str
    url: str = ""
    word: bool = False
    whole: str = ""


@dataclass(frozen=True, slots=True)
class CodeLine:
    """One line of the body; `byte`, `bit` and `size` are empty where they mean nothing."""

    kind: str
    depth: int
    pieces: tuple[Piece, ...]
    byte: str = ""
    bit: str = ""
    size: str = ""
    id: str = ""
    note: str = ""


@dataclass(frozen=True, slots=True)
class Enumerated:
    """One enumerator."""

    name: Name
    value: str
    hex: str
    id: str


@dataclass(frozen=True, slots=True)
class Block:
    """One type of the page; `facts` are sentences about it."""

    anchor: str
    word: str
    name: Name
    facts: tuple[str, ...]
    lines: tuple[CodeLine, ...] = ()
    enumerators: tuple[Enumerated, ...] = ()
    left_out: int = 0
    declaration: tuple[Piece, ...] = ()
    chain: tuple[tuple[Piece, ...], ...] = ()


@dataclass(frozen=True, slots=True)
class Place:
    """Something that points at the type."""

    name: Name
    url: str
    word: str
    path: str
    how: str


@dataclass(frozen=True, slots=True)
class Places:
    """A page of them; `total` is in words."""

    rows: tuple[Place, ...]
    total: str
    before: int | None
    after: int | None


@dataclass(frozen=True, slots=True)
class TypePage:
    """The view model of /kernels/<id>/types/<name>."""

    kernel: str
    kernel_url: str
    name: Name
    url: str
    blocks: tuple[Block, ...]
    places: Places
    others: tuple[Line, ...]
    history: str
    header: str


def block(btf: Btf, kernel: str, found: Opened, used: set[str]) -> Block:
    """Present one type; `used` are the element ids that are taken on the page."""
    known = found.type
    name = cut(known.name or "(anonymous)")
    return Block(
        unused(f"type-id-{known.id}", used),
        found.word,
        name,
        tuple(_facts(found)),
        tuple(_line(btf, kernel, row, used) for row in found.rows),
        tuple(_enumerators(found, used)),
        found.left_out,
        linked(btf, kernel, found.declaration),
        tuple(linked(btf, kernel, step) for step in found.chain),
    )


def _facts(found: Opened) -> Iterable[str]:
    known = found.type
    if found.size:
        yield count(found.size, "byte")
    if found.gaps is not None:
        yield count(found.gaps.members, "member")
        if found.gaps.holes:
            yield f"{count(found.gaps.holes, 'hole')}, {_bits(found.gaps.hole_bits)}"
        if found.gaps.padding_bits:
            yield f"padding of {_bits(found.gaps.padding_bits)}"
    if known.is_enum:
        yield count(len(known.enumerators), "enumerator")
        yield "signed" if known.kind_flag else "unsigned, or of a kernel that does not say"
    if known.kind is BtfKind.FWD:
        yield "only declared: its members are not in this BTF"
    if known.kind is BtfKind.INT:
        yield "signed" if known.int_encoding & 1 else "unsigned"
    yield f"type id {known.id}"


def _bits(bits: int) -> str:
    return count(bits // 8, "byte") if bits % 8 == 0 else count(bits, "bit")


def _line(btf: Btf, kernel: str, row: Row, used: set[str]) -> CodeLine:
    byte, bit = divmod(row.offset, 8)
    if row.kind in ("hole", "padding"):
        words = "hole of" if row.kind == "hole" else "padding,"
        where = f"{byte}", f"{bit}" if bit else ""
        return CodeLine(row.kind, row.depth, (), *where, note=f"{words} {_bits(row.bits)}")
    if row.kind == "more":
        return CodeLine(row.kind, row.depth, (), note="the rest is left out")
    size = f"{row.bits} b" if row.bits else f"{row.size}"
    if row.kind == "open":
        size = ""
    return CodeLine(
        row.kind,
        row.depth,
        linked(btf, kernel, row.pieces),
        f"{byte}" if row.kind != "close" else "",
        f"{bit}" if row.kind == "member" and (row.bits or bit) else "",
        size,
        unused(row.path, used) if row.path else "",
    )


def unused(path: str, used: set[str]) -> str:
    found = anchor(path)
    number = 2
    while found in used:
        found = f"{anchor(path)}-{number}"
        number += 1
    used.add(found)
    return found


def _enumerators(found: Opened, used: set[str]) -> Iterable[Enumerated]:
    if not found.enumerators:
        return
    for row, value in enum_values(found.type)[: len(found.enumerators)]:
        number = hex(row.value) if row.value >= 0 else f"-{hex(-row.value)}"
        yield Enumerated(cut(row.name), value, number, unused(row.name, used))


def linked(btf: Btf, kernel: str, pieces: Pieces) -> tuple[Piece, ...]:
    """Link the names of types in a run of C, and cut those that are too long."""
    return tuple(
        Piece(name.short, link_to(btf, kernel, piece.id), piece.word, name.whole)
        for piece in pieces
        for name in (cut(piece.text),)
    )


def places(kernel: str, found: Sequence[Pointer], more: bool, at: int) -> Places:
    """Present a page of what points here; `at` is the first of them."""
    at = at if 0 <= at < len(found) else 0
    words = {BtfKind.FUNC: "function", BtfKind.VAR: "variable"}
    rows = tuple(
        Place(
            cut(place.name),
            type_url(kernel, place.name, place.id, "" if place.kind in words else place.path),
            words.get(place.kind, place.kind.word),
            cut(place.path).short,
            place.how,
        )
        for place in found[at : at + PAGE]
    )
    total = count(len(found), "place")
    if more:
        total = f"{total} found; there are more, which were not followed"
    after = at + PAGE if at + PAGE < len(found) else None
    return Places(rows, total, max(0, at - PAGE) if at else None, after)


def type_page(
    btf: Btf,
    kernel: str,
    name: str,
    found: Sequence[Opened],
    shown: Places,
    others: Sequence[Line],
    history: str,
) -> TypePage:
    """Put the page together."""
    used: set[str] = set()
    blocks = tuple(block(btf, kernel, one, used) for one in found)
    first = found[0].type.id
    in_header = any(
        one.type.is_composite or one.type.is_enum or one.word == "typedef" for one in found
    )
    header = f"{kernel_url(kernel)}/vmlinux.h?ids={first}" if in_header and name else ""
    return TypePage(
        kernel,
        kernel_url(kernel),
        cut(name or "(anonymous)"),
        type_url(kernel, name, first),
        blocks,
        shown,
        tuple(others),
        history,
        header,
    )
