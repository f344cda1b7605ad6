"""The maps of an object: what a loader asks MAP_CREATE for, and writes into them.

    .maps          a variable each; its struct's members say what the map is
    maps           struct bpf_map_def: type, key_size, value_size, max_entries, map_flags
    .data .bss .rodata and their like   one array element that is the whole section
    .kconfig       the same, frozen, filled in by the loader

Pinning is ignored. A map that the object leaves without a size is one that its program's own user
side sizes before the load (bpf_map__set_max_entries): it gets a usual size here, and `sized` says
so. Follows: libbpf src/libbpf.c parse_btf_map_def, bpf_object__create_map,
bpf_object__init_internal_map, adjust_ringbuf_sz @ v1.7.0; cilium/ebpf elf_reader.go
mapSpecFromBTF, loadMaps @ v0.22.0 for the section `maps`.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Final

from engine import limits
from engine.btf.decode import Btf
from engine.btf.kinds import VOID, BtfKind, BtfType, Member, TypeId
from engine.btf.resolve import size_of, skip_modifiers_and_typedefs
from engine.core.prepare import PreparedObject
from engine.core.refusal import Refusal
from engine.elf.object import Section
from engine.loaders import loadplan_numbers as numbers
from engine.loaders.loadplan_kconfig import SECTION as KCONFIG
from engine.loaders.loadplan_kconfig import Kconfig

_NAME_BYTES: Final = 15
_PAGE: Final = 4096
_LEGACY: Final = struct.Struct("<5I")
_FD_BYTES: Final = 4
ENTRIES: Final = 10_240
"""Of a map that the object leaves without a size; what most tools of bcc set."""
STACK_DEPTH: Final = 127
"""Frames of a stack map that has no size: PERF_MAX_STACK_DEPTH of Linux."""
_UINTS: Final = {
    "type": "type",
    "key_size": "key_size",
    "value_size": "value_size",
    "max_entries": "max_entries",
    "map_flags": "flags",
    "map_extra": "extra",
}
_IGNORED: Final = frozenset({"numa_node", "pinning"})


@dataclass(frozen=True, slots=True)
class MapPlan:
    """One map to create; numbers are those of union bpf_attr.

    symbol    what references call it: its variable, or the section of a map of globals
    inner     what its values look like, for a map of maps
    contents  of element 0, None where nothing is written
    sized     the object gives no size, and the one here is chosen: see ENTRIES, STACK_DEPTH
    """

    symbol: str
    name: str
    type: int = 0
    key_size: int = 0
    value_size: int = 0
    max_entries: int = 0
    flags: int = 0
    extra: int = 0
    key_type_id: TypeId = VOID
    value_type_id: TypeId = VOID
    inner: MapPlan | None = None
    contents: bytes | None = field(default=None, repr=False)
    frozen: bool = False
    sized: bool = False


def maps_of(prepared: PreparedObject, kconfig: Kconfig, cpus: int) -> tuple[MapPlan, ...]:
    """Every map of an object, in the order of its sections.

    `cpus` is the size of a perf event array that asks for none. Raises Refusal, as a loader
    would, for a definition that makes no sense, and BtfTypeError for broken types.
    """
    found = [*_legacy(prepared)]
    if prepared.btf is not None:
        found += _defined(prepared.btf)
    found += _sections(prepared)
    if kconfig.contents:
        plan = _global(KCONFIG, "config", len(kconfig.contents), read_only=True)
        found.append(replace(plan, contents=kconfig.contents, value_type_id=kconfig.type_id))
    return tuple(_adjusted(plan, cpus) for plan in found)


def _adjusted(plan: MapPlan, cpus: int) -> MapPlan:
    if plan.type == numbers.MAP_TYPES["PERF_EVENT_ARRAY"] and not plan.max_entries:
        plan = replace(plan, max_entries=cpus)
    plan = _sized(plan)
    if plan.type in numbers.RING_BUFFERS:
        plan = replace(plan, max_entries=_ring_size(plan.max_entries))
    if plan.type in numbers.MAP_OF_MAPS:
        plan = replace(plan, key_size=plan.key_size or _FD_BYTES, value_size=_FD_BYTES)
    if plan.type in numbers.MAPS_WITHOUT_BTF:
        plan = replace(plan, key_type_id=VOID, value_type_id=VOID)
    return plan


def _sized(plan: MapPlan) -> MapPlan:
    """Give a size to a map that has none and that the kernel would refuse for it."""
    given = plan
    if plan.type == numbers.MAP_TYPES["STACK_TRACE"]:
        value = plan.value_size or STACK_DEPTH * 8
        plan = replace(plan, key_size=plan.key_size or 4, value_size=value)
    if not plan.max_entries and plan.type in numbers.NEED_ENTRIES:
        plan = replace(plan, max_entries=ENTRIES)
    if plan.inner is not None:
        plan = replace(plan, inner=_sized(plan.inner))
    return plan if plan == given else replace(plan, sized=True)


def _ring_size(size: int) -> int:
    """The next power of two that is a multiple of a page."""
    if size and not size & size - 1 and not size % _PAGE:
        return size
    rounded = _PAGE
    while rounded < size and rounded < 1 << 31:
        rounded <<= 1
    return rounded


def kernel_name(text: str) -> str:
    """A name as the kernel takes it: 15 characters, letters, digits, `_` and `.`."""
    return "".join(c if c.isascii() and (c.isalnum() or c in "_.") else "_" for c in text)[
        :_NAME_BYTES
    ]


# --- .maps ----------------------------------------------------------------------------------


def _defined(btf: Btf) -> Iterator[MapPlan]:
    for type_id in btf.ids_named(".maps"):
        section = btf.type(type_id)
        if section.kind is not BtfKind.DATASEC:
            continue
        for row in section.variables:
            variable = btf.type(row.type_id)
            struct_type = skip_modifiers_and_typedefs(btf, variable.type_id)
            yield _definition(btf, variable.name, struct_type)


def _definition(btf: Btf, name: str, known: BtfType, *, inner: bool = False) -> MapPlan:
    if known.kind is not BtfKind.STRUCT:
        raise Refusal("EINVAL", f"map '{name}': unexpected def kind {known.kind.word}.")
    plan = MapPlan(name, kernel_name(name))
    for member in known.members:
        plan = _attribute(btf, plan, member, inner=inner)
    if not plan.type:
        raise Refusal("EINVAL", f"map '{name}': map type isn't specified.")
    return plan


def _attribute(btf: Btf, plan: MapPlan, member: Member, *, inner: bool) -> MapPlan:
    if member.name in _UINTS:
        value = _uint(btf, plan.symbol, member)
        return replace(plan, **{_UINTS[member.name]: value})  # type: ignore[arg-type]
    if member.name in ("key", "value"):
        pointer = skip_modifiers_and_typedefs(btf, member.type_id)
        if pointer.kind is not BtfKind.PTR:
            raise Refusal(
                "EINVAL",
                f"map '{plan.symbol}': {member.name} spec is not PTR: {pointer.kind.word}.",
            )
        size = size_of(btf, pointer.type_id)
        if member.name == "key":
            return replace(plan, key_size=size, key_type_id=pointer.type_id)
        return replace(plan, value_size=size, value_type_id=pointer.type_id)
    if member.name == "values":
        return _values(btf, plan, member, inner=inner)
    if member.name in _IGNORED:
        return plan
    raise Refusal("EOPNOTSUPP", f"map '{plan.symbol}': unknown field '{member.name}'.")


def _uint(btf: Btf, name: str, member: Member) -> int:
    """The number of an `__uint`: a pointer to an array of so many elements."""
    pointer = skip_modifiers_and_typedefs(btf, member.type_id)
    if pointer.kind in (BtfKind.ENUM, BtfKind.ENUM64):  # __ulong, as for map_extra
        return pointer.enumerators[0].value if pointer.enumerators else 0
    array = btf.type(pointer.type_id) if pointer.kind is BtfKind.PTR else pointer
    if array.kind is not BtfKind.ARRAY:
        raise Refusal(
            "EINVAL", f"map '{name}': attr '{member.name}': expected ARRAY, got {array.kind.word}."
        )
    return array.nelems


def _values(btf: Btf, plan: MapPlan, member: Member, *, inner: bool) -> MapPlan:
    """`__array(values, ...)`: what a map of maps, or of programs, holds."""
    array = skip_modifiers_and_typedefs(btf, member.type_id)
    pointer = skip_modifiers_and_typedefs(btf, array.type_id)
    if inner or array.kind is not BtfKind.ARRAY or pointer.kind is not BtfKind.PTR:
        raise Refusal("EINVAL", f"map '{plan.symbol}': map-in-map inner spec is not an array.")
    behind = skip_modifiers_and_typedefs(btf, pointer.type_id)
    plan = replace(plan, value_size=_FD_BYTES)
    if behind.kind is BtfKind.FUNC_PROTO:
        return plan
    return replace(plan, inner=_definition(btf, f"{plan.symbol}.inner", behind, inner=True))


# --- maps -----------------------------------------------------------------------------------


def _legacy(prepared: PreparedObject) -> Iterator[MapPlan]:
    obj = prepared.obj
    section = obj.section("maps")
    if section is None:
        return
    for symbol in obj.symbols:
        if symbol.section != section.index or symbol.type not in ("object", "notype"):
            continue
        if not symbol.name:
            continue
        if symbol.value + _LEGACY.size > len(section.data):
            raise Refusal("EINVAL", f"map '{symbol.name}' leaves the section maps")
        words = _LEGACY.unpack_from(section.data, symbol.value)
        yield MapPlan(symbol.name, kernel_name(symbol.name), *words)


# --- sections of globals --------------------------------------------------------------------


def _sections(prepared: PreparedObject) -> Iterator[MapPlan]:
    seen = set()
    for section in prepared.obj.sections:
        kind = section.name.split(".")[1:2]
        if kind not in (["data"], ["rodata"], ["bss"]) or section.name in seen:
            continue
        if section.name.startswith((".rel", ".debug")) or not section.size:
            continue
        seen.add(section.name)
        yield _section(prepared, section, kind[0])


def _section(prepared: PreparedObject, section: Section, kind: str) -> MapPlan:
    if section.size > limits.GLOBALS_BYTES:
        raise Refusal("E2BIG", f"section {section.name} has {section.size} bytes")
    plan = _global(section.name, section.name, section.size, read_only=kind == "rodata")
    variables = _datasec(prepared.btf, section.name)
    if variables is not None:
        mmapable = any(prepared.btf.type(row.type_id).linkage for row in variables.variables)  # type: ignore[union-attr]
        flags = plan.flags | (numbers.F_MMAPABLE if mmapable else 0)
        plan = replace(plan, value_type_id=variables.id, flags=flags)
    return plan if kind == "bss" else replace(plan, contents=section.data)


def _global(symbol: str, name: str, size: int, *, read_only: bool) -> MapPlan:
    return MapPlan(
        symbol,
        kernel_name(name),
        type=numbers.MAP_TYPES["ARRAY"],
        key_size=4,
        value_size=size,
        max_entries=1,
        flags=numbers.F_RDONLY_PROG if read_only else 0,
        frozen=read_only,
    )


def _datasec(btf: Btf | None, name: str) -> BtfType | None:
    for type_id in btf.ids_named(name) if btf is not None else ():
        known = btf.type(type_id)  # type: ignore[union-attr]
        if known.kind is BtfKind.DATASEC:
            return known
    return None
