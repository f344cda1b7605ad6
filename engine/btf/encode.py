"""Writing BTF and .BTF.ext: the inverse of `engine.btf.decode` and `engine.btf.ext`.

A builder hands out ids in the order in which types are added, so a type may refer to one that
comes later by an id computed ahead (`next_id`). References are not checked: tests write broken
graphs on purpose.

Source: Linux Documentation/bpf/btf.rst.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Final

from engine.btf.decode import MAGIC, MIN_HEADER_BYTES, Btf
from engine.btf.encode_type import PREFIX, encode_type
from engine.btf.ext import CoreRelo, FuncInfo, LineInfo
from engine.btf.kinds import (
    INT_SIGNED,
    VOID,
    BtfKind,
    BtfType,
    ByteOrder,
    Enumerator,
    Member,
    Param,
    SecVar,
    TypeId,
)
from engine.errors import BtfEncodeError

_VERSION: Final = 1
_EXT_HEADER_BYTES: Final = 32


class BtfBuilder:
    """Collects types and strings, then writes them as one .BTF section of either byte order.

    With `base` the section is a split BTF: ids and string offsets continue the base's.
    """

    def __init__(self, *, base: Btf | None = None) -> None:
        self._first_id = len(base) if base else 1
        self._first_string = base.string_bytes if base else 0
        self._strings = bytearray() if base else bytearray(b"\0")
        self._offsets: dict[str, int] = {"": 0}
        self._types: list[BtfType] = []

    @property
    def next_id(self) -> TypeId:
        """The id that the next added type gets."""
        return TypeId(self._first_id + len(self._types))

    def add_string(self, text: str) -> int:
        """The offset of `text` in the string section; equal strings are stored once."""
        found = self._offsets.get(text)
        if found is None:
            if "\0" in text:
                raise BtfEncodeError("a string holds a NUL", place=f"string {text!r} of .BTF")
            found = self._offsets[text] = self._first_string + len(self._strings)
            self._strings += text.encode("utf-8", "surrogatepass") + b"\0"
        return found

    def add(self, new: BtfType) -> TypeId:
        """Add a type with exactly these fields; its `id` and `vlen` are assigned here."""
        type_id = self.next_id
        entries = (new.members, new.enumerators, new.params, new.variables)
        vlen = max(map(len, entries))
        self._types.append(replace(new, id=type_id, vlen=vlen))
        return type_id

    def add_int(
        self,
        name: str,
        size: int,
        encoding: int = INT_SIGNED,
        *,
        bits: int | None = None,
        offset: int = 0,
    ) -> TypeId:
        """An integer of `size` bytes; `bits` and `offset` (in bits) are those of old bitfields."""
        return self._add(
            BtfKind.INT,
            name,
            size=size,
            int_encoding=encoding,
            int_bits=size * 8 if bits is None else bits,
            int_offset=offset,
        )

    def add_float(self, name: str, size: int) -> TypeId:
        """A floating point type of `size` bytes."""
        return self._add(BtfKind.FLOAT, name, size=size)

    def add_ptr(self, type_id: int) -> TypeId:
        """A pointer."""
        return self._add(BtfKind.PTR, type_id=type_id)

    def add_array(self, element: int, index: int, nelems: int) -> TypeId:
        """An array; 0 elements make it flexible."""
        return self._add(BtfKind.ARRAY, type_id=element, index_type_id=TypeId(index), nelems=nelems)

    def add_struct(
        self,
        name: str,
        size: int,
        members: Iterable[Member] = (),
        *,
        kind_flag: bool | None = None,
    ) -> TypeId:
        """A struct; without `kind_flag` it is set when a member is a bitfield."""
        return self._add_composite(BtfKind.STRUCT, name, size, tuple(members), kind_flag)

    def add_union(
        self,
        name: str,
        size: int,
        members: Iterable[Member] = (),
        *,
        kind_flag: bool | None = None,
    ) -> TypeId:
        """A union; without `kind_flag` it is set when a member is a bitfield."""
        return self._add_composite(BtfKind.UNION, name, size, tuple(members), kind_flag)

    def add_enum(
        self,
        name: str,
        enumerators: Iterable[Enumerator] = (),
        *,
        size: int = 4,
        signed: bool | None = None,
    ) -> TypeId:
        """An enum of 32-bit values; without `signed` it is signed when a value is negative."""
        return self._add_enum(BtfKind.ENUM, name, tuple(enumerators), size, signed)

    def add_enum64(
        self,
        name: str,
        enumerators: Iterable[Enumerator] = (),
        *,
        size: int = 8,
        signed: bool | None = None,
    ) -> TypeId:
        """An enum of 64-bit values; without `signed` it is signed when a value is negative."""
        return self._add_enum(BtfKind.ENUM64, name, tuple(enumerators), size, signed)

    def add_fwd(self, name: str, *, union: bool = False) -> TypeId:
        """A forward declaration of a struct or union."""
        return self._add(BtfKind.FWD, name, kind_flag=union)

    def add_typedef(self, name: str, type_id: int) -> TypeId:
        """A typedef."""
        return self._add(BtfKind.TYPEDEF, name, type_id=type_id)

    def add_const(self, type_id: int) -> TypeId:
        """A const-qualified type."""
        return self._add(BtfKind.CONST, type_id=type_id)

    def add_volatile(self, type_id: int) -> TypeId:
        """A volatile-qualified type."""
        return self._add(BtfKind.VOLATILE, type_id=type_id)

    def add_restrict(self, type_id: int) -> TypeId:
        """A restrict-qualified pointer."""
        return self._add(BtfKind.RESTRICT, type_id=type_id)

    def add_type_tag(self, name: str, type_id: int) -> TypeId:
        """A type with a tag such as `user` or `rcu`."""
        return self._add(BtfKind.TYPE_TAG, name, type_id=type_id)

    def add_decl_tag(self, name: str, type_id: int, component_idx: int = -1) -> TypeId:
        """A tag of a declaration, or with an index of its member or parameter."""
        return self._add(BtfKind.DECL_TAG, name, type_id=type_id, component_idx=component_idx)

    def add_func(self, name: str, proto: int, linkage: int = 1) -> TypeId:
        """A function; linkage 0 static, 1 global, 2 extern."""
        return self._add(BtfKind.FUNC, name, type_id=proto, linkage=linkage)

    def add_func_proto(self, returns: int, params: Iterable[Param] = ()) -> TypeId:
        """A function's return type and parameters."""
        return self._add(BtfKind.FUNC_PROTO, type_id=returns, params=tuple(params))

    def add_var(self, name: str, type_id: int, linkage: int = 1) -> TypeId:
        """A variable; linkage 0 static, 1 global, 2 extern."""
        return self._add(BtfKind.VAR, name, type_id=type_id, linkage=linkage)

    def add_datasec(self, name: str, size: int, variables: Iterable[SecVar] = ()) -> TypeId:
        """An ELF section of `size` bytes with its variables."""
        return self._add(BtfKind.DATASEC, name, size=size, variables=tuple(variables))

    def encode(self, byte_order: ByteOrder) -> bytes:
        """The whole section.

        Raises BtfEncodeError, naming the type, when a value does not fit its field.
        """
        types = b"".join(encode_type(known, byte_order, self.add_string) for known in self._types)
        strings = bytes(self._strings)
        header = struct.pack(
            PREFIX[byte_order] + "HBBIIIII",
            MAGIC,
            _VERSION,
            0,
            MIN_HEADER_BYTES,
            0,
            len(types),
            len(types),
            len(strings),
        )
        return header + types + strings

    def _add(
        self, kind: BtfKind, name: str = "", *, type_id: int = VOID, **fields: object
    ) -> TypeId:
        new = BtfType(VOID, kind, name, type_id=TypeId(type_id), **fields)  # type: ignore[arg-type]
        return self.add(new)

    def _add_composite(
        self,
        kind: BtfKind,
        name: str,
        size: int,
        members: tuple[Member, ...],
        kind_flag: bool | None,
    ) -> TypeId:
        if kind_flag is None:
            kind_flag = any(member.bitfield_size for member in members)
        return self._add(kind, name, size=size, members=members, kind_flag=kind_flag)

    def _add_enum(
        self,
        kind: BtfKind,
        name: str,
        enumerators: tuple[Enumerator, ...],
        size: int,
        signed: bool | None,
    ) -> TypeId:
        if signed is None:
            signed = any(enumerator.value < 0 for enumerator in enumerators)
        return self._add(kind, name, size=size, enumerators=enumerators, kind_flag=signed)


