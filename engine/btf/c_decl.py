"""The C text of one type, and which other types must stand before it.

    struct foo { struct bar b; struct baz *z; };      needs bar complete; baz needs nothing, for C
                                                      declares it where it is first pointed at
    typedef int (*fn_t)(struct foo *);                needs `struct foo;` before, or else foo would
                                                      be another type, local to the parameter list

Follows: libbpf src/btf_dump.c for the shape of the text (tabs, order of qualifiers).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from engine import limits
from engine.btf.c_layout import CLayout
from engine.btf.c_names import CNames, alias_of, c_identifier, standard_type
from engine.btf.decode import Btf
from engine.btf.kinds import BtfKind, BtfType, Enumerator, Member, TypeId
from engine.errors import BtfTypeError

_QUALIFIERS: Final = {
    BtfKind.CONST: "const",
    BtfKind.VOLATILE: "volatile",
    BtfKind.RESTRICT: "restrict",
}
_ENUM_MODES: Final = {1: "byte", 2: "HI", 8: "DI"}
VA_LIST: Final = "__builtin_va_list"
"""A typedef that clang has already; its size on BPF is not the kernel's."""
_MOST_NESTED: Final = 24
"""Declarations inside of each other: parameters of parameters, anonymous structs; kernels: 8."""
_INT_MAX: Final = (1 << 31) - 1
_UINT_MAX: Final = (1 << 32) - 1


@dataclass(slots=True)
class Needs:
    """What must stand before a definition: types by value, and names used in parameter lists."""

    complete: dict[TypeId, None] = field(default_factory=dict)
    declared: dict[TypeId, None] = field(default_factory=dict)
    inline_enums: list[TypeId] = field(default_factory=list)
    """Anonymous enums inside the text; their enumerators must not be declared twice."""


@dataclass(frozen=True, slots=True)
class Definition:
    """The text of a definition, its semicolon and line end included, and what it needs."""

    text: str
    needs: Needs


