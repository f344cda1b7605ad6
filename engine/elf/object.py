"""A BPF ELF object as frozen values: sections, symbols, relocations, BTF and license."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from engine import limits
from engine.btf.kinds import ByteOrder
from engine.elf.relocs import ElfReloc, parse_relocations, relocation_bytes
from engine.elf.sections import SHF_ALLOC, Section, read_sections
from engine.elf.symbols import SYMBOL_BYTES, StringTable, Symbol, parse_symbols
from engine.errors import ElfError, LimitExceeded

__all__ = ["ElfObject", "ElfReloc", "Section", "Symbol", "parse_object"]


@dataclass(frozen=True, slots=True)
class ElfObject:
    """What a relocatable BPF object holds; see `parse_object`.

    `relocations` is keyed by the index of the section they apply to. `btf` and `btf_ext` are
    the raw sections or None. `license` is the text of the section of that name, or empty.
    """

    byte_order: ByteOrder
    sections: tuple[Section, ...]
    symbols: tuple[Symbol, ...]
    relocations: Mapping[int, tuple[ElfReloc, ...]]
    btf: bytes | None = field(repr=False)
    btf_ext: bytes | None = field(repr=False)
    license: str

    def __reduce__(self) -> tuple[object, ...]:
        """Objects cross process borders; a mapping proxy cannot, so a dict goes instead."""
        return (
            _restore,
            (
                self.byte_order,
                self.sections,
                self.symbols,
                dict(self.relocations),
                self.btf,
                self.btf_ext,
                self.license,
            ),
        )

    def section(self, name: str) -> Section | None:
        """Give the first section of this name."""
        return next((s for s in self.sections if s.name == name), None)


def _restore(
    byte_order: ByteOrder,
    sections: tuple[Section, ...],
    symbols: tuple[Symbol, ...],
    relocations: dict[int, tuple[ElfReloc, ...]],
    btf: bytes | None,
    btf_ext: bytes | None,
    license_text: str,
) -> ElfObject:
    return ElfObject(
        byte_order, sections, symbols, MappingProxyType(relocations), btf, btf_ext, license_text
    )


def parse_object(data: bytes) -> ElfObject:
    """Read a relocatable 64-bit BPF ELF file of either byte order.

    Relocations of sections that are not loaded (DWARF, .BTF, .BTF.ext) are left out unread, as
    in libbpf: what they would add is already there. DWARF sections may be compressed, no others
    may. Where two sections share a name, the first one counts.

    Raises NotBpfError for another machine, a 32-bit or a linked file, ElfError (with section
    and byte) for malformed input, LimitExceeded for input beyond `engine.limits`.
    """
    if len(data) > limits.OBJECT_BYTES:
        raise LimitExceeded(
            f"the object is {len(data)} bytes long, at most {limits.OBJECT_BYTES} are read"
        )
    byte_order, sections = read_sections(data)
    symbols, symbol_section = _symbols(sections, byte_order)
    relocations = _relocations(sections, len(symbols), symbol_section, byte_order)
    return ElfObject(
        byte_order=byte_order,
        sections=sections,
        symbols=symbols,
        relocations=MappingProxyType(relocations),
        btf=_contents(sections, ".BTF"),
        btf_ext=_contents(sections, ".BTF.ext"),
        license=_license(sections),
    )


def _symbols(
    sections: tuple[Section, ...], byte_order: ByteOrder
) -> tuple[tuple[Symbol, ...], int]:
    """Give the symbols and the index of their section, 0 where there is none."""
    tables = [s for s in sections if s.kind == "symtab"]
    if not tables:
        return (), 0
    table = tables[0]
    if len(tables) > 1:
        raise ElfError("a second symbol table", place=tables[1].place)
    _check_entry_size(table, SYMBOL_BYTES)
    if table.link >= len(sections) or sections[table.link].kind != "strtab":
        raise ElfError(f"its names are in section {table.link}, no string table", place=table.place)
    linked = sections[table.link]
    symbols = parse_symbols(
        table.data,
        StringTable(linked.data, linked.place),
        byte_order,
        sections=len(sections),
        place=table.place,
    )
    return symbols, table.index


def _relocations(
    sections: tuple[Section, ...], symbols: int, symbol_section: int, byte_order: ByteOrder
) -> dict[int, tuple[ElfReloc, ...]]:
    found: dict[int, tuple[ElfReloc, ...]] = {}
    for table in sections:
        if table.kind not in ("rel", "rela"):
            continue
        if not 0 < table.info < len(sections):
            raise ElfError(f"it relocates section {table.info}, no section", place=table.place)
        target = sections[table.info]
        if not target.flags & SHF_ALLOC:
            continue
        if target.index in found:
            raise ElfError(f"a second relocation table of {target.place}", place=table.place)
        has_addends = table.kind == "rela"
        _check_entry_size(table, relocation_bytes(has_addends=has_addends))
        if table.link != symbol_section:
            raise ElfError(
                f"its symbols are in section {table.link}, no symbol table", place=table.place
            )
        found[target.index] = parse_relocations(
            table.data,
            byte_order,
            has_addends=has_addends,
            symbols=symbols,
            target_size=target.size,
            place=table.place,
        )
    return found


def _check_entry_size(section: Section, expected: int) -> None:
    if section.entsize != expected:
        raise ElfError(
            f"its entries are said to be {section.entsize} bytes, not {expected}",
            place=f"{section.place}, sh_entsize",
        )


def _contents(sections: tuple[Section, ...], name: str) -> bytes | None:
    section = next((s for s in sections if s.name == name), None)
    return None if section is None else section.data


def _license(sections: tuple[Section, ...]) -> str:
    raw = _contents(sections, "license") or b""
    return raw.split(b"\0", 1)[0].decode("utf-8", "replace")
