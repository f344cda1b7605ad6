"""Symbol and string tables of an ELF object, unpacked from their section bytes.

    Elf64_Sym   st_name u32, st_info u8, st_other u8, st_shndx u16, st_value u64, st_size u64

Source of the numbers: the System V gABI, chapter "Symbol Table".
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

from engine import limits
from engine.btf.kinds import ByteOrder
from engine.errors import ElfError, LimitExceeded

SYMBOL_BYTES = 24
SHN_UNDEF = 0
SHN_LORESERVE = 0xFF00
SHN_XINDEX = 0xFFFF

_SYMBOL = {"little": struct.Struct("<IBBHQQ"), "big": struct.Struct(">IBBHQQ")}
_BINDS = {0: "local", 1: "global", 2: "weak"}
_TYPES = {0: "notype", 1: "object", 2: "func", 3: "section", 4: "file", 5: "common", 6: "tls"}
_VISIBILITIES = ("default", "internal", "hidden", "protected")


@dataclass(frozen=True, slots=True)
class Symbol:
    """One symbol; `value` is a byte offset in its section, `size` is in bytes.

    `bind` is local, global or weak, `type` notype, object, func, section, file, common or tls,
    each the number in words for a value not named here (`bind-10`). `section` is a section's
    index, 0 for an undefined (extern) symbol and 0xff00 or more for a reserved one (absolute).
    """

    index: int
    name: str
    value: int
    size: int
    bind: str
    type: str
    section: int
    visibility: str

    @property
    def is_extern(self) -> bool:
        """True for what another object, or the kernel, is to define."""
        return self.section == SHN_UNDEF and self.type == "notype" and self.bind != "local"

    @property
    def is_defined(self) -> bool:
        """True when the symbol lies in one of the object's own sections."""
        return SHN_UNDEF < self.section < SHN_LORESERVE


class StringTable:
    """An SHT_STRTAB section; answers the NUL-terminated string at an offset.

    All strings read from one table together are bounded by `limits.OBJECT_BYTES`, so that many
    names which overlap in one long string cannot fill the memory.
    """

    def __init__(self, data: bytes, place: str) -> None:
        self._data = data
        self._place = place
        self._known: dict[int, str] = {}
        self._left = limits.OBJECT_BYTES

    def at(self, offset: int) -> str:
        """Give the string at `offset` bytes; bytes that are no UTF-8 become U+FFFD.

        Raises ElfError when it starts or ends outside the table, LimitExceeded when it is too long.
        """
        known = self._known.get(offset)
        if known is not None:
            return known
        if offset == 0 and not self._data:
            return ""
        place = f"{self._place} byte {offset:#x}"
        if offset >= len(self._data):
            raise ElfError("a name starts outside its string table", place=place)
        end = self._data.find(b"\0", offset, offset + limits.BTF_NAME_BYTES)
        if end < 0:
            if offset + limits.BTF_NAME_BYTES < len(self._data):
                raise LimitExceeded(
                    f"a name is longer than {limits.BTF_NAME_BYTES} bytes", place=place
                )
            raise ElfError("a name does not end inside its string table", place=place)
        self._left -= end - offset
        if self._left < 0:
            raise LimitExceeded(
                f"the names together are longer than {limits.OBJECT_BYTES} bytes", place=place
            )
        text = self._data[offset:end].decode("utf-8", "replace")
        self._known[offset] = text
        return text


def parse_symbols(
    table: bytes, strings: StringTable, byte_order: ByteOrder, *, sections: int, place: str
) -> tuple[Symbol, ...]:
    """Unpack a symbol table whose entries are 24 bytes each.

    `sections` is the number of sections of the object, `place` names the table in errors. The
    name of a section symbol is left as it stands in the table, mostly empty.

    Raises ElfError for a torn table, a bad name or a section that does not exist, LimitExceeded
    for too many symbols. Values and sizes are not checked against the section they point into.
    """
    if len(table) % SYMBOL_BYTES:
        raise ElfError(
            f"the symbol table is {len(table)} bytes long, no multiple of {SYMBOL_BYTES}",
            place=place,
        )
    count = len(table) // SYMBOL_BYTES
    if count > limits.ELF_SYMBOLS:
        raise LimitExceeded(f"{count} symbols, at most {limits.ELF_SYMBOLS} are read", place=place)
    symbols = []
    rows = _SYMBOL[byte_order].iter_unpack(table)
    for index, (name, info, other, section, value, size) in enumerate(rows):
        if sections <= section < SHN_LORESERVE or section == SHN_XINDEX:
            raise ElfError(
                f"symbol {index} lies in section {section}, the object has {sections}",
                place=f"{place} byte {index * SYMBOL_BYTES:#x}",
            )
        bind, kind = info >> 4, info & 15
        symbols.append(
            Symbol(
                index,
                strings.at(name),
                value,
                size,
                _BINDS.get(bind) or f"bind-{bind}",
                _TYPES.get(kind) or f"type-{kind}",
                section,
                _VISIBILITIES[other & 3],
            )
        )
    return tuple(symbols)
