"""BTF as C: a whole kernel's vmlinux.h, a slice of it, or one type.

The header compiles with clang for BPF, gives every struct the layout that the BTF has, and marks
all records with preserve_access_index, so that accesses become CO-RE relocations.

Follows: bpftool's `btf dump file X format c` (guard, attribute, suffixes of repeated names).
"""

from __future__ import annotations

from collections.abc import Set
from dataclasses import dataclass
from typing import Final

from engine.btf.c_decl import VA_LIST, Declarations, Definition, Needs
from engine.btf.c_names import CNames
from engine.btf.cdump_order import Ordered
from engine.btf.cdump_slice import closure, identifiers
from engine.btf.decode import Btf
from engine.btf.kinds import COMPOSITE_KINDS, ENUM_KINDS, BtfKind, TypeId
from engine.btf.scan import ids_of_kinds

__all__ = ["dump_header", "identifiers", "slice_header", "type_as_c"]

HEADER_KINDS: Final = COMPOSITE_KINDS | ENUM_KINDS | {BtfKind.TYPEDEF, BtfKind.FWD}
_LINKAGE: Final = {0: "static ", 2: "extern "}
_CACHE_KEY: Final = __name__
_MOST_CACHED: Final = 6000
"""Definitions kept for the next slice of the same kernel; about 2 MB of text."""
_GUARD: Final = "#ifndef __VMLINUX_H__\n#define __VMLINUX_H__\n\n"
_GUARD_END: Final = "\n#endif /* __VMLINUX_H__ */\n"
_ATTRIBUTE: Final = """\
#ifndef BPF_NO_PRESERVE_ACCESS_INDEX
#pragma clang attribute push (__attribute__((preserve_access_index)), apply_to = record)
#endif

"""
_ATTRIBUTE_END: Final = """
#ifndef BPF_NO_PRESERVE_ACCESS_INDEX
#pragma clang attribute pop
#endif
"""


@dataclass(frozen=True, slots=True)
class _Written:
    """Definitions of one kernel that earlier slices held."""

    declarations: Declarations
    definitions: dict[int, Definition]


def dump_header(btf: Btf) -> str:
    """The vmlinux.h of a kernel: all structs, unions, enums and typedefs.

    Functions and variables are left out. Takes seconds for a whole kernel; callers keep the result.
    Raises BtfTypeError for types that contain themselves.
    """
    ordered = Ordered(btf, Declarations(btf, CNames(btf)))
    anonymous = []
    for type_id in ids_of_kinds(btf, HEADER_KINDS):
        name = btf.name(type_id)
        if name and name != VA_LIST:
            ordered.complete(type_id)
        elif not name and btf.kind(type_id) in ENUM_KINDS:
            anonymous.append(type_id)
    for type_id in anonymous:
        ordered.loose_enum(type_id)
    return _wrapped(ordered.text)


def slice_header(btf: Btf, names: Set[str]) -> str:
    """The part of the vmlinux.h that a program with these names needs.

    `names` are all identifiers of the program's own files; what libbpf's headers need is added.
    Definitions read the same as in `dump_header`. Raises BtfTypeError as that does.
    """
    complete, loose_enums = closure(btf, names)
    written = btf.caches.get(_CACHE_KEY)
    if not isinstance(written, _Written) or len(written.definitions) > _MOST_CACHED:
        written = btf.caches[_CACHE_KEY] = _Written(Declarations(btf, CNames(btf)), {})
    ordered = Ordered(btf, written.declarations, written.definitions)
    for type_id in complete:
        if btf.name(type_id):
            ordered.complete(type_id)
    for type_id in loose_enums:
        ordered.loose_enum(type_id)
    return _wrapped(ordered.text)


def _wrapped(definitions: str) -> str:
    """Definitions with include guard and the attribute for CO-RE."""
    if "struct " in definitions or "union " in definitions:  # clang warns if it applies to nothing
        definitions = f"{_ATTRIBUTE}{definitions}{_ATTRIBUTE_END}"
    return f"{_GUARD}{definitions}{_GUARD_END}"


def type_as_c(btf: Btf, type_id: TypeId) -> str:
    """One type as C, its members included; named types in it are only named.

    A function is its prototype with the names of its parameters, a variable its declaration; what
    C has no words for (sections, tags) is a comment. Raises BtfTypeError for an id outside the
    graph or a type that contains itself.
    """
    known = btf.type(type_id)
    declarations = Declarations(btf, CNames(btf), param_names=True)
    if known.kind in HEADER_KINDS or known.kind in (BtfKind.INT, BtfKind.FLOAT):
        return declarations.define(known).text
    if known.kind in (BtfKind.FUNC, BtfKind.VAR):
        word = _LINKAGE.get(known.linkage, "")
        return f"{word}{declarations.declare(known.type_id, known.name, Needs())};\n"
    if known.kind is BtfKind.DECL_TAG:
        where = "" if known.component_idx < 0 else f", part {known.component_idx}"
        return f'/* tag "{known.name}" of type [{known.type_id}]{where} */\n'
    if known.kind is BtfKind.DATASEC:
        rows = [
            f"/* +{row.offset:#x} */ {type_as_c(btf, row.type_id)}"
            for row in known.variables
            if btf.kind(row.type_id) is BtfKind.VAR
        ]
        return f"/* section {known.name}, {known.size} bytes */\n{''.join(rows)}"
    return declarations.declare(type_id, "", Needs()) + ";\n"
