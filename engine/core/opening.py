"""What libbpf refuses when it opens an object, long before it relocates anything.

Follows: libbpf src/libbpf.c bpf_object__elf_collect, bpf_object__add_programs,
bpf_object__collect_externs @ v1.7.0, @ v0.8.0.
"""

from __future__ import annotations

from collections.abc import Iterator

from engine.btf.decode import Btf
from engine.btf.kinds import BtfKind
from engine.core.policy import ReadingRules
from engine.core.prepare import PreparedObject
from engine.core.result import LoaderError
from engine.elf.symbols import SHN_UNDEF

_EXTERN = 2
"""BTF_VAR_GLOBAL_EXTERN and BTF_FUNC_EXTERN: Linux include/uapi/linux/btf.h."""


def section_refusals(prepared: PreparedObject, rules: ReadingRules) -> Iterator[LoaderError]:
    """Refusals of sections, in the order of the file."""
    if not rules.opens_as_libbpf:
        return
    static = {
        symbol.section: symbol.name
        for symbol in reversed(prepared.obj.symbols)
        if symbol.type == "func" and symbol.bind == "local"
    }
    for section in prepared.obj.sections:
        if section.name == "maps" and rules.legacy_maps_refused:
            words = "elf: legacy map definitions in 'maps' section are not supported by"
            yield LoaderError("EOPNOTSUPP", f"{words} libbpf v1.0+")
        if section.is_code and section.size and section.name != ".text" and section.index in static:
            yield LoaderError(
                "EOPNOTSUPP",
                f"sec '{section.name}': program '{static[section.index]}' is static and "
                "not supported",
            )


def extern_refusals(prepared: PreparedObject, rules: ReadingRules) -> Iterator[LoaderError]:
    """Refusals of externs that BTF says nothing, or the wrong thing, about."""
    if not rules.opens_as_libbpf:
        return
    for symbol in prepared.obj.symbols:
        outside = symbol.section == SHN_UNDEF and symbol.type == "notype"
        if not outside or symbol.bind not in ("global", "weak") or not symbol.name:
            continue
        place = f"failed to find BTF for extern '{symbol.name}'"
        if prepared.btf is None:
            yield LoaderError("ESRCH", f"{place}: -3")
            continue
        found = _declaration(prepared.btf, symbol.name)
        if not found:
            yield LoaderError("ENOENT", f"{place}: -2")
        elif prepared.btf.type(found).linkage != _EXTERN:
            yield LoaderError("EINVAL", f"{place}: -22")
        else:
            yield from _section_refusals(prepared.btf, found, place)


def _declaration(btf: Btf, name: str) -> int:
    """The first variable or function of this name, 0 where there is none."""
    kinds = (BtfKind.VAR, BtfKind.FUNC)
    return next((found for found in btf.ids_named(name) if btf.kind(found) in kinds), 0)


def _section_refusals(btf: Btf, extern: int, place: str) -> Iterator[LoaderError]:
    for type_id in range(btf.first_of(BtfKind.DATASEC) or len(btf), len(btf)):
        if btf.kind(type_id) is not BtfKind.DATASEC:
            continue
        section = btf.type(type_id)
        if any(variable.type_id == extern for variable in section.variables):
            if section.name not in (".kconfig", ".ksyms"):
                yield LoaderError("EOPNOTSUPP", f"unrecognized extern section '{section.name}'")
            return
    yield LoaderError("ENOENT", f"{place} [{extern}] section: -2")
