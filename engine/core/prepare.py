"""An object made ready for relocation: its functions, types, records and source lines."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from engine.btf.decode import Btf
from engine.btf.ext import BtfExt, LineInfos, decode_ext
from engine.core.slotlines import SlotLines
from engine.elf.object import ElfObject
from engine.elf.programs import Function, functions
from engine.errors import ByteOrderMismatch

_NO_EXT = BtfExt({}, {}, {})
_NO_LINES = LineInfos.of(())


@dataclass(frozen=True, slots=True)
class PreparedObject:
    """What every loader starts from; the same for all targets, so it is built once.

    `lines` holds, per function, the source line in force at each slot; `kconfig` has settings of
    the kernel's configuration by name, `CONFIG_HZ: "250"`, for externs that ask for them.
    """

    obj: ElfObject
    btf: Btf | None
    ext: BtfExt
    functions: tuple[Function, ...]
    lines: tuple[SlotLines, ...]
    kconfig: Mapping[str, str] = field(default_factory=dict)


def prepare(obj: ElfObject, *, base: Btf | None = None) -> PreparedObject:
    """Decode BTF, .BTF.ext and functions of an object; `base` is for objects with split BTF.

    Raises ElfError, BtfDecodeError, BtfExtDecodeError, ByteOrderMismatch (between the object
    and its types) or LimitExceeded for malformed input.
    """
    btf = Btf.parse(obj.btf, base=base) if obj.btf is not None else None
    if btf is not None and btf.byte_order != obj.byte_order:
        raise ByteOrderMismatch(
            f"the object is {obj.byte_order}-endian, its types are {btf.byte_order}-endian",
            place="section .BTF",
            hint="A compiler writes both in one order: the file was put together wrongly.",
        )
    ext = _NO_EXT
    if btf is not None and obj.btf_ext is not None:
        ext = decode_ext(obj.btf_ext, obj.byte_order, btf.string, btf.all_strings_readable)
    found = functions(obj)
    lines = tuple(
        SlotLines(ext.line_infos.get(f.section, _NO_LINES), f.offset, len(f.insns)) for f in found
    )
    return PreparedObject(obj, btf, ext, found, lines)
