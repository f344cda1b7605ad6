"""An object's BTF as a kernel takes it: sections measured, externs allocated, new kinds replaced.

The words are changed in place, so ids stay what the instructions and records say.

Follows: libbpf src/libbpf.c btf_fixup_datasec, bpf_object__collect_externs,
bpf_object__sanitize_btf, bpf_object__sanitize_and_load_btf @ v1.7.0. The other loaders write a
BTF of their own for each program; what they put there for a type is the same, and no verdict is
known to depend on the rest, so all loaders are given libbpf's here.
"""

from __future__ import annotations

import re
import struct
from array import array
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from engine.btf.decode import MAGIC, MIN_HEADER_BYTES, Btf
from engine.btf.kinds import BtfKind, BtfType, TypeId
from engine.core.prepare import PreparedObject
from engine.elf.symbols import Symbol
from engine.loaders.loadplan_kconfig import SECTION as KCONFIG

_KSYMS: Final = ".ksyms"
_STATIC, _GLOBAL = 0, 1
_HIDDEN: Final = frozenset({"hidden", "internal"})
_INT_BYTES: Final = 4
_BYTE: Final = 8
"""The word behind an unsigned INT of one byte: encoding 0, offset 0, 8 bits."""

KIND_SINCE: Final[Mapping[BtfKind, tuple[int, int]]] = {
    BtfKind.FLOAT: (5, 13),
    BtfKind.DECL_TAG: (5, 16),
    BtfKind.TYPE_TAG: (5, 17),
    BtfKind.ENUM64: (6, 0),
}
"""The first kernel that knows a kind; those before 5.2 are not told apart.

Source: Linux commits b1828f0b0482, b5ea834dde6b, 8c42d2fa4eea, 6089fb325cf7.
"""
_QMARK_SINCE: Final = (6, 9)
"""Names of sections may begin with `?`; Linux commit 6ebe6dbd6886."""


@dataclass(frozen=True, slots=True)
class LoadableBtf:
    """The bytes for BTF_LOAD, and where its strings are; `string` gives offsets of known texts."""

    data: bytes = field(repr=False)
    offsets: Mapping[bytes, int] = field(repr=False)
    replaced: tuple[str, ...] = ()
    """Kinds that the kernel does not know and that were replaced, in words."""

    def string(self, text: str) -> int:
        """The offset of a text that an object's records use; 0 where it is not there."""
        return self.offsets.get(text.encode("utf-8", "surrogatepass"), 0)


def kernel_version(release: str) -> tuple[int, int]:
    """The first two numbers of a release; (0, 0) for one that is no version."""
    found = re.match(r"(\d{1,4})\.(\d{1,4})", release)
    return (int(found[1]), int(found[2])) if found else (0, 0)


def loadable_btf(
    prepared: PreparedObject,
    btf: Btf,
    release: str,
    *,
    hides_functions: bool,
    kconfig_offsets: Mapping[str, int],
) -> LoadableBtf:
    """Make `btf`, that of `prepared`, loadable on a kernel of this release.

    `kconfig_offsets` places the externs of .kconfig. Raises BtfTypeError for broken references.
    """
    editor = _Editor(btf)
    _measure(editor, prepared)
    _allocate_kconfig(editor, kconfig_offsets)
    _allocate_ksyms(editor)
    if hides_functions:
        _hide_functions(editor, prepared)
    replaced = _sanitise(editor, kernel_version(release))
    return LoadableBtf(editor.encode(), editor.string_offsets(), replaced)


