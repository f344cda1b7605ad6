"""ELF relocations of an object: maps, globals, externs and calls.

These are the linker's relocations (SHT_REL), not the CO-RE records of .BTF.ext.

    Elf64_Rel    r_offset u64, r_info u64 (symbol << 32 | type)
    Elf64_Rela   the same and r_addend s64

Source of the type numbers: LLVM llvm/include/llvm/BinaryFormat/ELFRelocs/BPF.def.
"""

from __future__ import annotations

import struct
from typing import NamedTuple

from engine import limits
from engine.btf.kinds import ByteOrder
from engine.errors import ElfError, LimitExceeded

R_BPF_NONE = 0
R_BPF_64_64 = 1
"""ld_imm64 of a symbol's address: a map, a global's section or an extern."""
R_BPF_64_ABS64 = 2
R_BPF_64_ABS32 = 3
R_BPF_64_NODYLD32 = 4
"""32 bits in .BTF and .BTF.ext."""
R_BPF_64_32 = 10
"""The imm of a call."""

RELOCATION_WORDS = {
    R_BPF_NONE: "R_BPF_NONE",
    R_BPF_64_64: "R_BPF_64_64",
    R_BPF_64_ABS64: "R_BPF_64_ABS64",
    R_BPF_64_ABS32: "R_BPF_64_ABS32",
    R_BPF_64_NODYLD32: "R_BPF_64_NODYLD32",
    R_BPF_64_32: "R_BPF_64_32",
}

_ENTRY = {
    ("little", False): struct.Struct("<QQ"),
    ("big", False): struct.Struct(">QQ"),
    ("little", True): struct.Struct("<QQq"),
    ("big", True): struct.Struct(">QQq"),
}


class ElfReloc(NamedTuple):
    """One relocation: `offset` in bytes in the section it applies to, `symbol` an index.

    `addend` is 0 for SHT_REL, whose addend stands in the bytes that are relocated.
    """

    offset: int
    symbol: int
    type: int
    addend: int

    @property
    def word(self) -> str:
        """The type's name, `R_BPF_64_64`, or its number where LLVM has no name for it."""
        return RELOCATION_WORDS.get(self.type) or f"R_BPF_{self.type}"


def relocation_bytes(*, has_addends: bool) -> int:
    """Give the bytes of one entry of SHT_RELA (with addends) or SHT_REL."""
    return 24 if has_addends else 16


def parse_relocations(
    table: bytes,
    byte_order: ByteOrder,
    *,
    has_addends: bool,
    symbols: int,
    target_size: int,
    place: str,
) -> tuple[ElfReloc, ...]:
    """Unpack a relocation table of SHT_REL (16 bytes an entry) or SHT_RELA (24).

    `symbols` is the number of symbols, `target_size` the bytes of the section they apply to.
    Raises ElfError for a torn table, a symbol that does not exist or an offset outside the
    target, LimitExceeded for too many entries. Types are not checked.
    """
    entry = _ENTRY[byte_order, has_addends]
    if len(table) % entry.size:
        raise ElfError(
            f"the relocation table is {len(table)} bytes long, no multiple of {entry.size}",
            place=place,
        )
    count = len(table) // entry.size
    if count > limits.ELF_RELOCATIONS:
        raise LimitExceeded(
            f"{count} relocations, at most {limits.ELF_RELOCATIONS} are read", place=place
        )
    relocations = []
    for number, (offset, info, *addend) in enumerate(entry.iter_unpack(table)):
        symbol = info >> 32
        if symbol >= symbols or offset >= target_size:
            what = (
                f"names symbol {symbol}, the object has {symbols}"
                if symbol >= symbols
                else f"applies to byte {offset:#x} of a section of {target_size} bytes"
            )
            raise ElfError(
                f"relocation {number} {what}", place=f"{place} byte {number * entry.size:#x}"
            )
        relocations.append(ElfReloc(offset, symbol, info & 0xFFFFFFFF, addend[0] if addend else 0))
    return tuple(relocations)
