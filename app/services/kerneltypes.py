"""The types of one name in one kernel, taken apart for a page; and who points at them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from app.errors import AppError
from app.services.types import kind_word
from app.services.typesearch import lookup, read_query, search
from engine.btf.backrefs import Backrefs
from engine.btf.decode import Btf
from engine.btf.kinds import SKIPPED_KINDS, BtfKind, BtfType, Enumerator
from engine.btf.names import Names
from engine.btf.resolve import size_of
from engine.errors import BtfTypeError, EngineError
from engine.explain.c_pieces import CPiece, Pieces, declared, named
from engine.explain.pointing import Pointer, pointers_at
from engine.explain.type_rows import Gaps, Row, gaps, type_rows

ENUMERATORS = 5_000
"""Enumerators of one type that are shown."""
_CHAIN = 32


@dataclass(frozen=True, slots=True)
class Opened:
    """One type: a struct has `rows`, an enum `enumerators`, anything else a `declaration`.

    chain  what a typedef leads to, one step each
    size   bytes, 0 for what has none
    """

    type: BtfType
    size: int
    rows: tuple[Row, ...] = ()
    gaps: Gaps | None = None
    enumerators: tuple[Enumerator, ...] = ()
    left_out: int = 0
    declaration: Pieces = ()
    chain: tuple[Pieces, ...] = ()

    @property
    def word(self) -> str:
        """Its kind in C's words."""
        return kind_word(self.type.kind)


def ids_to_show(btf: Btf, name: str) -> tuple[int, ...]:
    """Ids of all types of exactly this name, definitions first; tags are left out."""
    tags = (BtfKind.DECL_TAG, BtfKind.TYPE_TAG)
    ids = [type_id for type_id in btf.ids_named(name) if btf.kind(type_id) not in tags]
    later = (BtfKind.FWD, BtfKind.FUNC, BtfKind.VAR, BtfKind.DATASEC)
    return tuple(sorted(ids, key=lambda type_id: (btf.kind(type_id) in later, type_id)))


def opened(btf: Btf, type_id: int) -> Opened:
    """Take one type apart; raises EngineError for one that is damaged."""
    found = btf.type(type_id)
    size = _size(btf, type_id)
    if found.is_composite:
        rows = type_rows(btf, found)
        return Opened(found, size, rows, gaps(rows))
    if found.is_enum:
        left = max(0, len(found.enumerators) - ENUMERATORS)
        return Opened(found, size, enumerators=found.enumerators[:ENUMERATORS], left_out=left)
    return Opened(found, size, declaration=_declaration(btf, found), chain=_chain(btf, found))


def _declaration(btf: Btf, found: BtfType) -> Pieces:
    end = CPiece(";")
    if found.kind is BtfKind.TYPEDEF:
        return (
            CPiece("typedef", word=True),
            CPiece(" "),
            *declared(btf, found.type_id, found.name),
            end,
        )
    if found.kind in (BtfKind.FUNC, BtfKind.VAR):
        word = {0: "static", 2: "extern"}.get(found.linkage, "")
        start: Pieces = (CPiece(word, word=True), CPiece(" ")) if word else ()
        return (*start, *declared(btf, found.type_id, found.name), end)
    if found.kind in (BtfKind.INT, BtfKind.FLOAT, BtfKind.FWD):
        return (*named(found), end) if found.kind is BtfKind.FWD else (CPiece(found.name),)
    if found.kind is BtfKind.DATASEC:
        return (CPiece(f"/* section of {found.vlen} variables */"),)
    return (*declared(btf, found.id, ""), end)


def _chain(btf: Btf, found: BtfType) -> tuple[Pieces, ...]:
    """What stands behind a typedef, until a type that is none."""
    steps: list[Pieces] = []
    current = found
    while current.kind in SKIPPED_KINDS and len(steps) < _CHAIN:
        current = btf.type(current.type_id)
        if current.kind is BtfKind.TYPEDEF or current.kind not in SKIPPED_KINDS:
            steps.append(tuple(declared(btf, current.id, "")))
    return tuple(steps)


def _size(btf: Btf, type_id: int) -> int:
    try:
        return size_of(btf, type_id)
    except BtfTypeError:
        return 0


def pointing(btf: Btf, refs: Backrefs, ids: Iterable[int]) -> tuple[tuple[Pointer, ...], bool]:
    """Say who points at these types: structs, then functions, typedefs and variables, by name."""
    order = {BtfKind.STRUCT: 0, BtfKind.UNION: 0, BtfKind.FUNC: 1, BtfKind.TYPEDEF: 2}
    found, more = pointers_at(btf, refs, ids)
    return tuple(
        sorted(found, key=lambda p: (order.get(p.kind, 3), p.name.lstrip("_"), p.path))
    ), more


def no_type(names: Names, name: str, where: str) -> AppError:
    """Make the error for a name that nothing has; it tells names that are close."""
    answer = search(names, read_query(name), 3)
    near = answer.near or tuple(hit.name for hit in answer.hits)
    shown = name if len(name) <= 120 else f"{name[:120]}..."
    return AppError(
        f"There is no type {shown!r} {where}",
        code="type-unknown",
        status=404,
        place=where,
        hint=f"Near: {', '.join(near)}." if near else "Nothing is spelled like it.",
    )


def enum_of(names: Names, btf: Btf, enumerator: str) -> BtfType | None:
    """The enum that has this enumerator."""
    for hit in lookup(names, enumerator):
        if hit.group == 1:
            try:
                return btf.type(hit.id)
            except EngineError:
                return None
    return None
