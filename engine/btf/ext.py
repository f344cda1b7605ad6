"""Reading .BTF.ext: which code belongs to which function, line and CO-RE relocation.

    header      magic u16, version u8, flags u8, hdr_len,
                func_info off/len, line_info off/len [, core_relo off/len when hdr_len >= 32]
    subsection  record size u32, then per ELF section: name, count (> 0), records

Offsets count from the end of the header. Instruction offsets are bytes in the ELF section.
Source: Linux Documentation/bpf/btf.rst, libbpf src/btf.c.
"""

from __future__ import annotations

import struct
import sys
from array import array
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Final, NamedTuple

from engine import limits
from engine.btf.kinds import ByteOrder, TypeId
from engine.btf.lines import LineInfo, LineInfos, StringOf
from engine.errors import BtfExtDecodeError, EngineError, LimitExceeded

MAGIC: Final = 0xEB9F
_MIN_HEADER: Final = 24
_CORE_HEADER: Final = 32

__all__ = ["BtfExt", "CoreRelo", "FuncInfo", "LineInfo", "LineInfos", "decode_ext"]

AllReadable = Callable[[Collection[int]], bool]
"""Whether strings can be read at all these offsets; False where that is not known."""


class FuncInfo(NamedTuple):
    """The BTF function whose code starts at byte `insn_off` of its section."""

    insn_off: int
    type_id: TypeId


class CoreRelo(NamedTuple):
    """One relocation record; `access` is the index string (`0:1:2`), `kind` a plain number."""

    insn_off: int
    type_id: TypeId
    access: str
    kind: int


@dataclass(frozen=True, slots=True)
class BtfExt:
    """The records of each ELF section, in the order in which they stand in the file."""

    func_infos: Mapping[str, tuple[FuncInfo, ...]]
    line_infos: Mapping[str, LineInfos]
    core_relos: Mapping[str, tuple[CoreRelo, ...]]


