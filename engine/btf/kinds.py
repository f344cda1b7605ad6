"""The vocabulary of BTF: kinds, and one type as a value.

Source of the numbers: Linux include/uapi/linux/btf.h.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import Literal, NamedTuple, NewType

ByteOrder = Literal["little", "big"]

TypeId = NewType("TypeId", int)
VOID: TypeId = TypeId(0)


class BtfKind(IntEnum):
    """`BTF_KIND_*`; VOID is the implicit type of id 0."""

    VOID = 0
    INT = 1
    PTR = 2
    ARRAY = 3
    STRUCT = 4
    UNION = 5
    ENUM = 6
    FWD = 7
    TYPEDEF = 8
    VOLATILE = 9
    CONST = 10
    RESTRICT = 11
    FUNC = 12
    FUNC_PROTO = 13
    VAR = 14
    DATASEC = 15
    FLOAT = 16
    DECL_TAG = 17
    TYPE_TAG = 18
    ENUM64 = 19

    __hash__ = int.__hash__  # Enum hashes the name in Python, which shows in every set look-up

    @property
    def word(self) -> str:
        """The kind as libbpf and bpftool print it: `struct`, `func_proto`, `decl_tag`."""
        return _WORDS[self]


_WORDS = {kind: kind.name.lower() for kind in BtfKind}

KIND_OF = {int(kind): kind for kind in BtfKind}
"""Kinds by number; quicker than calling the enum."""

COMPOSITE_KINDS = frozenset({BtfKind.STRUCT, BtfKind.UNION})
ENUM_KINDS = frozenset({BtfKind.ENUM, BtfKind.ENUM64})
MODIFIER_KINDS = frozenset({BtfKind.CONST, BtfKind.VOLATILE, BtfKind.RESTRICT, BtfKind.TYPE_TAG})
SKIPPED_KINDS = MODIFIER_KINDS | {BtfKind.TYPEDEF}

INT_SIGNED = 1
INT_CHAR = 2
INT_BOOL = 4


class Member(NamedTuple):
    """A struct or union member; `bitfield_size` is 0 for a plain member. Offsets are in bits."""

    name: str
    type_id: TypeId
    bit_offset: int
    bitfield_size: int


class Enumerator(NamedTuple):
    """A named constant; `value` is signed or unsigned as the enum's kind_flag says."""

    name: str
    value: int


class Param(NamedTuple):
    """A parameter of a FUNC_PROTO; a trailing unnamed one of type 0 means `...`."""

    name: str
    type_id: TypeId


class SecVar(NamedTuple):
    """A variable's place in a DATASEC, in bytes."""

    type_id: TypeId
    offset: int
    size: int


@dataclass(frozen=True, slots=True)
class BtfType:
    """One BTF type, whatever its kind; fields that the kind does not have are zero or empty.

    size     INT STRUCT UNION ENUM ENUM64 FLOAT DATASEC: bytes
    type_id  PTR TYPEDEF modifiers VAR DECL_TAG: the type referred to; FUNC: its FUNC_PROTO;
             FUNC_PROTO: the return type; ARRAY: the element type
    """

    id: TypeId
    kind: BtfKind
    name: str
    kind_flag: bool = False
    vlen: int = 0
    size: int = 0
    type_id: TypeId = VOID
    members: tuple[Member, ...] = ()
    enumerators: tuple[Enumerator, ...] = ()
    params: tuple[Param, ...] = ()
    variables: tuple[SecVar, ...] = ()
    index_type_id: TypeId = VOID
    """ARRAY: the type of its index."""
    nelems: int = 0
    """ARRAY: number of elements; 0 for a flexible array."""
    int_encoding: int = 0
    int_offset: int = 0
    int_bits: int = 0
    linkage: int = 0
    """FUNC (held in vlen) and VAR: 0 static, 1 global, 2 extern."""
    component_idx: int = -1
    """DECL_TAG: member or parameter index, -1 for the type itself."""

    @property
    def is_composite(self) -> bool:
        """True for struct and union."""
        return self.kind in COMPOSITE_KINDS

    @property
    def is_enum(self) -> bool:
        """True for ENUM and ENUM64."""
        return self.kind in ENUM_KINDS
