"""The frozen map of .kconfig: where its externs lie and what a loader writes there.

Follows: libbpf src/libbpf.c bpf_object__collect_externs, bpf_object__resolve_externs,
set_kcfg_value_tri, set_kcfg_value_str, set_kcfg_value_num @ v1.7.0.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final

from engine.btf.decode import Btf
from engine.btf.kinds import VOID, BtfKind, BtfType, TypeId
from engine.btf.resolve import size_of, skip_modifiers_and_typedefs
from engine.errors import EngineError

SECTION: Final = ".kconfig"
_COOKIE_SINCE: Final = 5 << 16 | 15 << 8
"""bpf_get_attach_cookie; Linux commit 7adfc6c9b315."""
_TRISTATE: Final = {"n": 0, "m": 2, "y": 1}
"""enum libbpf_tristate: TRI_NO, TRI_YES, TRI_MODULE."""


@dataclass(frozen=True, slots=True)
class Kconfig:
    """The map of an object: contents, and the offset of each extern by name.

    type_id   the DATASEC that describes it
    unknown   CONFIG_ externs for which the guest gives no value; they are 0
    """

    contents: bytes = b""
    offsets: Mapping[str, int] = field(default_factory=dict)
    type_id: TypeId = VOID
    unknown: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _Extern:
    name: str
    size: int
    align: int
    type: BtfType


def kconfig_of(btf: Btf, version_code: int, options: Mapping[str, str]) -> Kconfig:
    """Lay the externs out and fill them in for a kernel.

    version_code  KERNEL_VERSION(a, b, c) of the guest
    options       lines of its .config by name, `{"CONFIG_HZ": "250"}`; empty where unknown
    """
    for type_id in btf.ids_named(SECTION):
        known = btf.type(type_id)
        if known.kind is BtfKind.DATASEC and known.variables:
            return _filled(btf, known, version_code, options)
    return Kconfig()


def _filled(btf: Btf, section: BtfType, version_code: int, options: Mapping[str, str]) -> Kconfig:
    externs = [_extern(btf, row.type_id) for row in section.variables]
    externs.sort(key=lambda extern: (-extern.align, extern.size, extern.name))
    offsets: dict[str, int] = {}
    contents = bytearray()
    unknown = []
    for extern in externs:
        contents += bytes(-len(contents) % extern.align)
        offsets[extern.name] = len(contents)
        value = _value(btf, extern, version_code, options)
        if value is None:
            unknown.append(extern.name)
        contents += (value or b"")[: extern.size].ljust(extern.size, b"\0")
    return Kconfig(bytes(contents), offsets, section.id, tuple(unknown))


def _extern(btf: Btf, variable: TypeId) -> _Extern:
    found = btf.type(variable)
    try:
        size = size_of(btf, found.type_id)
    except EngineError:  # void, or a broken chain: it has no value either
        return _Extern(found.name, 0, 1, btf.type(0))
    behind = skip_modifiers_and_typedefs(btf, found.type_id)
    element = behind
    while element.kind is BtfKind.ARRAY:
        element = skip_modifiers_and_typedefs(btf, element.type_id)
    align = element.size if element.size in (1, 2, 4, 8) else 8
    return _Extern(found.name, size, align, behind)


def _value(
    btf: Btf, extern: _Extern, version_code: int, options: Mapping[str, str]
) -> bytes | None:
    virtual: Mapping[str, Callable[[], int]] = {
        "LINUX_KERNEL_VERSION": lambda: version_code,
        "LINUX_HAS_BPF_COOKIE": lambda: int(version_code >= _COOKIE_SINCE),
        "LINUX_HAS_SYSCALL_WRAPPER": lambda: 1,  # all guests are x86-64
    }
    if extern.name in virtual:
        return _number(virtual[extern.name](), extern)
    text = options.get(extern.name)
    if text is None:
        # An option that is off is not in .config; without a .config nothing is known.
        return bytes(extern.size) if options else None
    if text in _TRISTATE:
        return _tristate(text, extern, btf)
    if text.startswith('"'):
        return text.strip('"').encode()[: max(extern.size - 1, 0)]
    return _number(int(text, 0), extern) if _is_number(text) else None


def _tristate(text: str, extern: _Extern, btf: Btf) -> bytes:
    if extern.type.is_enum:
        return _number(_TRISTATE[text], extern)
    if extern.type.kind is BtfKind.INT and extern.type.int_encoding & 2:  # char
        return text.encode()
    return _number(int(text == "y"), extern)


def _number(value: int, extern: _Extern) -> bytes:
    return (value & (1 << 8 * extern.size) - 1).to_bytes(extern.size, "little")


def _is_number(text: str) -> bool:
    try:
        int(text, 0)
    except ValueError:
        return False
    return True
