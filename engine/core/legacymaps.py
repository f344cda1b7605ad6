"""Definitions in a section `maps`, from before BTF, that loaders refuse.

Follows: libbpf src/libbpf.c bpf_object__init_user_maps @ v0.8.0; cilium/ebpf elf_reader.go
loadMaps @ v0.22.0, @ v0.9.1.
"""

from __future__ import annotations

from collections.abc import Iterator

from engine.core.policy import ReadingRules
from engine.core.result import LoaderError
from engine.elf.object import ElfObject, Section

_FIELDS = ("type", "key size", "value size", "max entries", "flags")
"""struct bpf_map_def: 4 bytes each."""
_KNOWN_BYTES = 4 * len(_FIELDS)


def legacy_map_refusals(obj: ElfObject, rules: ReadingRules) -> Iterator[LoaderError]:
    """Refusals of definitions, in the order of their symbols; libbpf also names the file."""
    section = next((found for found in reversed(obj.sections) if found.name == "maps"), None)
    if section is None or rules.legacy_maps_refused or not rules.opens_as_libbpf:
        return
    told = ""
    maps = [s for s in obj.symbols if s.section == section.index and s.type != "section"]
    if not section.data or not maps or len(section.data) % len(maps):
        yield LoaderError("EINVAL", "elf: unable to determine legacy map definition size")
        return
    size = len(section.data) // len(maps)
    for symbol in maps:
        place = f"map '{symbol.name}' (legacy):"
        told += f"{place} legacy map definitions are deprecated, use BTF-defined maps instead\n"
        if symbol.bind == "local":
            yield LoaderError("EOPNOTSUPP", f"{told}{place} static maps are not supported")
        definition = section.data[symbol.value : symbol.value + size]
        if len(definition) < size:
            words = f'corrupted maps section: last map "{symbol.name}" too small'
            yield LoaderError("EINVAL", told + words)
        if any(definition[_KNOWN_BYTES:]):
            words = f'maps section: "{symbol.name}" has unrecognized, non-zero options'
            yield LoaderError("EINVAL", told + words)


def legacy_map_faults(obj: ElfObject, rules: ReadingRules) -> Iterator[str]:
    """What is wrong with definitions in sections `maps*` for a version of cilium/ebpf."""
    if not rules.map_fields:
        return
    for section in obj.sections:
        if not section.name.startswith("maps"):
            continue
        fault = _fault_of_section(obj, section, rules)
        if fault:
            yield f"load maps: {fault}"


def _fault_of_section(obj: ElfObject, section: Section, rules: ReadingRules) -> str:
    place = f"section {section.name}:"
    maps = {
        symbol.value: symbol
        for symbol in obj.symbols
        if symbol.section == section.index and symbol.type in ("object", "notype", "func")
    }
    if not maps:
        return f"{place} no symbols"
    if rules.legacy_maps_have_sizes:
        sizes = {at: symbol.size for at, symbol in maps.items()}
    elif len(section.data) % len(maps):
        return f"{place} map descriptors are not of equal size"
    else:
        size = len(section.data) // len(maps)
        sizes = dict.fromkeys(range(0, size * len(maps), size or 1), size)
    for at, size in sizes.items():
        symbol = maps.get(at)
        if symbol is None:
            return f"section {section.name}: missing symbol for map at offset {at}"
        if at + size > len(section.data):
            words = f"size goes out of bounds of section {section.name}"
            return f"symbol {symbol.name}: {words}"
        if size < _KNOWN_BYTES:
            return f"map {symbol.name}: missing {_FIELDS[size // 4]}"
    return ""
