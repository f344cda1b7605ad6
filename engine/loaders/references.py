"""What the instructions of an object refer to: functions, maps, globals, externs.

The compiler leaves these to the loader: ELF relocations name a symbol, and calls within one
section count slots.

    call, src 1           a function; imm counts slots from the next one, or -1 for a symbol
    ld_imm64, relocated   a map, a global's section, an extern, or a function's address
    call, extern symbol   a kernel function (kfunc)

Follows: libbpf src/libbpf.c bpf_program__record_reloc, bpf_object__reloc_code @ v1.7.0.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Literal

from engine.btf.decode import Btf
from engine.btf.kinds import BtfKind, TypeId
from engine.btf.resolve import skip_modifiers
from engine.core.policy import LoaderPolicy
from engine.core.prepare import PreparedObject
from engine.elf.programs import Function
from engine.elf.symbols import Symbol
from engine.insn.codec import SLOT_BYTES, Insn

ReferenceKind = Literal[
    "function", "map", "global", "kconfig", "ksym", "kfunc", "undeclared", "unknown"
]
"""`undeclared`: an extern that BTF says nothing of."""

PSEUDO_MAP_FD, PSEUDO_MAP_VALUE, PSEUDO_BTF_ID, PSEUDO_FUNC = 1, 2, 3, 4
"""src of ld_imm64; Linux include/uapi/linux/bpf.h BPF_PSEUDO_*."""
PSEUDO_CALL, PSEUDO_KFUNC_CALL = 1, 2
CALL = 0x85


@dataclass(frozen=True, slots=True)
class Reference:
    """What one instruction refers to; `slot` counts from the start of its function.

    name    of the function, map, section (for globals) or extern
    offset  bytes into the section of globals
    callee  position of the function in `PreparedObject.functions`, None when there is none
    """

    slot: int
    kind: ReferenceKind
    name: str
    offset: int = 0
    callee: int | None = None
    weak: bool = False
    typed: bool = False
    """An extern with a type, found in the kernel's BTF; others are found by address."""


@dataclass(frozen=True, slots=True)
class Externs:
    """Extern names of the object by the BTF section that declares them."""

    kconfig: Mapping[str, int]
    """Offset in the .kconfig map."""
    ksyms: Mapping[str, BtfKind]
    """VAR or FUNC; a VAR of no type is kept as VOID."""


def externs_of(btf: Btf) -> Externs:
    """Read the externs that .kconfig and .ksyms declare."""
    kconfig: dict[str, int] = {}
    ksyms: dict[str, BtfKind] = {}
    for section in (".kconfig", ".ksyms"):
        for type_id in btf.ids_named(section):
            found = btf.type(type_id)
            if found.kind is not BtfKind.DATASEC:
                continue
            for row in found.variables:
                extern = btf.type(row.type_id)
                if section == ".kconfig":
                    kconfig[extern.name] = row.offset
                else:
                    ksyms[extern.name] = _ksym_kind(btf, extern.kind, extern.type_id)
    return Externs(kconfig, ksyms)


def _ksym_kind(btf: Btf, kind: BtfKind, type_id: TypeId) -> BtfKind:
    if kind is BtfKind.VAR and skip_modifiers(btf, type_id).kind is BtfKind.VOID:
        return BtfKind.VOID
    return kind


def unknown_extern(prepared: PreparedObject, externs: Externs, policy: LoaderPolicy) -> str | None:
    """Give a kconfig extern that this loader version has no value for, if there is one.

    Follows: libbpf src/libbpf.c bpf_object__resolve_externs @ v1.7.0 and v0.8.0.
    """
    if not policy.kconfig_externs:
        return None
    weak = {symbol.name for symbol in prepared.obj.symbols if symbol.bind == "weak"}
    for name in externs.kconfig:
        known = policy.kconfig_externs
        if name in weak:
            known |= policy.weak_kconfig_externs
        if not any(fnmatchcase(name, pattern) for pattern in known):
            return name
    return None


