"""The section headers of an ELF object and the bytes they point to.

This is the only module that imports elftools, and no object of elftools leaves it: elftools
reads the file header and the section headers. Its readers of whole sections are not used; they
follow links between sections without bounds and inflate what is compressed.
"""

from __future__ import annotations

import io
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from elftools.common.exceptions import ELFError as ForeignElfError
from elftools.common.utils import struct_parse
from elftools.elf.elffile import ELFFile

from engine import limits
from engine.btf.kinds import ByteOrder
from engine.elf.symbols import StringTable
from engine.errors import ElfError, LimitExceeded, NotBpfError

SHF_WRITE = 0x1
SHF_ALLOC = 0x2
SHF_EXECINSTR = 0x4
SHF_COMPRESSED = 0x800

_HEADER_BYTES = 64
_SECTION_HEADER_BYTES = 64
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


class _Header(NamedTuple):
    """A section header; offset and size in bytes."""

    name: int
    kind: str
    flags: int
    offset: int
    size: int
    link: int
    info: int
    entsize: int


def read_sections(data: bytes) -> tuple[ByteOrder, tuple[Section, ...]]:
    """Give the byte order and all sections, section 0 (null) included, so that indices fit.

    Raises NotBpfError for another machine, a 32-bit or a linked file, ElfError for headers that
    point outside the file or sections that overlap, LimitExceeded for too many sections.
    """
    elf = _open(data)
    headers = _section_headers(elf, len(data))
    names = _section_names(elf, headers, data)
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
    return ("little" if elf.little_endian else "big"), tuple(sections)


def _open(data: bytes) -> ELFFile:
    """Check the file header and give elftools' reader of it."""
    if data[:4] != b"\x7fELF":
        raise ElfError("this is not an ELF file", place="byte 0x0", hint=_HINT_BPF)
    if data[4:5] == b"\x01":
        raise NotBpfError("a 32-bit ELF file; BPF objects are 64-bit", place="byte 0x4, EI_CLASS")
    if len(data) < _HEADER_BYTES:
        raise ElfError(
            f"the file header is cut off: {len(data)} of {_HEADER_BYTES} bytes",
            place=f"byte {len(data):#x}",
        )
    try:
        elf = ELFFile(io.BytesIO(data))
    except ForeignElfError as error:
        raise ElfError(f"the file header cannot be read: {error}", place="byte 0x0") from error
    machine, kind = elf.header["e_machine"], elf.header["e_type"]
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
    return elf


def _section_headers(elf: ELFFile, file_size: int) -> list[_Header]:
    """Read all section headers, after checking that they lie in the file."""
    start, entry = elf.header["e_shoff"], elf.header["e_shentsize"]
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
    count = elf.num_sections()
    if count > limits.ELF_SECTIONS:
        raise LimitExceeded(
            f"{count} sections, at most {limits.ELF_SECTIONS} are read",
            place="byte 0x3c, e_shnum",
        )
    if start + count * entry > file_size:
        raise outside
    return [_header(elf, start + index * entry) for index in range(count)]


def _header(elf: ELFFile, at: int) -> _Header:
    raw = struct_parse(elf.structs.Elf_Shdr, elf.stream, at)
    kind = raw["sh_type"]
    return _Header(
        name=raw["sh_name"],
        kind=f"{kind:#x}" if isinstance(kind, int) else kind.removeprefix("SHT_").lower(),
        flags=raw["sh_flags"],
        offset=raw["sh_offset"],
        size=raw["sh_size"],
        link=raw["sh_link"],
        info=raw["sh_info"],
        entsize=raw["sh_entsize"],
    )


def _section_names(elf: ELFFile, headers: list[_Header], data: bytes) -> StringTable:
    index = elf.get_shstrndx()
    if index >= len(headers):
        raise ElfError(
            f"section names are in section {index}, the object has {len(headers)}",
            place="byte 0x3e, e_shstrndx",
        )
    place = f"section {index} (section names)"
    return StringTable(_slice(data, headers[index], place) if index else b"", place)


def _section(index: int, name: str, header: _Header, data: bytes) -> Section:
    section = Section(
        index=index,
        name=name,
        kind=header.kind,
        flags=header.flags,
        data=b"",
        size=header.size,
        entsize=header.entsize,
        link=header.link,
        info=header.info,
    )
    if header.flags & SHF_COMPRESSED and not section.is_debug:
        raise ElfError(
            "compressed sections are not read",
            place=section.place,
            hint="Unpack it with llvm-objcopy --decompress-debug-sections.",
        )
    if header.kind in ("nobits", "null"):
        return section
    return replace(section, data=_slice(data, header, section.place))


def _slice(data: bytes, header: _Header, place: str) -> bytes:
    start, size = header.offset, header.size
    if start + size > len(data):
        raise ElfError(
            f"{size} bytes from byte {start:#x} leave the file of {len(data)} bytes",
            place=place,
            hint=_HINT_CUT,
        )
    return data[start : start + size]
