"""Externs of .kconfig: numbers that the loader writes into a frozen map before the program loads.

A verifier reads them as constants. Of these only the version of the kernel is told by its
release, and often not to the last digit; everything else stays unknown.

Follows: libbpf src/libbpf.c bpf_object__resolve_externs, get_kernel_version @ v1.7.0.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from engine.btf.decode import Btf
from engine.btf.kinds import INT_BOOL, BtfKind
from engine.btf.resolve import skip_modifiers_and_typedefs
from engine.flow.values import KCONFIG, SIZED, U32, Range, narrowed

SECTION: Final = ".kconfig"
KERNEL_VERSION: Final = "LINUX_KERNEL_VERSION"
_RELEASE: Final = re.compile(r"(\d{1,3})\.(\d{1,3})(?:\.(\d{1,6}))?(-\d)?")
_TRISTATE: Final = {"n": 0, "y": 1, "m": 2}
"""enum libbpf_tristate."""
_LAST: Final = 255
"""The greatest third number that a version code holds; greater ones are cut to it."""


@dataclass(frozen=True, slots=True)
class Extern:
    """One extern: its bytes in the map, and what it holds on the kernel."""

    size: int
    value: int | Range

    def load(self, off: int, size: int) -> int | Range:
        """What a load of `size` bytes at `off` gives; unknown for less than the whole."""
        if off or size != self.size:
            return SIZED[size]._replace(weak=KCONFIG)
        return self.value


def externs(
    btf: Btf | None, release: str, given: Mapping[str, str] | None = None
) -> Mapping[str, Extern]:
    """The externs that an object declares in .kconfig, as a kernel of this release fills them.

    `given` are settings by name, in the words of a kernel's .config; they come before anything
    that is known otherwise. What makes no sense for the extern's type leaves it unknown.
    """
    found: dict[str, Extern] = {}
    if btf is None:
        return found
    for type_id in btf.ids_named(SECTION):
        section = btf.type(type_id)
        if section.kind is not BtfKind.DATASEC:
            continue
        for row in section.variables:
            name = btf.name(row.type_id)
            value: int | Range | None = None
            if given and name in given:
                value = setting(btf, row.type_id, row.size, given[name])
            elif name == KERNEL_VERSION:
                value = version_code(release)
            blank = SIZED.get(row.size, SIZED[8])._replace(weak=KCONFIG)
            found[name] = Extern(row.size, blank if value is None else value)
    return found


def setting(btf: Btf, type_id: int, size: int, text: str) -> int | None:
    """The number that a setting such as `y`, `250` or `0x10` gives an extern; None for no number.

    Follows: libbpf src/libbpf.c set_kcfg_value_tri, set_kcfg_value_num @ v1.7.0.
    """
    kind = skip_modifiers_and_typedefs(btf, btf.type(type_id).type_id)
    if text in _TRISTATE:
        if kind.is_enum:
            return _TRISTATE[text]
        if kind.kind is not BtfKind.INT or size != 1:
            return None
        if kind.int_encoding & INT_BOOL:
            return None if text == "m" else _TRISTATE[text]
        return ord(text)
    try:
        number = int(text, 0)
    except ValueError:
        return None
    limit = 1 << 8 * size
    return number % limit if -limit // 2 <= number < limit else None


def version_code(release: str) -> int | Range | None:
    """KERNEL_VERSION(a, b, c) of a release such as `6.12.117+deb12-amd64`; None if it is none.

    Distributions that count their builds call a kernel `6.1.0-56-amd64` whatever its third
    number is: then it is anything from 0 to 255, which the verifier knows and we do not.
    """
    found = _RELEASE.match(release)
    if found is None or int(found[1]) > _LAST or int(found[2]) > _LAST:
        return None
    first = int(found[1]) << 16 | int(found[2]) << 8
    if found[3] is None or (found[4] and not int(found[3])):
        last = first + _LAST
        return narrowed(0, U32, first, last, first, last, KCONFIG)
    return first + min(int(found[3]), _LAST)
