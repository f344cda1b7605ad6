"""An object made ready for relocation: its functions, types, records and source lines."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass

from engine.btf.decode import Btf
from engine.btf.ext import BtfExt, LineInfo, decode_ext
from engine.elf.object import ElfObject
from engine.elf.programs import Function, functions
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

    Raises ElfError, BtfDecodeError, BtfExtDecodeError or LimitExceeded for malformed input.
    """
    btf = Btf.parse(obj.btf, base=base) if obj.btf is not None else None
    ext = _NO_EXT
    if btf is not None and obj.btf_ext is not None:
        ext = decode_ext(obj.btf_ext, obj.byte_order, btf.string)
    found = functions(obj)
    lines = tuple(_lines(function, ext) for function in found)
    return PreparedObject(obj, btf, ext, found, lines)


def _lines(function: Function, ext: BtfExt) -> tuple[LineInfo | None, ...]:
    infos = sorted(ext.line_infos.get(function.section, ()), key=lambda info: info.insn_off)
    starts = [info.insn_off for info in infos]
    result: list[LineInfo | None] = []
    for slot in range(len(function.insns)):
        at = bisect_right(starts, function.offset + slot * SLOT_BYTES) - 1
        inside = at >= 0 and starts[at] >= function.offset
        result.append(infos[at] if inside else None)
    return tuple(result)
