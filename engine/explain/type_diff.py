"""A type as a list of its parts, and what differs between that type on two kernels.

A kernel may have several types of one name; they are told apart by their order.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from engine import limits
from engine.btf.decode import Btf
from engine.btf.kinds import ENUM_KINDS, BtfKind, BtfType, TypeId
from engine.btf.resolve import size_of, skip_modifiers_and_typedefs
from engine.errors import BtfTypeError, EngineError, LimitExceeded
from engine.explain.fields import c_name, type_words

_SHOWN: Final = frozenset(
    {BtfKind.STRUCT, BtfKind.UNION, BtfKind.TYPEDEF, BtfKind.FWD, BtfKind.INT, BtfKind.FLOAT}
    | {BtfKind.FUNC, BtfKind.VAR}
    | ENUM_KINDS
)
_DEPTH: Final = 16


@dataclass(frozen=True, slots=True)
class Part:
    """A member or an enumerator.

    name    the path from the outer type, anonymous structs left out: `se.vruntime` is never one
    offset  in bits from the start of the type; the value of an enumerator
    bits    width in bits, 0 where the type has none; `bitfield` if it is one
    depth   how many anonymous structs and unions it lies in
    """

    name: str
    type: str
    offset: int
    bits: int
    bitfield: bool = False
    depth: int = 0


@dataclass(frozen=True, slots=True)
class Shape:
    """A type of one kernel; `parts` are in the order of their places in the BTF.

    text  for what has no parts: what a typedef, a function or a variable stands for
    """

    id: TypeId
    kind: BtfKind
    name: str
    size: int
    parts: tuple[Part, ...] = ()
    text: str = ""

    @property
    def words(self) -> str:
        """`struct task_struct`, `typedef u32`."""
        word = "enum" if self.kind is BtfKind.ENUM64 else self.kind.word
        return f"{word} {self.name}"


ChangeKind = Literal[
    "added", "removed", "moved", "resized", "retyped", "renumbered", "size", "kind", "text"
]


@dataclass(frozen=True, slots=True)
class PartChange:
    """One difference; `before` or `after` is None for a part that is new or gone.

    kind   `size`, `kind` and `text` speak of the type as a whole, `renumbered` of an enumerator
    """

    kind: ChangeKind
    name: str
    before: Part | None = None
    after: Part | None = None
    text: str = ""


def ids_of(btf: Btf, wanted: str) -> tuple[TypeId, ...]:
    """Ids of the types that C words mean: `task_struct`, `struct file`, `enum bpf_cmd`.

    Without a keyword a definition leaves out forward declarations and the functions of its name.
    """
    words = wanted.split()
    if not words:
        return ()
    ids = [type_id for type_id in btf.ids_named(words[-1]) if btf.kind(type_id) in _SHOWN]
    if len(words) > 1:
        return tuple(i for i in ids if btf.kind(i).word.removesuffix("64") == words[0])
    best = [i for i in ids if btf.kind(i) not in (BtfKind.FWD, BtfKind.FUNC, BtfKind.VAR)]
    return tuple(best or ids)


def shape_of(btf: Btf, type_id: TypeId) -> Shape:
    """A type with its parts; anonymous structs are opened. Raises BtfTypeError, LimitExceeded."""
    found = btf.type(type_id)
    size = _size(btf, type_id)
    if found.is_composite:
        return Shape(type_id, found.kind, found.name, size, tuple(_members(btf, found, 0, 0)))
    if found.is_enum:
        rows = tuple(Part(row.name, "", row.value, 8 * size) for row in found.enumerators)
        return Shape(type_id, found.kind, found.name, size, rows)
    return Shape(type_id, found.kind, found.name, size, (), _stands_for(btf, found))


def _stands_for(btf: Btf, found: BtfType) -> str:
    if found.kind in (BtfKind.TYPEDEF, BtfKind.VAR):
        return c_name(btf, found.type_id)
    if found.kind is BtfKind.FUNC:
        proto = btf.type(found.type_id)
        params = ", ".join(c_name(btf, param.type_id) for param in proto.params)
        return f"{c_name(btf, proto.type_id)} ({params or 'void'})"
    return type_words(btf, found)


def _members(btf: Btf, holder: BtfType, base: int, depth: int) -> Iterator[Part]:
    if depth > _DEPTH:
        raise LimitExceeded("anonymous structs are nested too deep", place=f"type [{holder.id}]")
    for number, member in enumerate(holder.members):
        if number >= limits.MEMBERS_VISITED:
            raise LimitExceeded("too many members", place=f"type [{holder.id}]")
        offset = base + member.bit_offset
        if not member.name:
            inner = skip_modifiers_and_typedefs(btf, member.type_id)
            if inner.is_composite:
                yield from _members(btf, inner, offset, depth + 1)
                continue
        bits = member.bitfield_size or 8 * _size(btf, member.type_id)
        words = c_name(btf, member.type_id)
        yield Part(member.name, words, offset, bits, bool(member.bitfield_size), depth)


def _size(btf: Btf, type_id: TypeId) -> int:
    try:
        return size_of(btf, type_id)
    except BtfTypeError:
        return 0


def diff_shapes(before: Shape, after: Shape) -> tuple[PartChange, ...]:
    """What differs, in the order of the newer type; what is gone stands last."""
    changes = list(_whole(before, after))
    old = {part.name: part for part in before.parts if part.name}
    for part in after.parts:
        if not part.name:
            continue
        earlier = old.pop(part.name, None)
        if earlier is None:
            changes.append(PartChange("added", part.name, None, part))
        else:
            changes += _part_changes(earlier, part, enum=after.kind in ENUM_KINDS)
    changes += [PartChange("removed", part.name, part, None) for part in old.values()]
    return tuple(changes)


def _whole(before: Shape, after: Shape) -> Iterator[PartChange]:
    if before.kind is not after.kind:
        text = f"{before.kind.word} became {after.kind.word}"
        yield PartChange("kind", after.name, text=text)
    if before.size != after.size:
        text = f"{before.size} bytes became {after.size}"
        yield PartChange("size", after.name, text=text)
    if before.text != after.text:
        yield PartChange("text", after.name, text=f"{before.text} became {after.text}")


def _part_changes(before: Part, after: Part, *, enum: bool) -> Iterator[PartChange]:
    if before.offset != after.offset:
        yield PartChange("renumbered" if enum else "moved", after.name, before, after)
    if not enum and (before.bits, before.bitfield) != (after.bits, after.bitfield):
        yield PartChange("resized", after.name, before, after)
    if before.type != after.type:
        yield PartChange("retyped", after.name, before, after)


def shapes(btf: Btf, wanted: str) -> tuple[Shape, ...]:
    """All types that C words mean; those that are damaged are left out."""
    found = []
    for type_id in ids_of(btf, wanted):
        try:
            found.append(shape_of(btf, type_id))
        except EngineError:
            continue
    return tuple(found)


def pairs(
    before: Sequence[Shape], after: Sequence[Shape]
) -> Iterator[tuple[Shape | None, Shape | None]]:
    """Types of one name side by side: of one kind, with the most parts in common; then the rest."""
    rest = list(after)
    for shape in before:
        best = max(rest, key=lambda other: _likeness(shape, other), default=None)
        if best is not None:
            rest.remove(best)
        yield shape, best
    for shape in rest:
        yield None, shape


def _likeness(one: Shape, other: Shape) -> tuple[bool, int]:
    names = {part.name for part in one.parts}
    return one.kind is other.kind, sum(part.name in names for part in other.parts)
