"""Builds small relocatable BPF ELF objects in memory, of either byte order.

    writer = ElfWriter()
    writer.function("prog", "socket", mov_imm(0, 1) + exit_())
    writer.section("license", b"GPL\\0", flags=SHF_ALLOC)
    obj = parse_object(writer.build())

The file is laid out as: header, section data (8-byte aligned), section headers. After the
sections that were asked for come one relocation section for each relocated section, `.symtab`,
`.strtab` (symbol names) and `.shstrtab`. The `patch_*` functions then damage single fields.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable
from dataclasses import dataclass, field

from engine.btf.kinds import ByteOrder
from engine.insn.codec import Insn, encode_insns

SHT_PROGBITS, SHT_SYMTAB, SHT_STRTAB, SHT_RELA, SHT_NOBITS, SHT_REL = 1, 2, 3, 4, 8, 9
SHF_WRITE, SHF_ALLOC, SHF_EXECINSTR, SHF_COMPRESSED = 1, 2, 4, 0x800
EM_BPF, EM_X86_64 = 247, 62
ET_REL, ET_EXEC = 1, 2
BINDS = {"local": 0, "global": 1, "weak": 2}
TYPES = {"notype": 0, "object": 1, "func": 2, "section": 3, "file": 4}

_FILE_HEADER = "16sHHIQQQIHHHHHH"
_SECTION_HEADER = "IIQQQQIIQQ"
FILE_FIELDS = {
    "e_type": (0x10, "H"),
    "e_machine": (0x12, "H"),
    "e_shoff": (0x28, "Q"),
    "e_shentsize": (0x3A, "H"),
    "e_shnum": (0x3C, "H"),
    "e_shstrndx": (0x3E, "H"),
}
SECTION_FIELDS = {
    "sh_name": (0, "I"),
    "sh_type": (4, "I"),
    "sh_flags": (8, "Q"),
    "sh_offset": (24, "Q"),
    "sh_size": (32, "Q"),
    "sh_link": (40, "I"),
    "sh_info": (44, "I"),
    "sh_entsize": (56, "Q"),
}


@dataclass
class _Section:
    name: str
    kind: int
    flags: int
    data: bytearray
    size: int | None = None
    link: int = 0
    info: int = 0
    entsize: int = 0


@dataclass
class _Symbol:
    name: str
    section: int
    value: int
    size: int
    info: int
    other: int


@dataclass
class ElfWriter:
    """Collects sections, symbols and relocations; `build` gives the bytes of the file.

    Indices are the file's own: the first section and the first symbol have index 1.
    """

    byte_order: ByteOrder = "little"
    machine: int = EM_BPF
    file_type: int = ET_REL
    _sections: list[_Section] = field(default_factory=list)
    _symbols: list[_Symbol] = field(default_factory=list)
    _relocations: dict[int, list[tuple[int, int, int]]] = field(default_factory=dict)

    def section(
        self,
        name: str,
        data: bytes = b"",
        *,
        kind: int = SHT_PROGBITS,
        flags: int = 0,
        size: int | None = None,
        link: int = 0,
        info: int = 0,
        entsize: int = 0,
    ) -> int:
        """Add a section and give its index; `size` overrules the length of the data (nobits)."""
        self._sections.append(
            _Section(name, kind, flags, bytearray(data), size, link, info, entsize)
        )
        return len(self._sections)

    def code(self, name: str, insns: Iterable[Insn] = ()) -> int:
        """Append instructions to the code section `name`, made when needed; give its index."""
        data = encode_insns(insns, self.byte_order)
        for index, section in enumerate(self._sections, 1):
            if section.name == name:
                section.data += data
                return index
        return self.section(name, data, flags=SHF_ALLOC | SHF_EXECINSTR)

    def function(
        self, name: str, section: str, insns: Iterable[Insn], *, bind: str = "global"
    ) -> int:
        """Append a function with its symbol to a code section; give the symbol's index."""
        body = tuple(insns)
        index = self.code(section)
        start = len(self._sections[index - 1].data)
        self.code(section, body)
        return self.symbol(name, index, value=start, size=8 * len(body), bind=bind, kind="func")

    def symbol(
        self,
        name: str,
        section: int,
        *,
        value: int = 0,
        size: int = 0,
        bind: str = "global",
        kind: str = "object",
        visibility: int = 0,
    ) -> int:
        """Add a symbol and give its index; `section` 0 makes it undefined (extern)."""
        info = BINDS[bind] << 4 | TYPES[kind]
        self._symbols.append(_Symbol(name, section, value, size, info, visibility))
        return len(self._symbols)

    def relocate(self, section: int, offset: int, symbol: int, kind: int) -> None:
        """Add an SHT_REL entry for the byte `offset` of `section`."""
        self._relocations.setdefault(section, []).append((offset, symbol, kind))

    def build(self) -> bytes:
        """Give the file; the writer may be added to and built again."""
        prefix = "<" if self.byte_order == "little" else ">"
        sections = [_Section("", 0, 0, bytearray()), *self._sections]
        symtab = len(sections) + len(self._relocations)
        for target, entries in self._relocations.items():
            table = b"".join(
                struct.pack(prefix + "QQ", offset, symbol << 32 | kind)
                for offset, symbol, kind in entries
            )
            name = ".rel" + sections[target].name
            sections.append(_Section(name, SHT_REL, 0, bytearray(table), None, symtab, target, 16))
        names = bytearray(b"\0")
        symbols = bytearray(24)
        for s in self._symbols:
            at = _intern(names, s.name)
            symbols += struct.pack(
                prefix + "IBBHQQ", at, s.info, s.other, s.section, s.value, s.size
            )
        sections.append(_Section(".symtab", SHT_SYMTAB, 0, symbols, None, symtab + 1, 1, 24))
        sections.append(_Section(".strtab", SHT_STRTAB, 0, names))
        return self._lay_out(prefix, sections)

    def _lay_out(self, prefix: str, sections: list[_Section]) -> bytes:
        section_names = bytearray(b"\0")
        sections.append(_Section(".shstrtab", SHT_STRTAB, 0, section_names))
        name_offsets = [_intern(section_names, s.name) for s in sections]
        body = bytearray(64)
        headers = bytearray()
        for section, name in zip(sections, name_offsets, strict=True):
            start = len(body) if section.kind else 0
            headers += struct.pack(
                prefix + _SECTION_HEADER,
                name,
                section.kind,
                section.flags,
                0,
                start,
                len(section.data) if section.size is None else section.size,
                section.link,
                section.info,
                8 if section.kind else 0,
                section.entsize,
            )
            body += section.data
            body += bytes(-len(body) % 8)
        ident = b"\x7fELF\x02" + (b"\x01" if prefix == "<" else b"\x02") + b"\x01"
        body[:64] = struct.pack(
            prefix + _FILE_HEADER,
            ident,
            self.file_type,
            self.machine,
            1,
            0,
            0,
            len(body),
            0,
            64,
            0,
            0,
            64,
            len(sections),
            len(sections) - 1,
        )
        return bytes(body + headers)


def patch_header(data: bytes, name: str, value: int) -> bytes:
    """Give the file with one field of its header replaced (`FILE_FIELDS` names them)."""
    at, code = FILE_FIELDS[name]
    return _patch(data, at, code, value)


def patch_section(data: bytes, index: int, name: str, value: int) -> bytes:
    """Give the file with one field of a section header replaced (see `SECTION_FIELDS`)."""
    at, code = SECTION_FIELDS[name]
    (start,) = struct.unpack_from(_prefix(data) + "Q", data, 0x28)
    return _patch(data, start + 64 * index + at, code, value)


def _patch(data: bytes, at: int, code: str, value: int) -> bytes:
    patched = bytearray(data)
    struct.pack_into(_prefix(data) + code, patched, at, value)
    return bytes(patched)


def _prefix(data: bytes) -> str:
    return "<" if data[5] == 1 else ">"


def _intern(names: bytearray, name: str) -> int:
    if not name:
        return 0
    at = len(names)
    names += name.encode() + b"\0"
    return at
