"""Reading .BTF.ext: which code belongs to which function, line and CO-RE relocation.

    header      magic u16, version u8, flags u8, hdr_len,
                func_info off/len, line_info off/len [, core_relo off/len when hdr_len >= 32]
    subsection  record size u32, then per ELF section: name, count (> 0), records

Offsets count from the end of the header. Instruction offsets are bytes in the ELF section.
Source: Linux Documentation/bpf/btf.rst, libbpf src/btf.c.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Final, NamedTuple

from engine import limits
from engine.btf.kinds import ByteOrder, TypeId
from engine.errors import BtfExtDecodeError, EngineError, LimitExceeded

MAGIC: Final = 0xEB9F
_MIN_HEADER: Final = 24
_CORE_HEADER: Final = 32

StringOf = Callable[[int], str]


class FuncInfo(NamedTuple):
    """The BTF function whose code starts at byte `insn_off` of its section."""

    insn_off: int
    type_id: TypeId


class LineInfo(NamedTuple):
    """The source position of the code from byte `insn_off` on; `line` is the source text."""

    insn_off: int
    file_name: str
    line: str
    line_number: int
    column: int


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
    line_infos: Mapping[str, tuple[LineInfo, ...]]
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

    def rows(self, at: int, count: int, size: int, words: int) -> list[tuple[int, ...]]:
        """`count` records of `size` bytes, the first `words` words of each."""
        layout = f"{self.prefix}{words}I{size - 4 * words}x"
        return list(struct.iter_unpack(layout, self.data[at : at + count * size]))


def decode_ext(data: bytes, byte_order: ByteOrder, string: StringOf) -> BtfExt:
    """Read a whole .BTF.ext section; `string` resolves offsets in .BTF's strings.

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
    fields = ((8, 8), (16, 16))
    records = [_subsection(reader, hdr_len, field, minimum) for field, minimum in fields]
    relos: dict[str, list[tuple[int, ...]]] = {}
    if hdr_len >= _CORE_HEADER:
        relos = _named(_subsection(reader, hdr_len, 24, 16), string)
    func_infos, line_infos = (_named(rows, string) for rows in records)
    _bound(func_infos, limits.FUNC_INFOS, "function infos")
    _bound(line_infos, limits.LINE_INFOS, "line infos")
    _bound(relos, limits.CORE_RELOCATIONS, "CO-RE relocations")
    return BtfExt(
        func_infos={
            name: tuple(FuncInfo(row[0], TypeId(row[1])) for row in rows)
            for name, rows in func_infos.items()
        },
        line_infos={
            name: tuple(_line(row, string) for row in rows) for name, rows in line_infos.items()
        },
        core_relos={
            name: tuple(CoreRelo(row[0], TypeId(row[1]), string(row[2]), row[3]) for row in rows)
            for name, rows in relos.items()
        },
    )


def _line(row: tuple[int, ...], string: StringOf) -> LineInfo:
    return LineInfo(row[0], string(row[1]), string(row[2]), row[3] >> 10, row[3] & 0x3FF)


_Rows = list[tuple[int, list[tuple[int, ...]]]]


def _subsection(reader: _Reader, hdr_len: int, field: int, minimum: int) -> _Rows:
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
    found: _Rows = []
    while at < end:
        if at + 8 > end:
            raise BtfExtDecodeError("the head of a section's records is cut off", at=at)
        name, count = reader.words(at, 2)
        if not count:
            raise BtfExtDecodeError("a section has zero records", at=at + 4)
        if at + 8 + count * record_size > end:
            raise BtfExtDecodeError(f"{count} records leave the subsection", at=at + 4)
        first = at + 8
        rows = reader.rows(first, count, record_size, minimum // 4)
        found.append((name, rows))
        at = first + count * record_size
    return found


def _named(found: _Rows, string: StringOf) -> dict[str, list[tuple[int, ...]]]:
    merged: dict[str, list[tuple[int, ...]]] = {}
    for name_offset, rows in found:
        try:
            name = string(name_offset)
        except EngineError as error:
            raise BtfExtDecodeError(
                f"a section name cannot be read: {error.message}", at=0
            ) from error
        merged.setdefault(name, []).extend(rows)
    return merged


def _bound(rows: Mapping[str, list[tuple[int, ...]]], most: int, what: str) -> None:
    count = sum(len(found) for found in rows.values())
    if count > most:
        raise LimitExceeded(f"{count} {what}; at most {most} are read", place=".BTF.ext")