class ReferenceFinder:
    """Finds the references of each function of one object."""

    def __init__(self, prepared: PreparedObject) -> None:
        self.prepared = prepared
        self.externs = externs_of(prepared.btf) if prepared.btf else Externs({}, {})
        self._found: dict[int, tuple[Reference, ...]] = {}
        self._symbols_of: dict[int, dict[int, Symbol]] = {}
        self._starts = [
            (function.section_index, function.offset) for function in prepared.functions
        ]

    def of(self, number: int) -> tuple[Reference, ...]:
        """References of function `number`, by slot."""
        found = self._found.get(number)
        if found is None:
            found = self._found[number] = self._find(self.prepared.functions[number])
        return found

    def _find(self, function: Function) -> tuple[Reference, ...]:
        symbols = self._symbols(function.section_index)
        found = []
        second = False
        for slot, insn in enumerate(function.insns):
            if second:
                second = False
                continue
            second = insn.is_ld_imm64
            symbol = symbols.get(function.offset + slot * SLOT_BYTES)
            if symbol is None and insn.code != CALL:
                continue
            reference = self._classify(function, slot, insn, symbol)
            if reference is not None:
                found.append(reference)
        return tuple(found)

    def _symbols(self, section: int) -> dict[int, Symbol]:
        """Symbols by the byte of their section's code that refers to them."""
        found = self._symbols_of.get(section)
        if found is None:
            obj = self.prepared.obj
            found = self._symbols_of[section] = {
                reloc.offset: obj.symbols[reloc.symbol]
                for reloc in obj.relocations.get(section, ())
                if reloc.symbol < len(obj.symbols)
            }
        return found

    def _classify(
        self, function: Function, slot: int, insn: Insn, symbol: Symbol | None
    ) -> Reference | None:
        if symbol is None:
            if insn.code == CALL and insn.src == PSEUDO_CALL:
                start = function.offset + (slot + insn.imm + 1) * SLOT_BYTES
                return self._function(slot, function.section_index, start)
            return None
        if not symbol.is_defined:
            return self._extern(slot, insn, symbol)
        section = self.prepared.obj.sections[symbol.section]
        if insn.code == CALL:
            return self._function(slot, symbol.section, symbol.value + (insn.imm + 1) * SLOT_BYTES)
        if not insn.is_ld_imm64:
            return Reference(slot, "unknown", symbol.name or section.name)
        if section.is_code:
            return self._function(slot, symbol.section, symbol.value + insn.imm)
        if section.name in (".maps", "maps"):
            return Reference(slot, "map", symbol.name)
        if section.name.split(".")[1:2] in (["data"], ["rodata"], ["bss"]):
            return Reference(slot, "global", section.name, symbol.value + insn.imm)
        return Reference(slot, "unknown", symbol.name or section.name)

    def _function(self, slot: int, section: int, start: int) -> Reference:
        number = bisect_right(self._starts, (section, start)) - 1
        if number >= 0 and self._starts[number][0] == section:
            function = self.prepared.functions[number]
            if start < function.end:
                return Reference(slot, "function", function.name, callee=number)
        return Reference(slot, "unknown", f"code at byte {start:#x} of section {section}")

    def _extern(self, slot: int, insn: Insn, symbol: Symbol) -> Reference:
        weak = symbol.bind == "weak"
        if symbol.name in self.externs.kconfig:
            offset = self.externs.kconfig[symbol.name]
            return Reference(slot, "kconfig", symbol.name, offset, weak=weak)
        kind = self.externs.ksyms.get(symbol.name)
        if kind is None:
            return Reference(slot, "undeclared", symbol.name, weak=weak)
        typed = kind is not BtfKind.VOID
        called = insn.code == CALL
        return Reference(slot, "kfunc" if called else "ksym", symbol.name, weak=weak, typed=typed)
