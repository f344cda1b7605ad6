"""The section headers of an ELF object and the bytes they point to.

    Elf64_Shdr  sh_name u32, sh_type u32, sh_flags u64, sh_addr u64, sh_offset u64, sh_size u64,
                sh_link u32, sh_info u32, sh_addralign u64, sh_entsize u64

This is the only module that imports elftools, and no object of elftools leaves it: elftools
reads the file header and names what it holds. The table of section headers is unpacked here in
one go, since elftools takes longer for it than all the rest of reading an object takes; its
readers of whole sections are not used, for they follow links without bounds.
Source of the numbers: the System V gABI, chapters "ELF Header" and "Sections".
"""

from __future__ import annotations

import io
import struct
from dataclasses import dataclass, field
from functools import cache
from typing import Final, NamedTuple

from elftools.common.exceptions import ELFError as ForeignElfError
from elftools.common.utils import struct_parse
from elftools.elf.enums import ENUM_SH_TYPE_BASE
from elftools.elf.structs import ELFStructs

from engine import limits
from engine.btf.kinds import ByteOrder
from engine.elf.symbols import StringTable
from engine.errors import ElfError, LimitExceeded, NotBpfError

SHF_WRITE = 0x1
SHF_ALLOC = 0x2
SHF_EXECINSTR = 0x4
SHF_STRINGS = 0x20
SHF_COMPRESSED = 0x800

SHN_XINDEX = 0xFFFF
_HEADER_BYTES = 64
_SECTION_HEADER_BYTES = 64
_BYTE_ORDERS: Final[dict[int, ByteOrder]] = {1: "little", 2: "big"}
_SECTION_HEADER: Final = {
    "little": struct.Struct("<IIQQQQIIQQ"),
    "big": struct.Struct(">IIQQQQIIQQ"),
}
_KINDS: Final = {
    number: name.removeprefix("SHT_").lower()
    for name, number in ENUM_SH_TYPE_BASE.items()
    if name.startswith("SHT_") and isinstance(number, int)
}
_HINT_BPF = "Compile with clang -target bpf (or bpfel, bpfeb) -g -O2 -c."
_HINT_CUT = "The file looks cut off; fetch or compile it again."


@dataclass(frozen=True, slots=True)
class Section:
    """One section; `data` is empty for `nobits`, whose `size` counts all the same.

    `kind` is the SHT_ name in lower case without its prefix (progbits, nobits, symtab, strtab,
    rel), or the number in hex. `size` and `entsize` are in bytes.
    """

    index: int
    name: str
    kind: str
    flags: int
    data: bytes = field(repr=False)
    size: int
    entsize: int
    link: int
    info: int

    @property
    def is_code(self) -> bool:
        """True for a section that holds instructions."""
        return self.kind == "progbits" and bool(self.flags & SHF_EXECINSTR)

    @property
    def is_debug(self) -> bool:
        """True for DWARF, which nobody here reads."""
        return self.name.startswith(".debug")

    @property
    def place(self) -> str:
        """How an error names this section; a very long name is cut."""
        return f"section {self.index} {self.name[:80]}"


class _FileHeader(NamedTuple):
    """What is read of the file header; `names` is the section of section names."""

    byte_order: ByteOrder
    start: int
    entry: int
    sections: int
    names: int


class _Header(NamedTuple):
    """A section header; offset and size in bytes."""

    name: int
    kind: int
    flags: int
    address: int
    offset: int
    size: int
    link: int
    info: int
    alignment: int
    entsize: int


def read_sections(data: bytes) -> tuple[ByteOrder, tuple[Section, ...]]:
    """Give the byte order and all sections, section 0 (null) included, so that indices fit.

    Raises NotBpfError for another machine, a 32-bit or a linked file, ElfError for headers that
    point outside the file or sections that overlap, LimitExceeded for too many sections.
    """
    file = _file_header(data)
    headers = _section_headers(data, file)
    names = _section_names(headers, file.names, data)
    sections = []
    left = len(data)
    for index, header in enumerate(headers):
        section = _section(index, names.at(header.name), header, data)
        left -= len(section.data)
        if left < 0:
            raise ElfError(
                "the sections overlap: together they are longer than the file",
                place=section.place,
            )
        sections.append(section)
    return file.byte_order, tuple(sections)


