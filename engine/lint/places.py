"""What lies at the end of a path: width, sign and whether it is a bitfield."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from engine.btf.decode import Btf
from engine.btf.kinds import INT_SIGNED, BtfKind, BtfType
from engine.btf.resolve import size_of, skip_modifiers_and_typedefs
from engine.core.spec import AccessSpec
from engine.errors import EngineError
from engine.insn import opcodes as op
from engine.insn.codec import Insn

_SCALARS: Final = frozenset({BtfKind.INT, BtfKind.PTR, BtfKind.ENUM, BtfKind.ENUM64, BtfKind.FLOAT})
_MEMORY: Final = (op.LDX, op.ST, op.STX)


@dataclass(frozen=True, slots=True)
class Place:
    """A member or element; `bits` is 0 unless it is a bitfield, `size` counts bytes."""

    type: BtfType
    size: int
    bits: int

    @property
    def is_scalar(self) -> bool:
        """Whether it is one number or pointer, read as a whole."""
        return self.type.kind in _SCALARS

    @property
    def signed(self) -> bool | None:
        """None for what has no sign."""
        if self.type.kind is BtfKind.INT:
            return bool(self.type.int_encoding & INT_SIGNED)
        return self.type.kind_flag if self.type.is_enum else None


def place_of(spec: AccessSpec | None, btf: Btf) -> Place | None:
    """What a path of a field leads to; None where it leads to no member, or nowhere."""
    if spec is None or len(spec.accessors) < 2:
        return None
    last = spec.accessors[-1]
    try:
        if last.name is None:
            found = skip_modifiers_and_typedefs(btf, last.type_id)
            return Place(found, size_of(btf, found.id), 0)
        member = btf.type(last.type_id).members[last.position]
        found = skip_modifiers_and_typedefs(btf, member.type_id)
        return Place(found, size_of(btf, found.id), member.bitfield_size)
    except (EngineError, IndexError):
        return None


def accesses_memory(insn: Insn) -> bool:
    """Whether an instruction loads or stores through a pointer."""
    return insn.code & op.CLASS_MASK in _MEMORY


def access_bytes(insn: Insn) -> int:
    """How many bytes a load or store moves."""
    return op.SIZE_BYTES[insn.code & op.SIZE_MASK]


def amount(number: int) -> str:
    """`1 byte`, `4 bytes`."""
    return "1 byte" if number == 1 else f"{number} bytes"