class Declarations:
    """Writes the types of one BTF as C."""

    def __init__(self, btf: Btf, names: CNames, *, param_names: bool = False) -> None:
        self._btf = btf
        self._param_names = param_names
        self._nested = 0
        self.names = names
        self._layout = CLayout(btf)
        self.enum_copies: dict[int, int] = {}
        """Anonymous enums that stand in the output already: id -> how often."""

    def define(self, known: BtfType) -> Definition:
        """The definition of a struct, union, enum, typedef, or of a number with its own name.

        An anonymous enum gets one too. Raises BtfTypeError for a struct that contains itself.
        """
        needs = Needs()
        match known.kind:
            case BtfKind.STRUCT | BtfKind.UNION:
                text = self._composite(known, needs, "", named=True)
            case BtfKind.ENUM | BtfKind.ENUM64:
                text = self._enum(known, "", needs)
            case BtfKind.TYPEDEF:
                name = self.names.of(known)
                text = "typedef " + self.declare(known.type_id, name, needs, by_value=False)
            case BtfKind.INT | BtfKind.FLOAT:
                plain = alias_of(known) or f"struct {{ unsigned char bytes[{known.size}]; }}"
                text = f"typedef {plain} {self.names.of(known)}"
            case _:
                text = self.declare(known.id, "", needs)
        return Definition(text + ";\n", needs)

    def declare(
        self,
        type_id: int,
        name: str,
        needs: Needs,
        indent: str = "",
        *,
        by_value: bool = True,
        in_params: bool = False,
    ) -> str:
        """A declaration of `name` with this type, read from the inside out, without semicolon.

        Anonymous structs and enums are written in place, with `indent` before their members.
        Without `by_value` a struct may be incomplete, as in a typedef or a parameter list.
        """
        self._nested += 1
        if self._nested > _MOST_NESTED:
            raise _endless(type_id)
        try:
            return self._declare(type_id, name, needs, indent, by_value, in_params)
        finally:
            self._nested -= 1

    def _declare(
        self, type_id: int, name: str, needs: Needs, indent: str, by_value: bool, in_params: bool
    ) -> str:
        inner, qualifiers = name, ""
        current = self._btf.type(type_id)
        for _ in range(limits.TYPE_CHAIN_STEPS * 2):
            kind = current.kind
            if kind is BtfKind.PTR:
                restricted = qualifiers and f"{qualifiers} " if inner else qualifiers
                inner, qualifiers, by_value = f"*{restricted}{inner}", "", False
            elif kind in _QUALIFIERS:
                word = _QUALIFIERS[kind]
                if word not in qualifiers:
                    qualifiers = f"{qualifiers} {word}" if qualifiers else word
            elif kind is BtfKind.ARRAY:
                inner = f"({inner})" if inner.startswith("*") else inner
                inner = f"{inner}[{current.nelems}]"
                by_value = True  # elements must be complete, even behind a pointer
            elif kind is BtfKind.FUNC_PROTO:
                inner = f"({inner})" if inner.startswith("*") else inner
                inner = f"{inner}({self._params(current, needs)})"
                qualifiers, by_value = "", False
            elif kind is not BtfKind.TYPE_TAG and not self._transparent(current):
                base = self._base(current, needs, indent, by_value, in_params)
                before = qualifiers.replace("restrict", "").strip()
                return f"{before} {base} {inner}".strip() if before else f"{base} {inner}".rstrip()
            current = self._btf.type(current.type_id)
        raise _endless(type_id)

    def members(self, known: BtfType, needs: Needs, indent: str) -> list[str]:
        """The lines of a struct's or union's body."""
        layout = self._layout.of(known)
        if layout.opaque:
            return [f"{indent}unsigned char __opaque[{known.size}]; /* no C layout fits */"]
        lines = []
        for row in layout.rows:
            if isinstance(row, int):
                lines.append(f"{indent}long: {row};")
            else:
                lines.append(f"{indent}{self._member(row, needs, indent)};")
        return lines

    def _member(self, member: Member, needs: Needs, indent: str) -> str:
        if not member.name:
            # An unnamed member of a named type (-fms-extensions) is written as what it holds.
            held = self._btf.type(member.type_id)
            while held.kind in _QUALIFIERS or held.kind is BtfKind.TYPEDEF:
                held = self._btf.type(held.type_id)
            if held.is_composite:
                return self._composite(held, needs, indent, named=False)
        name = c_identifier(member.name)
        text = self.declare(member.type_id, name, needs, indent)
        return f"{text}: {member.bitfield_size}" if member.bitfield_size else text

    def _composite(self, known: BtfType, needs: Needs, indent: str, *, named: bool) -> str:
        word = known.kind.word
        head = f"{word} {self.names.of(known)}" if named and known.name else word
        layout = self._layout.of(known)
        lines = self.members(known, needs, indent + "\t")
        attributes = ""
        if layout.packed:
            attributes = " __attribute__((packed))"
        elif layout.aligned:
            attributes = f" __attribute__((aligned({layout.aligned})))"
        if not lines:
            return f"{head} {{}}{attributes}"
        return "\n".join((f"{head} {{", *lines, f"{indent}}}{attributes}"))

    def _params(self, proto: BtfType, needs: Needs) -> str:
        params = []
        for number, param in enumerate(proto.params, 1):
            if not param.type_id and number == proto.vlen:
                params.append("...")
            else:
                name = c_identifier(param.name) if self._param_names and param.name else ""
                text = self.declare(param.type_id, name, needs, by_value=False, in_params=True)
                params.append(text)
        if params == ["..."]:
            return ""  # C wants a named parameter before the dots
        return ", ".join(params) or "void"

    def _transparent(self, known: BtfType) -> bool:
        """A typedef of the kernel's va_list: clang's own name means another type on BPF."""
        return known.kind is BtfKind.TYPEDEF and known.name == VA_LIST and known.type_id != 0

    def _base(
        self, known: BtfType, needs: Needs, indent: str, by_value: bool, in_params: bool
    ) -> str:
        """The type at the bottom of a declaration; notes what it needs."""
        match known.kind:
            case BtfKind.VOID:
                return "void"
            case BtfKind.INT | BtfKind.FLOAT:
                plain = standard_type(known)
                if plain:
                    return plain
                needs.complete[known.id] = None
                return self.names.of(known)
            case BtfKind.STRUCT | BtfKind.UNION:
                if not known.name:
                    return self._composite(known, needs, indent, named=False)
                _note(known.id, needs, by_value, in_params)
                return f"{known.kind.word} {self.names.of(known)}"
            case BtfKind.FWD:
                if in_params:
                    needs.declared[known.id] = None
                return f"{'union' if known.kind_flag else 'struct'} {self.names.of(known)}"
            case BtfKind.ENUM | BtfKind.ENUM64:
                if not known.name:
                    return self._enum(known, indent, needs)
                needs.complete[known.id] = None
                return f"enum {self.names.of(known)}"
            case BtfKind.TYPEDEF:
                if known.name == VA_LIST:
                    return VA_LIST
                _note(known.id, needs, by_value, in_params=True)
                return self.names.of(known)
        raise BtfTypeError(
            f"[{known.id}] {known.kind.word} cannot stand in a declaration",
            place=f"type [{known.id}] of .BTF",
        )

    def _enum(self, known: BtfType, indent: str, needs: Needs) -> str:
        head = f"enum {self.names.of(known)}" if known.name else "enum"
        if not known.enumerators:
            return head
        suffix = "" if known.name else self._copy_suffix(known, needs)
        lines = [
            f"{indent}\t{self.names.enumerator(known.id, row.name)}{suffix} = {literal},"
            for row, literal in enum_values(known)
        ]
        return "\n".join((f"{head} {{", *lines, f"{indent}}}{_enum_attribute(known)}"))

    def _copy_suffix(self, known: BtfType, needs: Needs) -> str:
        """An anonymous enum written in several places has its own enumerators in each."""
        needs.inline_enums.append(known.id)
        copies = self.enum_copies.get(known.id, 0)
        self.enum_copies[known.id] = copies + 1
        return f"___copy{copies}" if copies else ""