def encode_ext(
    byte_order: ByteOrder,
    *,
    func_infos: Mapping[str, Sequence[FuncInfo]],
    line_infos: Mapping[str, Sequence[LineInfo]],
    core_relos: Mapping[str, Sequence[CoreRelo]],
    add_string: Callable[[str], int],
) -> bytes:
    """A whole .BTF.ext section; keys are ELF section names, sections without records are left out.

    Strings go through `add_string`, usually the method of the BtfBuilder whose `encode` is called
    afterwards. Raises BtfEncodeError when a value does not fit its field.
    """
    rows: tuple[tuple[int, dict[str, list[tuple[int, ...]]]], ...] = (
        (2, {name: [(r.insn_off, r.type_id) for r in found] for name, found in func_infos.items()}),
        (
            4,
            {
                name: [
                    (r.insn_off, add_string(r.file_name), add_string(r.line), _line_column(r))
                    for r in found
                ]
                for name, found in line_infos.items()
            },
        ),
        (
            4,
            {
                name: [(r.insn_off, r.type_id, add_string(r.access), r.kind) for r in found]
                for name, found in core_relos.items()
            },
        ),
    )
    parts = [_subsection(byte_order, words, found, add_string) for words, found in rows]
    header = struct.pack(PREFIX[byte_order] + "HBBI", MAGIC, _VERSION, 0, _EXT_HEADER_BYTES)
    offset = 0
    for part in parts:
        header += struct.pack(PREFIX[byte_order] + "II", offset, len(part))
        offset += len(part)
    return header + b"".join(parts)


def _line_column(record: LineInfo) -> int:
    if not 0 <= record.line_number < 1 << 22 or not 0 <= record.column < 1 << 10:
        raise BtfEncodeError(
            f"line {record.line_number}, column {record.column} do not fit 22 and 10 bits",
            place=f"line info at {record.insn_off:#x} of .BTF.ext",
        )
    return record.line_number << 10 | record.column


def _subsection(
    byte_order: ByteOrder,
    words_per_row: int,
    rows: Mapping[str, list[tuple[int, ...]]],
    add_string: Callable[[str], int],
) -> bytes:
    words = []
    for section, found in rows.items():
        if found:
            words += [add_string(section), len(found), *(word for row in found for word in row)]
    if not words:
        return b""
    for word in words:
        if not 0 <= word <= 0xFFFFFFFF:
            raise BtfEncodeError(f"{word} does not fit 32 bits", place="a record of .BTF.ext")
    return struct.pack(f"{PREFIX[byte_order]}{len(words) + 1}I", 4 * words_per_row, *words)
