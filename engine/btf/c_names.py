"""What each type and enumerator is called in C, where BTF allows names that C does not.

C has one namespace for struct, union and enum tags and one for typedefs and enumerators. A kernel
holds several types of one name; in C all but the first get a suffix, `context___2`, which CO-RE
takes for a flavor and ignores. The suffix depends on the BTF alone, never on what is printed, so
a slice of a header says the same names as the whole.

Follows: libbpf src/btf_dump.c (the form of the suffix), C17 6.4.1 (keywords).
"""

from __future__ import annotations

import re
from typing import Final

from engine.btf.decode import Btf
from engine.btf.kinds import ENUM_KINDS, INT_BOOL, INT_SIGNED, BtfKind, BtfType, TypeId
from engine.btf.scan import name_table

_TAG_KINDS: Final = frozenset({BtfKind.STRUCT, BtfKind.UNION}) | ENUM_KINDS
_IDENT_KINDS: Final = frozenset({BtfKind.TYPEDEF, BtfKind.INT, BtfKind.FLOAT})
_INT_WORDS: Final = frozenset(
    {"char", "short", "int", "long", "signed", "unsigned", "_Bool", "__int128"}
)
_INT_OF_SIZE: Final = {1: "char", 2: "short", 4: "int", 8: "long", 16: "__int128"}
_FLOAT_OF_SIZE: Final = {4: "float", 8: "double"}
_NOT_WORD: Final = re.compile(r"[^A-Za-z0-9_]")
KEYWORDS: Final = frozenset(
    {"auto", "break", "case", "char", "const", "continue", "default", "do", "double", "else"}
    | {"enum", "extern", "float", "for", "goto", "if", "inline", "int", "long", "register"}
    | {"restrict", "return", "short", "signed", "sizeof", "static", "struct", "switch", "typedef"}
    | {"union", "unsigned", "void", "volatile", "while", "_Alignas", "_Alignof", "_Atomic"}
    | {"_Bool", "_Complex", "_Generic", "_Imaginary", "_Noreturn", "_Static_assert"}
    | {"_Thread_local", "asm", "typeof", "__int128", "__asm__", "__attribute__", "__auto_type"}
    | {"__const", "__extension__", "__func__", "__inline", "__label__", "__restrict", "__thread"}
    | {"__volatile__", "_Float16", "_Float128", "__float128", "__fp16", "__bf16", "__ibm128"}
)
"""Words that no name may be in GNU C17, which clang speaks by default up to version 19."""


def c_identifier(name: str) -> str:
    """The name itself, or the nearest identifier when it is a keyword or none at all.

    Rust names such as `Option<u32>` become `Option_u32_`.
    """
    if name in KEYWORDS:
        return name + "_"
    if name.isidentifier() and name.isascii():
        return name
    return "_" * name[:1].isdigit() + _NOT_WORD.sub("_", name)


def standard_type(known: BtfType) -> str:
    """The C type of an INT or FLOAT if its name means it on BPF, else an empty string."""
    if known.kind is BtfKind.FLOAT:
        return known.name if _FLOAT_OF_SIZE.get(known.size) == known.name else ""
    return known.name if _INT_WORDS.issuperset(known.name.split()) else ""


def alias_of(known: BtfType) -> str:
    """The C type that an INT or FLOAT with a name of its own (`__Poly8_t`) is a typedef of.

    Empty when BPF has no such type, as for a floating point number of 16 bytes.
    """
    if known.kind is BtfKind.FLOAT:
        return _FLOAT_OF_SIZE.get(known.size, "")
    if known.int_encoding & INT_BOOL and known.size == 1:
        return "_Bool"
    word = _INT_OF_SIZE.get(known.size, "")
    return f"{'signed' if known.int_encoding & INT_SIGNED else 'unsigned'} {word}" if word else ""


class CNames:
    """The C names of one BTF's types; names already asked for are remembered."""

    def __init__(self, btf: Btf) -> None:
        self._btf = btf
        self._table = name_table(btf)
        self._names: dict[int, str] = {}

    def of(self, known: BtfType) -> str:
        """The tag or typedef name of a named type, without `struct` and the like."""
        found = self._names.get(known.id)
        if found is None:
            found = c_identifier(known.name)
            if found != known.name or not found:
                # another name may be spelled the same; one that is not UTF-8 cannot be looked up;
                # a typedef without a name is malformed
                found = f"{found or 'anon'}_{known.id}"
            elif (rank := self._rank(known)) > 1:
                found = self._suffixed(found, rank)
            self._names[known.id] = found
        return found

    def enumerator(self, enum_id: int, name: str) -> str:
        """The name of an enumerator: suffixed when a typedef or an earlier enum has it too."""
        holders = self.enums_with(name)
        clashes = self._idents(name)
        if len(holders) == 1 and not clashes:
            return c_identifier(name)
        # an enum that repeats a name in itself is malformed; the first place counts
        rank = len(clashes) + (holders.index(TypeId(enum_id)) if enum_id in holders else 0) + 1
        return self._suffixed(c_identifier(name), rank) if rank > 1 else c_identifier(name)

    def enums_with(self, name: str) -> tuple[TypeId, ...]:
        """Ids of the enums that have an enumerator of this name, ascending."""
        return self._table.enums_with(name)

    def _rank(self, known: BtfType) -> int:
        """1 for the first of its name in its namespace, 2 for the second ..."""
        if known.kind in _IDENT_KINDS:
            return self._idents(known.name).index(known.id) + 1
        same = self._table.types(known.name)
        if len(same) == 1:
            return 1
        defined = [one for one in same if self._btf.kind(one) in _TAG_KINDS]
        if known.kind is not BtfKind.FWD:
            return defined.index(known.id) + 1
        kind = BtfKind.UNION if known.kind_flag else BtfKind.STRUCT
        for rank, one in enumerate(defined, 1):
            if self._btf.kind(one) is kind:
                return rank
        # a struct and a union that are only declared: whichever kind comes first has the name
        forwards = [one for one in same if self._btf.kind(one) is BtfKind.FWD]
        flags = [self._btf.type(one).kind_flag for one in forwards]
        return len(defined) + 1 + list(dict.fromkeys(flags)).index(known.kind_flag)

    def _idents(self, name: str) -> list[TypeId]:
        """Typedefs of this name, then numbers, which may need one (Rust's `u64`)."""
        named = [(self._btf.kind(one), one) for one in self._table.types(name)]
        idents = [row for row in named if row[0] in _IDENT_KINDS]
        return [one for _, one in sorted(idents, key=lambda row: row[0] is not BtfKind.TYPEDEF)]

    def _suffixed(self, name: str, rank: int) -> str:
        while self._table.types(f"{name}___{rank}"):
            rank += 1
        return f"{name}___{rank}"