def _file_header(data: bytes) -> _FileHeader:
    """Read and check the file header."""
    if data[:4] != b"\x7fELF":
        raise ElfError("this is not an ELF file", place="byte 0x0", hint=_HINT_BPF)
    if data[4:5] == b"\x01":
        raise NotBpfError("a 32-bit ELF file; BPF objects are 64-bit", place="byte 0x4, EI_CLASS")
    if len(data) < _HEADER_BYTES:
        raise ElfError(
            f"the file header is cut off: {len(data)} of {_HEADER_BYTES} bytes",
            place=f"byte {len(data):#x}",
        )
    byte_order = _BYTE_ORDERS.get(data[5])
    if data[4] != 2 or byte_order is None:
        raise ElfError(
            f"the file header cannot be read: class {data[4]}, byte order {data[5]}",
            place="byte 0x4, EI_CLASS",
        )
    try:
        header = struct_parse(_structs(byte_order).Elf_Ehdr, io.BytesIO(data), 0)
    except ForeignElfError as error:
        raise ElfError(f"the file header cannot be read: {error}", place="byte 0x0") from error
    machine, kind = header["e_machine"], header["e_type"]
    if machine != "EM_BPF":
        raise NotBpfError(
            f"the object is for machine {machine}, not for BPF",
            place="byte 0x12, e_machine",
            hint=_HINT_BPF,
        )
    if kind != "ET_REL":
        raise NotBpfError(
            f"the file is of type {kind}, not a relocatable object (ET_REL)",
            place="byte 0x10, e_type",
            hint=_HINT_BPF,
        )
    return _FileHeader(
        byte_order=byte_order,
        start=header["e_shoff"],
        entry=header["e_shentsize"],
        sections=header["e_shnum"],
        names=header["e_shstrndx"],
    )


@cache
def _structs(byte_order: ByteOrder) -> ELFStructs:
    """The layouts of elftools, which take half a millisecond to make."""
    structs = ELFStructs(little_endian=byte_order == "little", elfclass=64)
    structs.create_basic_structs()
    return structs


def _section_headers(data: bytes, file: _FileHeader) -> list[_Header]:
    """Read all section headers, after checking that they lie in the file.

    A count of 0 says that the size in header 0 is the count.
    """
    start, entry, file_size = file.start, file.entry, len(data)
    if start == 0:
        raise ElfError("the file has no sections", place="byte 0x28, e_shoff", hint=_HINT_BPF)
    if entry != _SECTION_HEADER_BYTES:
        raise ElfError(
            f"a section header is said to be {entry} bytes, not {_SECTION_HEADER_BYTES}",
            place="byte 0x3a, e_shentsize",
        )
    outside = ElfError(
        f"the section headers at byte {start:#x} leave the file of {file_size} bytes",
        place="byte 0x28, e_shoff",
        hint=_HINT_CUT,
    )
    if start + entry > file_size:
        raise outside
    layout = _SECTION_HEADER[file.byte_order]
    count = file.sections or _Header._make(layout.unpack_from(data, start)).size
    if count > limits.ELF_SECTIONS:
        raise LimitExceeded(
            f"{count} sections, at most {limits.ELF_SECTIONS} are read",
            place="byte 0x3c, e_shnum",
        )
    if start + count * entry > file_size:
        raise outside
    return list(map(_Header._make, layout.iter_unpack(data[start : start + count * entry])))


def _section_names(headers: list[_Header], index: int, data: bytes) -> StringTable:
    if index == SHN_XINDEX and headers:
        index = headers[0].link
    if index >= len(headers):
        raise ElfError(
            f"section names are in section {index}, the object has {len(headers)}",
            place="byte 0x3e, e_shstrndx",
        )
    place = f"section {index} (section names)"
    return StringTable(_slice(data, headers[index], place) if index else b"", place)


def _section(index: int, name: str, header: _Header, data: bytes) -> Section:
    kind = _KINDS.get(header.kind) or f"{header.kind:#x}"
    place = f"section {index} {name[:80]}"
    if header.flags & SHF_COMPRESSED and not name.startswith(".debug"):
        raise ElfError(
            "compressed sections are not read",
            place=place,
            hint="Unpack it with llvm-objcopy --decompress-debug-sections.",
        )
    contents = b"" if kind in ("nobits", "null") else _slice(data, header, place)
    return Section(
        index=index,
        name=name,
        kind=kind,
        flags=header.flags,
        data=contents,
        size=header.size,
        entsize=header.entsize,
        link=header.link,
        info=header.info,
    )


def _slice(data: bytes, header: _Header, place: str) -> bytes:
    start, size = header.offset, header.size
    if start + size > len(data):
        raise ElfError(
            f"{size} bytes from byte {start:#x} leave the file of {len(data)} bytes",
            place=place,
            hint=_HINT_CUT,
        )
    return data[start : start + size]