class _Reader:
    """A bounded view of .BTF.ext that names the byte where it fails."""

    def __init__(self, data: bytes, byte_order: ByteOrder) -> None:
        self.data = data
        self.prefix = "<" if byte_order == "little" else ">"

    def u32(self, at: int) -> int:
        if at < 0 or at + 4 > len(self.data):
            raise BtfExtDecodeError("a word lies outside the section", at=at)
        value: int = struct.unpack_from(self.prefix + "I", self.data, at)[0]
        return value

    def words(self, at: int, count: int) -> tuple[int, ...]:
        return struct.unpack_from(f"{self.prefix}{count}I", self.data, at)

    def records(self, at: int, count: int, size: int, words: int) -> array[int]:
        """The first `words` words of each of `count` records of `size` bytes, in one row."""
        found = array("I", self.data[at : at + count * size])
        if (self.prefix == "<") != (sys.byteorder == "little"):
            found.byteswap()
        if size == 4 * words:
            return found
        kept = array("I", bytes(4 * words * count))
        for word in range(words):
            kept[word::words] = found[word :: size // 4]
        return kept


def decode_ext(
    data: bytes,
    byte_order: ByteOrder,
    string: StringOf,
    all_readable: AllReadable = lambda _: False,
) -> BtfExt:
    """Read a whole .BTF.ext section; `string` resolves offsets in .BTF's strings.

    Line records are checked here but become values when they are asked for. `all_readable`
    spares the check of each of their strings.

    Raises BtfExtDecodeError with the byte offset, or LimitExceeded.
    """
    reader = _Reader(data, byte_order)
    string = cache(string)
    if len(data) < 8:
        raise BtfExtDecodeError(f"the section is {len(data)} bytes long", at=0)
    magic, version = struct.unpack_from(reader.prefix + "HB", data)
    if magic != MAGIC:
        raise BtfExtDecodeError("the section does not start with BTF's magic", at=0)
    if version != 1:
        raise BtfExtDecodeError(f"version {version} is not known; only 1 is", at=2)
    hdr_len = reader.u32(4)
    if hdr_len < _MIN_HEADER or hdr_len > len(data):
        raise BtfExtDecodeError(f"header length {hdr_len} is impossible", at=4)
    records = [_subsection(reader, hdr_len, *field) for field in ((8, 8), (16, 16))]
    relos: dict[str, array[int]] = {}
    if hdr_len >= _CORE_HEADER:
        relos = _named(_subsection(reader, hdr_len, 24, 16), string)
    func_infos, line_infos = (_named(rows, string) for rows in records)
    _bound(func_infos, 2, limits.FUNC_INFOS, "function infos")
    _bound(line_infos, 4, limits.LINE_INFOS, "line infos")
    _bound(relos, 4, limits.CORE_RELOCATIONS, "CO-RE relocations")
    for words in line_infos.values():
        _check_strings(words, string, all_readable)
    return BtfExt(
        func_infos={
            name: tuple(FuncInfo(at, TypeId(type_id)) for at, type_id in _rows(words, 2))
            for name, words in func_infos.items()
        },
        line_infos={name: LineInfos.read(words, string) for name, words in line_infos.items()},
        core_relos={
            name: tuple(
                CoreRelo(at, TypeId(type_id), string(access), kind)
                for at, type_id, access, kind in _rows(words, 4)
            )
            for name, words in relos.items()
        },
    )


def _rows(words: array[int], size: int) -> Iterator[tuple[int, ...]]:
    return zip(*(words[word::size] for word in range(size)), strict=True)


def _check_strings(words: array[int], string: StringOf, all_readable: AllReadable) -> None:
    """Read the two strings of each line record, unless they are known to be sound."""
    names, texts = words[1::4], words[2::4]
    if all_readable(names) and all_readable(texts):
        return
    for pair in zip(names, texts, strict=True):
        for offset in pair:
            string(offset)


_Records = list[tuple[int, "array[int]"]]


def _subsection(reader: _Reader, hdr_len: int, field: int, minimum: int) -> _Records:
    """Give (section name offset, records as words) of the subsection that `field` points at."""
    start, length = hdr_len + reader.u32(field), reader.u32(field + 4)
    if not length:
        return []
    end = start + length
    if end > len(reader.data):
        raise BtfExtDecodeError(f"a subsection ends at {end:#x}, after the section", at=field)
    if start % 4:
        raise BtfExtDecodeError("a subsection is not aligned to 4 bytes", at=field)
    if length < 4:
        raise BtfExtDecodeError("a subsection has no room for its record size", at=field)
    record_size = reader.u32(start)
    if record_size < minimum or record_size % 4:
        raise BtfExtDecodeError(f"record size {record_size} is impossible", at=start)
    at = start + 4
    if at == end:
        raise BtfExtDecodeError("a subsection has a record size but no records", at=start)
    found: _Records = []
    while at < end:
        if at + 8 > end:
            raise BtfExtDecodeError("the head of a section's records is cut off", at=at)
        name, count = reader.words(at, 2)
        if not count:
            raise BtfExtDecodeError("a section has zero records", at=at + 4)
        if at + 8 + count * record_size > end:
            raise BtfExtDecodeError(f"{count} records leave the subsection", at=at + 4)
        first = at + 8
        found.append((name, reader.records(first, count, record_size, minimum // 4)))
        at = first + count * record_size
    return found


def _named(found: _Records, string: StringOf) -> dict[str, array[int]]:
    merged: dict[str, array[int]] = {}
    for name_offset, words in found:
        try:
            name = string(name_offset)
        except EngineError as error:
            raise BtfExtDecodeError(
                f"a section name cannot be read: {error.message}", at=0
            ) from error
        merged.setdefault(name, array("I")).extend(words)
    return merged


def _bound(rows: Mapping[str, array[int]], size: int, most: int, what: str) -> None:
    count = sum(len(words) for words in rows.values()) // size
    if count > most:
        raise LimitExceeded(f"{count} {what}; at most {most} are read", place=".BTF.ext")