class _Editor:
    """The words of a BTF, with types and strings added behind what is there."""

    def __init__(self, btf: Btf) -> None:
        self.btf = btf
        self.words, self._offsets, strings = btf.parts()
        self.strings = bytearray(strings or b"\0")

    def ids(self, *kinds: BtfKind) -> list[TypeId]:
        wanted = {int(kind) for kind in kinds}
        return [
            TypeId(self.btf.first_id + index)
            for index, at in enumerate(self._offsets)
            if self.words[at + 1] >> 24 & 0x1F in wanted
        ]

    def at(self, type_id: int) -> int:
        """The place of a type's first word."""
        return self._offsets[type_id - self.btf.first_id]

    def kind(self, type_id: int) -> int:
        return self.words[self.at(type_id) + 1] >> 24 & 0x1F

    def set_info(self, type_id: int, kind: BtfKind, vlen: int = 0, *, flag: bool = False) -> None:
        self.words[self.at(type_id) + 1] = flag << 31 | kind << 24 | vlen

    def add(self, name: str, kind: BtfKind, third: int, tail: int) -> TypeId:
        """Add a type whose tail is one word."""
        self._offsets.append(len(self.words))
        self.words.extend((self.add_string(name), kind << 24, third, tail))
        return TypeId(self.btf.first_id + len(self._offsets) - 1)

    def add_string(self, text: str) -> int:
        offset = len(self.strings)
        self.strings += text.encode() + b"\0"
        return offset

    def string_offsets(self) -> dict[bytes, int]:
        found: dict[bytes, int] = {}
        offset = 0
        for text in bytes(self.strings).split(b"\0")[:-1]:
            found.setdefault(text, offset)
            offset += len(text) + 1
        return found

    def encode(self) -> bytes:
        """The section, in the order of the machine that coreplay's guests are: little-endian."""
        types = struct.pack(f"<{len(self.words)}I", *self.words)
        sizes = (0, len(types), len(types), len(self.strings))
        header = struct.pack("<HBBIIIII", MAGIC, 1, 0, MIN_HEADER_BYTES, *sizes)
        return header + types + bytes(self.strings)


def _measure(editor: _Editor, prepared: PreparedObject) -> None:
    """Give data sections their size and variables their place, which compilers leave at 0."""
    obj = prepared.obj
    sizes = {section.name: section.size for section in reversed(obj.sections)}
    symbols = {
        (obj.sections[s.section].name, s.name): s for s in obj.symbols if s.is_defined and s.name
    }
    for type_id in editor.ids(BtfKind.DATASEC):
        known = editor.btf.type(type_id)
        if known.name in (KCONFIG, _KSYMS):
            continue
        at = editor.at(type_id)
        if not known.size:
            editor.words[at + 2] = sizes.get(known.name, 0)
            for row, variable in enumerate(known.variables):
                _place(editor, at + 3 + 3 * row, known.name, variable.type_id, symbols)
        _sort_rows(editor.words, at + 3, len(known.variables))


def _place(
    editor: _Editor,
    row: int,
    section: str,
    variable: TypeId,
    symbols: Mapping[tuple[str, str], Symbol],
) -> None:
    known = editor.btf.type(variable)
    if known.kind is not BtfKind.VAR or known.linkage == _STATIC:
        return
    symbol = symbols.get((section, known.name))
    if symbol is not None:
        editor.words[row + 1] = symbol.value & 0xFFFFFFFF
        if symbol.visibility in _HIDDEN:
            editor.words[editor.at(variable) + 3] = _STATIC


def _sort_rows(words: array[int], at: int, count: int) -> None:
    rows = sorted(
        (tuple(words[at + 3 * n : at + 3 * n + 3]) for n in range(count)), key=lambda row: row[1]
    )
    for number, row in enumerate(rows):
        words[at + 3 * number : at + 3 * number + 3] = array("I", row)


def _allocate_kconfig(editor: _Editor, offsets: Mapping[str, int]) -> None:
    for type_id in editor.btf.ids_named(KCONFIG):
        known = editor.btf.type(type_id)
        if known.kind is not BtfKind.DATASEC:
            continue
        at, end = editor.at(type_id), 0
        for number, row in enumerate(known.variables):
            offset = offsets.get(editor.btf.name(row.type_id), 0)
            end = max(end, offset + row.size)
            editor.words[at + 3 + 3 * number + 1] = offset
            editor.words[editor.at(row.type_id) + 3] = _GLOBAL
        editor.words[at + 2] = end
        _sort_rows(editor.words, at + 3, len(known.variables))


