"""References of code to symbols that a version of cilium/ebpf does not follow.

Follows: cilium/ebpf elf_reader.go relocateInstruction @ v0.9.1 to v0.22.0.
"""

from __future__ import annotations

from collections.abc import Iterator
from fnmatch import fnmatchcase

from engine.btf.decode import Btf
from engine.core.policy import ReadingRules
from engine.core.prepare import PreparedObject
from engine.elf.object import Section
from engine.elf.programs import Function
from engine.elf.sections import SHF_STRINGS
from engine.elf.symbols import SHN_UNDEF, Symbol
from engine.insn.codec import SLOT_BYTES

_CALL = 0x85
_LOCAL = frozenset({"local"})
_UNSUPPORTED = "unsupported binding:"
_BY_KIND = {
    "map": "unsupported relocation",
    "section": "unsupported section relocation",
    "object": "unsupported object relocation",
    "notype": "unsupported untyped relocation",
}


def string_faults(prepared: PreparedObject, rules: ReadingRules) -> Iterator[str]:
    """References to sections of strings, which are looked for before all others.

    Follows: cilium/ebpf elf_reader.go loadRelocations @ v0.9.1.
    """
    obj = prepared.obj
    for section in obj.sections if rules.strings_refused else ():
        for relocation in obj.relocations.get(section.index, ()):
            symbol = obj.symbols[relocation.symbol]
            if symbol.is_defined and obj.sections[symbol.section].flags & SHF_STRINGS:
                words = "string is not stack allocated: not supported"
                yield f'load relocations: section "{section.name}": {words}'


def reference_faults(prepared: PreparedObject, rules: ReadingRules) -> Iterator[str]:
    """What is wrong with references, function by function."""
    if not rules.checks_references:
        return
    obj = prepared.obj
    kconfig, ksyms = (_declared(prepared.btf, name) for name in (".kconfig", ".ksyms"))
    for function in prepared.functions:
        for relocation in obj.relocations.get(function.section_index, ()):
            if not function.offset <= relocation.offset < function.end:
                continue
            symbol = obj.symbols[relocation.symbol]
            if symbol.is_defined or symbol.section == SHN_UNDEF:
                section = obj.sections[symbol.section] if symbol.is_defined else None
                fault = _fault(function, relocation.offset, symbol, section, rules)
                if section is None and not fault and symbol.name not in ksyms and kconfig:
                    fault = _kconfig_fault(function, relocation.offset, symbol, kconfig)
                if fault:
                    place = f"load programs: section {function.section}: offset"
                    where = f" in section {function.section}" if rules.places_name_sections else ""
                    at = relocation.offset
                    yield f"{place} {at}{where}: relocating instruction: {fault}"


def _fault(
    function: Function,
    offset: int,
    symbol: Symbol,
    section: Section | None,
    rules: ReadingRules,
) -> str:
    if section is None:
        return _extern_fault(symbol, rules)
    if section.name == ".maps" or section.name.startswith("maps"):
        return _map_fault(symbol, rules)
    if section.is_code:
        insn = function.insns[(offset - function.offset) // SLOT_BYTES]
        return _code_fault("call" if insn.code == _CALL else "load", symbol, rules)
    if any(fnmatchcase(section.name, pattern) for pattern in rules.data_sections):
        return _data_fault(symbol, rules)
    return f'relocation to "{section.name}": not supported'


def _extern_fault(symbol: Symbol, rules: ReadingRules) -> str:
    place = f"asm relocation: {symbol.name}"
    if symbol.bind not in rules.extern_bindings:
        return f"{place}: {_UNSUPPORTED} {_binding(symbol)}"
    return "" if symbol.type == "notype" else f"{place}: unsupported type {_type(symbol)}"


def _declared(btf: Btf | None, section: str) -> frozenset[str]:
    """The names of what a section of externs declares."""
    if btf is None:
        return frozenset()
    sections = (btf.type(type_id) for type_id in btf.ids_named(section))
    return frozenset(btf.name(row.type_id) for found in sections for row in found.variables)


def _kconfig_fault(function: Function, offset: int, symbol: Symbol, kconfig: frozenset[str]) -> str:
    """In an object with settings of the kernel, a load of an extern is a load of one of them."""
    if not function.insns[(offset - function.offset) // SLOT_BYTES].is_ld_imm64:
        return ""
    if symbol.bind != "global":
        return f"asm relocation: {symbol.name}: {_UNSUPPORTED} {_binding(symbol)}"
    return "" if symbol.name in kconfig else f"kconfig {symbol.name} not found in .kconfig"


def _map_fault(symbol: Symbol, rules: ReadingRules) -> str:
    if symbol.bind == "local" or (symbol.bind != "global" and rules.weak_maps_are_static):
        words = "possible erroneous static qualifier on map definition: found reference to"
        return f'{words} "{symbol.name}"'
    if symbol.bind != "global":
        words = _BY_KIND["map"] if rules.bindings_told_by_kind else _UNSUPPORTED
        return f'map "{symbol.name}": {words} {_binding(symbol)}'
    if symbol.type not in ("object", "notype"):
        return f"map load: incorrect relocation type {_type(symbol)}"
    return ""


def _data_fault(symbol: Symbol, rules: ReadingRules) -> str:
    if symbol.type not in ("section", "object", "notype"):
        return f"incorrect relocation type {_type(symbol)} for direct map load"
    if symbol.bind in (rules.data_bindings if symbol.type == "object" else _LOCAL):
        return ""
    words = _BY_KIND[symbol.type] if rules.bindings_told_by_kind else _UNSUPPORTED
    return f"direct load: {symbol.name}: {words} {_binding(symbol)}"


def _code_fault(what: str, symbol: Symbol, rules: ReadingRules) -> str:
    allowed = rules.call_bindings if what == "call" else frozenset({"global"})
    types = ("notype", "func", "section") if what == "call" else ("func", "section")
    if symbol.type not in types:
        return f"{what}: {symbol.name}: invalid symbol type {_type(symbol)}"
    if symbol.bind in (_LOCAL if symbol.type == "section" else allowed):
        return ""
    return f"{what}: {symbol.name}: {_UNSUPPORTED} {_binding(symbol)}"


def _binding(symbol: Symbol) -> str:
    return f"STB_{symbol.bind.upper()}"


def _type(symbol: Symbol) -> str:
    return f"STT_{symbol.type.upper()}"
