"""A type as C, each member with the byte it starts at and its size, as pahole shows it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from engine.btf.c_decl import Declarations, Needs
from engine.btf.c_names import CNames
from engine.btf.cdump import type_as_c
from engine.btf.decode import Btf
from engine.btf.kinds import BtfType, Member, TypeId
from engine.btf.resolve import size_of, skip_modifiers
from engine.errors import BtfTypeError, LimitExceeded

_DEPTH: Final = 16
_WIDEST: Final = 64
"""Column at which comments stop moving to the right."""


def layout_as_c(btf: Btf, type_id: TypeId) -> str:
    """One type as C; what has no members is written as `engine.btf.cdump.type_as_c` does.

    Each line of a struct ends in `/* offset size */`, in bytes, with `:bit` for a bitfield that
    does not start at a byte. Raises BtfTypeError, LimitExceeded.
    """
    found = btf.type(type_id)
    if not found.is_composite:
        return type_as_c(btf, type_id)
    declarations = Declarations(btf, CNames(btf))
    rows = list(_rows(btf, declarations, found, 0, 1))
    width = min(max((_width(text) for text, _ in rows), default=0), _WIDEST)
    lines = [f"{found.kind.word} {found.name} {{".replace("  ", " ")]
    for text, comment in rows:
        gap = " " * max(0, width - _width(text))
        lines.append(f"{text}{gap} /* {comment} */" if comment else text)
    return "\n".join([*lines, f"}}; /* {found.size} bytes */"]) + "\n"


def _rows(
    btf: Btf, declarations: Declarations, holder: BtfType, base: int, depth: int
) -> Iterator[tuple[str, str]]:
    """Lines of a body and what their comments say."""
    if depth > _DEPTH:
        raise LimitExceeded("anonymous structs are nested too deep", place=f"type [{holder.id}]")
    indent = "\t" * depth
    for member in holder.members:
        offset = base + member.bit_offset
        inner = skip_modifiers(btf, member.type_id)
        if inner.is_composite and not inner.name:
            yield f"{indent}{inner.kind.word} {{", ""
            yield from _rows(btf, declarations, inner, offset, depth + 1)
            name = f" {member.name}" if member.name else ""
            yield f"{indent}}}{name};", _comment(offset, inner.size, 0)
            continue
        text = declarations.declare(member.type_id, member.name, Needs(), indent)
        bits = f": {member.bitfield_size}" if member.bitfield_size else ""
        yield f"{indent}{text}{bits};", _comment(offset, _size(btf, member), member.bitfield_size)


def _comment(bit_offset: int, size: int, bits: int) -> str:
    byte, bit = divmod(bit_offset, 8)
    place = f"{byte}:{bit}" if bits or bit else str(byte)
    return f"{place:>6} {size:>5}"


def _size(btf: Btf, member: Member) -> int:
    try:
        return size_of(btf, member.type_id)
    except BtfTypeError:
        return 0


def _width(text: str) -> int:
    """Columns of the last line, with tabs of 8."""
    return len(text.rpartition("\n")[2].expandtabs(8))
