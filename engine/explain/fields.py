"""What a path leads to: each step with its offset, and the field at its end."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from engine.btf.decode import Btf
from engine.btf.kinds import INT_SIGNED, BtfKind, BtfType
from engine.btf.resolve import size_of, skip_modifiers_and_typedefs
from engine.core.spec import AccessSpec
from engine.errors import EngineError

_NESTED_NAMES = 8


class Hop(NamedTuple):
    """One step of a path.

    name         the member, empty for an anonymous one; None for an array element
    position     its index in the holder, or the element's
    bit_offset   from the start of the root type
    holder, holder_id  the struct it stands in, in words; `an anonymous union`
    """

    name: str | None
    position: int
    bit_offset: int
    holder: str
    holder_id: int


@dataclass(frozen=True, slots=True)
class Field:
    """A member or element at the end of a path; `bits` is 0 unless it is a bitfield.

    words   its type as C names it, modifiers left out
    size    bytes of that type, 0 when it has none
    signed  None for what has no sign
    """

    hops: tuple[Hop, ...]
    bit_offset: int
    bits: int
    type: BtfType
    words: str
    size: int
    signed: bool | None

    @property
    def anonymous(self) -> int:
        """How many anonymous structs and unions the path goes through."""
        return sum(hop.name == "" for hop in self.hops)

    @property
    def place(self) -> str:
        """Where it lies: `byte 16`, `byte 16 bit 3`."""
        byte, bit = divmod(self.bit_offset, 8)
        return f"byte {byte} bit {bit}" if bit or self.bits else f"byte {byte}"


def field_of(spec: AccessSpec, btf: Btf) -> Field | None:
    """Walk the raw indices of a path; None where they lead nowhere."""
    try:
        return _walk(spec, btf)
    except (EngineError, IndexError):
        return None


def _walk(spec: AccessSpec, btf: Btf) -> Field | None:
    if not spec.raw:
        return None
    here = skip_modifiers_and_typedefs(btf, spec.root_id)
    bit_offset = spec.raw[0] * size_of(btf, here.id) * 8 if spec.raw[0] else 0
    hops: list[Hop] = []
    bits, type_id = 0, here.id
    for index in spec.raw[1:]:
        here = skip_modifiers_and_typedefs(btf, type_id)
        holder = type_words(btf, here)
        if here.is_composite:
            member = here.members[index]
            bit_offset += member.bit_offset
            bits, type_id = member.bitfield_size, member.type_id
            hops.append(Hop(member.name, index, bit_offset, holder, here.id))
        else:
            type_id = here.type_id
            bit_offset += index * size_of(btf, type_id) * 8
            bits = 0
            hops.append(Hop(None, index, bit_offset, holder, here.id))
    found = skip_modifiers_and_typedefs(btf, type_id)
    return Field(
        tuple(hops),
        bit_offset,
        bits,
        found,
        c_name(btf, type_id),
        _size(btf, type_id),
        sign_of(found),
    )


def sign_of(found: BtfType) -> bool | None:
    """Whether numbers of this type have a sign; None for what is no number."""
    if found.kind is BtfKind.INT:
        return bool(found.int_encoding & INT_SIGNED)
    return found.kind_flag if found.is_enum else None


def _size(btf: Btf, type_id: int) -> int:
    try:
        return size_of(btf, type_id)
    except EngineError:
        return 0


def type_words(btf: Btf, found: BtfType) -> str:
    """A type by kind and name: `struct task_struct`, `an anonymous union`, `int[4]`."""
    if found.kind is BtfKind.ARRAY:
        return c_name(btf, found.id)
    word = "enum" if found.kind is BtfKind.ENUM64 else found.kind.word
    if not found.name:
        return f"an anonymous {word}"
    if found.kind in (BtfKind.INT, BtfKind.FLOAT, BtfKind.TYPEDEF):
        return found.name
    return f"{word} {found.name}"


def c_name(btf: Btf, type_id: int, depth: int = _NESTED_NAMES) -> str:
    """A type as C names it, without const and its like: `unsigned int`, `struct file *`."""
    if not depth:
        return "..."
    found = btf.type(type_id)
    if found.kind is BtfKind.VOID:
        return "void"
    if found.kind is BtfKind.PTR:
        inner = c_name(btf, found.type_id, depth - 1)
        return f"{inner}*" if inner.endswith("*") else f"{inner} *"
    if found.kind is BtfKind.ARRAY:
        return f"{c_name(btf, found.type_id, depth - 1)}[{found.nelems or ''}]"
    if found.kind in (BtfKind.CONST, BtfKind.VOLATILE, BtfKind.RESTRICT, BtfKind.TYPE_TAG):
        return c_name(btf, found.type_id, depth - 1)
    if found.kind is BtfKind.FUNC_PROTO:
        return "function"
    return type_words(btf, found)
