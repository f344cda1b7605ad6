"""A type as lines of C, each with its place, and the lines that a path goes through marked.

Anonymous structs stand in place; a named struct that the path goes through by value is opened,
too, so that the field at its end always has a line of its own:

    struct sock {
        struct sock_common {                      /* 0, 136 bytes */
            unsigned short skc_family;            /* 16, 2 bytes: what is accessed */
        } __sk_common;
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from engine import limits
from engine.btf.c_decl import Declarations, Needs, enum_values
from engine.btf.c_names import CNames
from engine.btf.cdump import type_as_c
from engine.btf.decode import Btf
from engine.btf.kinds import BtfType, Member, TypeId
from engine.btf.resolve import size_of, skip_modifiers, skip_modifiers_and_typedefs
from engine.errors import BtfTypeError, EngineError
from engine.explain.fields import Hop
from engine.explain.words import printable

LineMark = Literal["", "way", "end", "near"]

_DEPTH: Final = 24
_LONGEST: Final = 400


@dataclass(frozen=True, slots=True)
class TypeLine:
    """One line of C.

    offset  in bits from the start of the outer type; None for what has no place
    size    in bytes, 0 where there is none; bits: the width of a bitfield, else 0
    value   of an enumerator
    mark    `way` for a struct that the path goes through, `end` for what it leads to, `near`
            for a name that comes close to what was looked for
    """

    text: str
    depth: int = 0
    offset: int | None = None
    size: int = 0
    bits: int = 0
    value: int | None = None
    mark: LineMark = ""
    note: str = ""

    @property
    def place(self) -> str:
        """The byte it starts at: `16`, `16:3` for one that starts at a bit."""
        if self.offset is None:
            return ""
        byte, bit = divmod(self.offset, 8)
        return f"{byte}:{bit}" if bit or self.bits else str(byte)


@dataclass(frozen=True, slots=True)
class TypeLines:
    """A type; `more` counts the lines that were left out at its end, `name` may be anything."""

    id: TypeId
    name: str
    words: str
    size: int
    lines: tuple[TypeLine, ...]
    more: int = 0


def type_lines(
    btf: Btf,
    type_id: int,
    *,
    hops: Sequence[Hop] = (),
    enumerator: int | None = None,
    whole: bool = False,
    near: Collection[str] = (),
) -> TypeLines:
    """Write a type; typedefs of structs and enums are followed to what they name.

    hops        the path, as `engine.explain.fields.field_of` gives it
    enumerator  the position of the one that is meant
    whole       the type itself is what is meant
    Raises EngineError for a damaged type.
    """
    found = skip_modifiers_and_typedefs(btf, TypeId(type_id))
    if not (found.is_composite or found.is_enum):
        found = btf.type(type_id)
    if found.is_enum:
        lines = list(_enum(found, enumerator, near))
    elif found.is_composite:
        lines = list(_Body(btf, hops, near).lines(found))
    else:
        lines = [TypeLine(text) for text in _text(type_as_c(btf, found.id))]
    if whole and lines:
        first = lines[0]
        lines[0] = TypeLine(first.text, 0, first.offset, first.size, mark="end", note=first.note)
    word = found.kind.word.removesuffix("64") if found.is_enum else found.kind.word
    words = f"{word} {printable(found.name)}" if found.name else f"an anonymous {word}"
    kept, left = _bounded(lines)
    return TypeLines(found.id, found.name, words, _size(btf, found.id), kept, left)


def _bounded(lines: Sequence[TypeLine]) -> tuple[tuple[TypeLine, ...], int]:
    """Keep the lines with a mark and what stands before them, then as many as are allowed."""
    most = limits.TYPE_LINES
    if len(lines) <= most:
        return tuple(lines), 0
    marked = [line for line in lines[most:] if line.mark]
    return (*lines[:most], *marked), len(lines) - most - len(marked)


def _text(c: str) -> Iterator[str]:
    for line in c.rstrip("\n").split("\n"):
        yield printable(line.replace("\t", "    "), _LONGEST)


def _enum(found: BtfType, meant: int | None, near: Collection[str]) -> Iterator[TypeLine]:
    yield TypeLine(f"enum {printable(found.name)} {{".replace("  ", " "))
    for position, (row, _) in enumerate(enum_values(found)):
        mark: LineMark = "end" if position == meant else "near" if row.name in near else ""
        text = f"{printable(row.name)} = {row.value},"
        yield TypeLine(text, 1, value=row.value, mark=mark)
    yield TypeLine("};")


class _Body:
    """The lines of one struct or union and of what is opened in it."""

    def __init__(self, btf: Btf, hops: Sequence[Hop], near: Collection[str]) -> None:
        self.btf = btf
        self.near = near
        self.declarations = Declarations(btf, CNames(btf))
        self.base = 0
        if hops:  # a path through `array[2].member` starts behind the first two
            first = btf.type(hops[0].holder_id)
            if first.is_composite:
                inner = first.members[hops[0].position].bit_offset
                self.base = hops[0].bit_offset - inner
        self.way = {(h.holder_id, h.position, h.bit_offset): n for n, h in enumerate(hops)}
        self.hops = hops
        self.left = limits.MEMBERS_VISITED

    def lines(self, found: BtfType) -> Iterator[TypeLine]:
        """Head, members, end."""
        name = printable(found.name)
        head = f"{found.kind.word} {name} {{".replace("  ", " ")
        yield TypeLine(head, 0, None, found.size)
        yield from self._members(found, self.base, 1)
        yield TypeLine("};")

    def _members(self, holder: BtfType, base: int, depth: int) -> Iterator[TypeLine]:
        for position, member in enumerate(holder.members):
            self.left -= 1
            if self.left < 0 or depth > _DEPTH:
                return
            offset = base + member.bit_offset
            at = self.way.get((holder.id, position, offset))
            yield from self._member(member, offset, at, depth)

    def _member(
        self, member: Member, offset: int, at: int | None, depth: int
    ) -> Iterator[TypeLine]:
        place = offset - self.base
        name = printable(member.name)
        on_way = at is not None and at + 1 < len(self.hops)
        inner = self._inner(member, on_way=on_way and self._is_open(at))
        if inner is not None:
            mark: LineMark = "" if at is None else "way" if on_way else "end"
            head = f"{inner.kind.word} {printable(inner.name)} {{".replace("  ", " ")
            yield TypeLine(head, depth, place, inner.size, mark=mark)
            yield from self._members(inner, offset, depth + 1)
            yield TypeLine(f"}} {name};" if name else "};", depth)
            return
        mark, note = self._mark(member, at)
        text = self._declared(member)
        bits = member.bitfield_size
        tail = f" : {bits};" if bits else ";"
        *before, last = list(_text(text)) or [name]
        for line in before:
            yield TypeLine(line, depth)
        size = 0 if bits else _size(self.btf, member.type_id)
        yield TypeLine(last + tail, depth, place, size, bits, mark=mark, note=note)

    def _is_open(self, at: int | None) -> bool:
        """Whether the next step goes into this member's own members."""
        return at is not None and self.hops[at + 1].name is not None

    def _mark(self, member: Member, at: int | None) -> tuple[LineMark, str]:
        if at is None:
            return ("near" if member.name in self.near else ""), ""
        rest = self.hops[at + 1 :]
        if not rest:
            return "end", ""
        steps = "".join(f"[{h.position}]" if h.name is None else f".{h.name}" for h in rest)
        byte, bit = divmod(rest[-1].bit_offset - self.base, 8)
        return "end", f"{printable(steps)} at {byte}{f':{bit}' if bit else ''}"

    def _inner(self, member: Member, *, on_way: bool) -> BtfType | None:
        """The struct that is written in place of its name: one without a name, or on the way."""
        try:
            inner = skip_modifiers(self.btf, member.type_id)
            if on_way:
                inner = skip_modifiers_and_typedefs(self.btf, member.type_id)
        except EngineError:
            return None
        return inner if inner.is_composite and (on_way or not inner.name) else None

    def _declared(self, member: Member) -> str:
        try:
            return self.declarations.declare(member.type_id, member.name, Needs(), "")
        except EngineError:
            return f"/* damaged */ {member.name}"


def _size(btf: Btf, type_id: int) -> int:
    try:
        return size_of(btf, TypeId(type_id))
    except BtfTypeError:
        return 0
