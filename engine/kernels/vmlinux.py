"""Finding .BTF in an ELF vmlinux.

Not `engine.elf`: that reads whole small objects with pyelftools, this looks up one section in a
file of up to 1 GiB with 30,000 of them, without loading it.

Source: the ELF-64 object file format, version 1.5, and the System V ABI for extended section
numbers (e_shnum 0, e_shstrndx SHN_XINDEX).
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from engine.errors import KernelFileError
from engine.kernels.inflate import Image

NO_BTF: Final = (
    "The kernel was built without BTF (CONFIG_DEBUG_INFO_BTF). Debian's have it for amd64 from "
    "5.10 on, arm64 from 6.1, s390x, ppc64el and riscv64 from 6.12; armhf and i386 never."
)
ACCEPTED: Final = (
    "Give a .btf file, a vmlinux, a vmlinuz, or a Debian package (linux-image-*.deb, "
    "linux-binary-*.deb)."
)
"""What can be given, for the hint of an error."""


@dataclass(frozen=True, slots=True)
class Elf:
    """What a vmlinux tells."""

    arch: str | None
    btf: tuple[int, int]
    """Offset and size of .BTF; (0, 0) when there is none."""


_MACHINES: Final = {
    (62, "<"): "amd64",
    (183, "<"): "arm64",
    (21, "<"): "ppc64el",
    (21, ">"): "ppc64",
    (22, ">"): "s390x",
    (243, "<"): "riscv64",
    (258, "<"): "loong64",
    (8, "<"): "mips64el",
}
_EM_BPF: Final = 247
RELOCATABLE: Final = 1
"""e_type of object files and modules: ET_REL."""
_SHT_NOBITS: Final = 8
_COMPRESSED: Final = 0x800
"""SHF_COMPRESSED."""
_SHN_XINDEX: Final = 0xFFFF
_MAX_SECTIONS: Final = 1_000_000


@dataclass(frozen=True, slots=True)
class ElfSection:
    """A section's header; `name` is cut at 15 bytes."""

    number: int
    name: bytes
    form: int
    flags: int
    at: int
    size: int


@dataclass(frozen=True, slots=True)
class ElfFile:
    """An ELF file's kind (e_type), machine and sections, of which none is read yet."""

    kind: int
    arch: str | None
    """As Debian names it; None for a machine whose kernels have no BTF."""
    machine: int
    sections: Iterator[ElfSection]


def open_elf(image: Image, place: str) -> ElfFile:
    """Read the header of a 64-bit ELF file; raises KernelFileError, also while it is iterated."""
    if len(image) < 64 or image[4] != 2 or image[5] not in (1, 2):
        raise KernelFileError(
            "only 64-bit ELF files are read", place=f"{place}, field e_ident", hint=NO_BTF
        )
    prefix = "<" if image[5] == 1 else ">"
    kind, machine, shoff, shentsize, shnum, shstrndx = struct.unpack_from(
        prefix + "16xHH4x8x8xQ4x2x4xHHH", image
    )
    arch = _MACHINES.get((machine, prefix))
    table = (shoff, shentsize, shnum, shstrndx)
    return ElfFile(kind, arch, machine, _sections(image, prefix, table, place))


def _sections(
    image: Image, prefix: str, table: tuple[int, int, int, int], place: str
) -> Iterator[ElfSection]:
    shoff, shentsize, shnum, shstrndx = table
    header = struct.Struct(prefix + "IIQQQQII8xQ")
    if shentsize != header.size or not 64 <= shoff <= len(image) - header.size:
        raise _broken_elf(place, "e_shoff")
    first = header.unpack_from(image, shoff)
    shnum = shnum or first[5]
    shstrndx = first[6] if shstrndx == _SHN_XINDEX else shstrndx
    if shnum > _MAX_SECTIONS or shoff + shnum * header.size > len(image) or shstrndx >= shnum:
        raise _broken_elf(place, "e_shnum")
    names_at = header.unpack_from(image, shoff + shstrndx * header.size)[4]
    for number in range(shnum):
        name, form, flags, _, at, size, *_ = header.unpack_from(image, shoff + number * header.size)
        start = names_at + name
        if start < len(image):
            shown = image[start : start + 16].split(b"\0", 1)[0]
            yield ElfSection(number, shown, form, flags, at, size)


def section_bytes(image: Image, section: ElfSection, place: str) -> bytes:
    """Give a section's content; raises KernelFileError where it has none or leaves the file."""
    _check_bounds(image, section, place)
    return image[section.at : section.at + section.size]


def _check_bounds(image: Image, section: ElfSection, place: str) -> None:
    end = section.at + section.size
    if section.form == _SHT_NOBITS or section.flags & _COMPRESSED or end > len(image):
        raise _broken_elf(place, f"section {section.number} ({section.name.decode('latin-1')})")


def read_elf(image: Image, place: str) -> Elf:
    """Read as much of an ELF file as finds .BTF; raises KernelFileError for another kind of ELF."""
    elf = open_elf(image, place)
    _refuse_other_elf(elf.kind, elf.machine, place)
    for section in elf.sections:
        if section.name == b".BTF":
            _check_bounds(image, section, place)
            return Elf(elf.arch, (section.at, section.size))
    return Elf(None, (0, 0))


def _refuse_other_elf(kind: int, machine: int, place: str) -> None:
    if machine == _EM_BPF:
        raise KernelFileError(
            "this is a BPF object, not a kernel",
            place=f"{place}, field e_machine",
            hint="Use it as a program: upload it, or give it to `coreplay relocate`.",
        )
    if kind == RELOCATABLE:
        raise KernelFileError(
            "this is a kernel module or an object file, not a kernel",
            place=f"{place}, field e_type",
            hint="A module's BTF is an extension of its kernel's: add the kernel first.",
        )


def _broken_elf(place: str, what: str) -> KernelFileError:
    return KernelFileError(
        "the vmlinux is cut off or damaged",
        place=f"{place}, {what}",
        hint="Fetch the file again; a vmlinux is read from its section headers at the end.",
    )