def _endless(type_id: int) -> BtfTypeError:
    return BtfTypeError(
        f"type [{type_id}] leads through too many other types, or through itself",
        place=f"type [{type_id}] of .BTF",
    )


def _note(type_id: TypeId, needs: Needs, by_value: bool, in_params: bool) -> None:
    if by_value:
        needs.complete[type_id] = None
    elif in_params:
        needs.declared[type_id] = None


def enum_values(known: BtfType) -> list[tuple[Enumerator, str]]:
    """Each enumerator with its value as a C constant.

    Kernels before 6.0 do not say whether an enum is signed; in an enum of one or two bytes a value
    near 2^32 can only be a negative one.
    """
    values: Sequence[int] = [row.value for row in known.enumerators]
    if known.kind is BtfKind.ENUM and known.size < 4 and not known.kind_flag:
        values = [value - (1 << 32) if value >> 31 else value for value in values]
    return [(row, _literal(value)) for row, value in zip(known.enumerators, values, strict=True)]


def _literal(value: int) -> str:
    if -_INT_MAX <= value <= _INT_MAX:
        return str(value)
    if value > 0:
        return f"{value}U" if value <= _UINT_MAX else f"{value}ULL"
    if value == -_INT_MAX - 1:
        return f"(-{_INT_MAX} - 1)"
    return f"({value + 1}LL - 1)"


def _enum_attribute(known: BtfType) -> str:
    """What gives the enum its size; without an attribute clang chooses 4 bytes, or 8 if it must."""
    values = [row.value for row in known.enumerators]
    low, high = min(values), max(values)
    fits = low >= -_INT_MAX - 1 and high <= (_INT_MAX if low < 0 else _UINT_MAX)
    if known.size == (4 if fits else 8) or known.size not in _ENUM_MODES:
        return ""
    if known.size < 4 and low >= 0 and 1 << known.size * 8 - 1 <= high < 1 << known.size * 8:
        return " __attribute__((packed))"  # a mode would make it signed, and the value too large
    return f" __attribute__((mode({_ENUM_MODES[known.size]})))"