def _allocate_ksyms(editor: _Editor) -> None:
    """Pretend that each extern is an integer of the program, so that the kernel takes them."""
    for type_id in editor.btf.ids_named(_KSYMS):
        known = editor.btf.type(type_id)
        if known.kind is not BtfKind.DATASEC or not known.variables:
            continue
        number = _integer(editor)
        dummy: TypeId | None = None
        at = editor.at(type_id)
        for place, row in enumerate(known.variables):
            extern = editor.btf.type(row.type_id)
            words = at + 3 + 3 * place
            if extern.kind is BtfKind.FUNC:
                dummy = dummy or editor.add("dummy_ksym", BtfKind.VAR, number, _GLOBAL)
                _allocate_function(editor, extern, dummy)
                editor.words[words] = dummy
            else:
                editor.words[editor.at(row.type_id) + 2] = number
                editor.words[editor.at(row.type_id) + 3] = _GLOBAL
            editor.words[words + 1] = place * _INT_BYTES
            editor.words[words + 2] = _INT_BYTES
        editor.words[at + 2] = len(known.variables) * _INT_BYTES


def _allocate_function(editor: _Editor, extern: BtfType, dummy: TypeId) -> None:
    """A function with a body has names for its parameters."""
    editor.set_info(extern.id, BtfKind.FUNC, _GLOBAL)
    at, name = editor.at(extern.type_id), editor.words[editor.at(dummy)]
    for number, param in enumerate(editor.btf.type(extern.type_id).params):
        if param.type_id and not param.name:
            editor.words[at + 3 + 2 * number] = name


def _integer(editor: _Editor) -> TypeId:
    for type_id in editor.ids(BtfKind.INT):
        if editor.btf.type(type_id).size == _INT_BYTES:
            return type_id
    return editor.add("int", BtfKind.INT, _INT_BYTES, 1 << 24 | 32)


def _hide_functions(editor: _Editor, prepared: PreparedObject) -> None:
    """A global function that the object hides is verified like a static one."""
    hidden = {
        symbol.name
        for symbol in prepared.obj.symbols
        if symbol.type == "func" and symbol.visibility in _HIDDEN
    }
    for type_id in editor.ids(BtfKind.FUNC):
        if editor.btf.name(type_id) in hidden:
            editor.set_info(type_id, BtfKind.FUNC, _STATIC)


def _sanitise(editor: _Editor, version: tuple[int, int]) -> tuple[str, ...]:
    replaced = []
    for kind, since in KIND_SINCE.items():
        if version >= since:
            continue
        ids = editor.ids(kind)
        if ids:
            replaced.append(kind.word)
        for type_id in ids:
            _replace(editor, type_id, kind)
        if kind is BtfKind.ENUM64:
            _replace_enum64(editor, ids)
            for type_id in editor.ids(BtfKind.ENUM):
                editor.words[editor.at(type_id) + 1] &= 0x7FFFFFFF
    if version < _QMARK_SINCE:
        _rename_optional(editor)
    return tuple(replaced)


def _replace(editor: _Editor, type_id: TypeId, kind: BtfKind) -> None:
    at = editor.at(type_id)
    if kind is BtfKind.FLOAT:  # a struct of the same size
        editor.words[at] = 0
        editor.set_info(type_id, BtfKind.STRUCT)
    elif kind is BtfKind.DECL_TAG:
        editor.set_info(type_id, BtfKind.INT)
        editor.words[at + 2], editor.words[at + 3] = 1, _BYTE
    elif kind is BtfKind.TYPE_TAG:
        editor.words[at] = 0
        editor.set_info(type_id, BtfKind.CONST)


def _replace_enum64(editor: _Editor, ids: list[TypeId]) -> None:
    """A union with a member for each enumerator, which takes as many words."""
    if not ids:
        return
    placeholder = editor.add("enum64_placeholder", BtfKind.INT, 1, _BYTE)
    for type_id in ids:
        at, vlen = editor.at(type_id), editor.btf.type(type_id).vlen
        editor.set_info(type_id, BtfKind.UNION, vlen)
        for number in range(vlen):
            editor.words[at + 3 + 3 * number + 1] = placeholder
            editor.words[at + 3 + 3 * number + 2] = 0


def _rename_optional(editor: _Editor) -> None:
    for type_id in editor.ids(BtfKind.DATASEC):
        name = editor.btf.name(type_id)
        if name.startswith("?"):
            editor.words[editor.at(type_id)] = editor.add_string("_" + name[1:])
