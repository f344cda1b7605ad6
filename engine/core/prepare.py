"""An object made ready for relocation: its functions, types, records and source lines."""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass
from operator import attrgetter

from engine.btf.decode import Btf
from engine.btf.ext import BtfExt, LineInfo, decode_ext
from engine.elf.object import ElfObject
from engine.elf.programs import Function, functions
from engine.errors import ByteOrderMismatch
from engine.insn.codec import SLOT_BYTES

_NO_EXT = BtfExt({}, {}, {})


@dataclass(frozen=True, slots=True)
class PreparedObject:
    """What every loader starts from; the same for all targets, so it is built once.

    `lines` holds, per function, the source line in force at each slot.
    """

    obj: ElfObject
    btf: Btf | None
    ext: BtfExt
    functions: tuple[Function, ...]
    lines: tuple[tuple[LineInfo | None, ...], ...]


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
        ext = decode_ext(obj.btf_ext, obj.byte_order, btf.string)
    found = functions(obj)
    return PreparedObject(obj, btf, ext, found, _lines(found, ext))


def _lines(found: tuple[Function, ...], ext: BtfExt) -> tuple[tuple[LineInfo | None, ...], ...]:
    """A line is in force from its record to the next one of the same function."""
    records = {
        section: sorted(infos, key=attrgetter("insn_off"))
        for section, infos in ext.line_infos.items()
    }
    result = []
    for function in found:
        infos = records.get(function.section, [])
        lines: list[LineInfo | None] = []
        current: LineInfo | None = None
        for info in infos[bisect_left(infos, function.offset, key=attrgetter("insn_off")) :]:
            if info.insn_off >= function.end:
                break
            slot = (info.insn_off - function.offset) // SLOT_BYTES
            lines += [current] * (slot - len(lines))
            current = info
        lines += [current] * (len(function.insns) - len(lines))
        result.append(tuple(lines))
    return tuple(result)
