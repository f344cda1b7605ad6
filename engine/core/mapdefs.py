"""Definitions of maps in .maps that a version of cilium/ebpf does not read.

Follows: cilium/ebpf elf_reader.go loadBTFMaps, mapSpecFromBTF @ v0.22.0.
"""

from __future__ import annotations

from collections.abc import Iterator

from engine.btf.decode import Btf
from engine.btf.kinds import BtfKind, BtfType
from engine.btf.resolve import skip_modifiers_and_typedefs
from engine.core.gonames import go_type
from engine.core.policy import ReadingRules
from engine.core.prepare import PreparedObject
from engine.elf.object import ElfObject


def map_faults(prepared: PreparedObject, rules: ReadingRules) -> Iterator[str]:
    """What is wrong with the definitions, in the order of .maps."""
    btf = prepared.btf
    if not rules.map_fields or btf is None or prepared.obj.section(".maps") is None:
        return
    for type_id in btf.ids_named(".maps"):
        section = btf.type(type_id)
        for variable in section.variables if section.kind is BtfKind.DATASEC else ():
            declared = btf.type(variable.type_id)
            fault = _fault(btf, declared, prepared.obj, rules)
            if fault:
                yield f"load BTF maps: {fault}"


def _fault(btf: Btf, declared: BtfType, obj: ElfObject, rules: ReadingRules) -> str:
    if _is_set(obj, declared.name):
        words = "initializing BTF map definitions: not supported"
        return f"section .maps: map {declared.name}: {words}"
    shown = btf.type(declared.type_id)
    definition = skip_modifiers_and_typedefs(btf, shown.id) if rules.maps_may_be_typedefs else shown
    if definition.kind is not BtfKind.STRUCT:
        return f"expected struct, got {go_type(shown)}"
    fault = _field_fault(btf, definition, rules)
    return f"map {declared.name}: {fault}" if fault else ""


def _is_set(obj: ElfObject, name: str) -> bool:
    """Whether the object gives a definition bytes that are not zero."""
    for symbol in obj.symbols:
        if symbol.name == name and symbol.is_defined and symbol.type == "object":
            section = obj.sections[symbol.section]
            if section.name == ".maps":
                return any(section.data[symbol.value : symbol.value + symbol.size])
    return False


def _field_fault(btf: Btf, definition: BtfType, rules: ReadingRules, *, inner: bool = False) -> str:
    for member in definition.members:
        if member.name in rules.unset_map_fields:
            return f"BTF map definition: field {member.name}: not supported"
        if member.name not in rules.map_fields:
            return f"unrecognized field {member.name} in BTF map definition"
        if member.name == "values" and not inner:
            fault = _inner_fault(btf, btf.type(member.type_id), rules)
            if fault:
                return f"can't parse BTF map definition of inner map: {fault}"
    return ""


def _inner_fault(btf: Btf, values: BtfType, rules: ReadingRules) -> str:
    """`values` is an array of pointers, to maps or to programs."""
    if values.kind is not BtfKind.ARRAY:
        return ""
    pointer = btf.type(values.type_id)
    if pointer.kind is not BtfKind.PTR:
        return ""
    target = btf.type(pointer.type_id)
    if target.kind is not BtfKind.STRUCT:
        return ""
    return _field_fault(btf, target, rules, inner=True)
