"""C that stands on its own: flavors of a kernel's types with just the member that is read.

A flavor is a type whose name goes on after three underscores; a loader looks for it without
them. With its own flavor a fix needs no vmlinux.h and gets on with any.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from engine.btf.decode import Btf
from engine.btf.kinds import INT_BOOL, INT_SIGNED, BtfKind, BtfType
from engine.btf.resolve import skip_modifiers_and_typedefs
from engine.errors import EngineError

Steps = tuple[str | int, ...]
"""A path as C writes it: member names and array indices."""

PRESERVE: Final = "__attribute__((preserve_access_index))"
_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,127}")
_KEYWORDS: Final = (
    "asm auto break case char const continue default do double else enum extern float for goto if "
    "inline int long register restrict return short signed sizeof static struct switch typedef "
    "typeof union unsigned void volatile while _Alignas _Alignof _Atomic _Bool _Generic _Noreturn "
    "_Static_assert _Thread_local linux unix"
)
_TAKEN: Final = frozenset(_KEYWORDS.split())
_INTEGERS: Final = {1: "char", 2: "short", 4: "int", 8: "long long"}
_MOST_ELEMENTS: Final = 1 << 20


@dataclass(frozen=True, slots=True)
class Leaf:
    """The field at the end of a path, as a flavor declares it.

    before  definitions that the declaration needs
    type    what stands before its name
    behind  what stands after it: array bounds, the width of a bitfield
    value   the type to return it as; empty when it can only be copied
    """

    before: str
    type: str
    behind: str
    value: str


def is_name(name: str) -> bool:
    """Whether a name from BTF can be written in C."""
    return bool(_NAME.fullmatch(name)) and name not in _TAKEN


def can_flavor(name: str) -> bool:
    """Whether every loader finds `name` when a flavor of it is written."""
    return is_name(name) and "___" not in name and not name.endswith("_")


def leaf_of(btf: Btf, type_id: int, bits: int = 0, suffix: str = "") -> Leaf | None:
    """How a flavor declares a field of this type; None for what it cannot.

    `suffix` keeps the names of enums apart.
    """
    try:
        return _leaf(btf, type_id, bits, suffix)
    except EngineError:
        return None


def _leaf(btf: Btf, type_id: int, bits: int, suffix: str) -> Leaf | None:
    found = skip_modifiers_and_typedefs(btf, type_id)
    if found.kind is BtfKind.INT:
        number = integer(found)
        return Leaf("", number, f" : {bits}" if bits else "", number) if number else None
    if found.kind is BtfKind.PTR:
        return Leaf("", "void *", "", "void *")
    if found.is_enum:
        return _enum_leaf(found, bits, suffix)
    if found.is_composite:
        return Leaf("", f"{found.kind.word} {{ char any; }}", "", "")
    if found.kind is BtfKind.ARRAY:
        element = _leaf(btf, found.type_id, 0, suffix)
        if element is None or found.nelems > _MOST_ELEMENTS:
            return None
        return Leaf(element.before, element.type, f"[{found.nelems or ''}]{element.behind}", "")
    return None


def integer(found: BtfType) -> str:
    """An integer type in plain words of C; empty for widths that C has no word for."""
    if found.int_encoding & INT_BOOL and found.size == 1:
        return "_Bool"
    word = _INTEGERS.get(found.size, "")
    if not word:
        return ""
    sign = "signed " if word == "char" else ""
    return f"{sign}{word}" if found.int_encoding & INT_SIGNED else f"unsigned {word}"


def _enum_leaf(found: BtfType, bits: int, suffix: str) -> Leaf | None:
    """An enum of the same name, of which one enumerator will do."""
    value = "int" if found.kind_flag else "unsigned int"
    if found.size == 8:
        value = "long long" if found.kind_flag else "unsigned long long"
    behind = f" : {bits}" if bits else ""
    if not found.name:
        return Leaf("", f"enum {{ any{suffix} }}", behind, value)
    if not can_flavor(found.name):
        return None
    tag = f"{found.name}{suffix}"
    return Leaf(f"enum {tag} {{ any_{tag} }};\n", f"enum {tag}", behind, value)


def steps_in_c(steps: Steps) -> str:
    """A path as C writes it behind `->`: `thread_info.cpu`, `slots[3].key`."""
    written = ""
    for step in steps:
        if isinstance(step, int):
            written += f"[{step}]"
        else:
            written += f".{step}" if written else step
    return written


def can_write(steps: Steps) -> bool:
    """Whether a path can be written in C from a pointer to its struct."""
    if not steps or isinstance(steps[0], int):
        return False
    return all(isinstance(step, int) or is_name(step) for step in steps)


def flavor(keyword: str, tag: str, fields: Sequence[tuple[Steps, Leaf]]) -> str:
    """Define `struct tag` with the members that lead to each field.

    `keyword` is struct, union or typedef. Fields must not share their first member.
    """
    before = "".join(dict.fromkeys(leaf.before for _, leaf in fields))
    members = "".join(f"\t{_member(steps, leaf)}\n" for steps, leaf in fields)
    if keyword == "typedef":
        return f"{before}typedef struct {{\n{members}}} {PRESERVE} {tag};\n"
    return f"{before}{keyword} {tag} {{\n{members}}} {PRESERVE};\n"


def _member(steps: Steps, leaf: Leaf) -> str:
    kind, behind = leaf.type, leaf.behind
    declared = ""
    for step in reversed(steps):
        if isinstance(step, int):
            behind = f"[{step + 1}]{behind}"
            continue
        space = "" if kind.endswith("*") else " "
        declared = f"{kind}{space}{step}{behind};"
        kind, behind = f"struct {{ {declared} }}", ""
    return declared


def number(value: int) -> str:
    """An integer constant in C, with the suffix that it needs."""
    if value == -(1 << 63):
        return "(-9223372036854775807LL - 1)"
    if value >= 1 << 63:
        return f"{value}ULL"
    return f"{value}LL" if not -(1 << 31) < value < 1 << 31 else str(value)
