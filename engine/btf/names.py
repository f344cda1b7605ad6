"""All names of a kernel, or of several, sorted: a file that is mapped and searched.

Names stand in four groups, each sorted by (lower case, as written):

    types        structs, unions, enums, typedefs, numbers, forward declarations
    enumerators
    variables    and the sections they lie in
    functions

    header       magic, version, byte-order mark, groups, planes, digest of what it was made from
    per group    number of rows and bytes of names
    per group    starts u32[rows + 1], kinds u32[rows], ids u32[rows], kernels u64[planes][rows],
                 names in lower case, names as written; each ends in a NUL

`kinds` has a bit for each BtfKind that has the name; `ids` a type of that name, of an enumerator
its enum, in the last kernel that has it; `kernels` a bit for each kernel (no planes: one kernel).
"""

from __future__ import annotations

import struct
from array import array
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

from engine.btf.decode import Btf
from engine.btf.kinds import ENUM_KINDS, BtfKind
from engine.errors import EngineError, KernelFileError

VERSION: Final = 1
GROUPS: Final = ("types", "enumerators", "variables", "functions")
_MAGIC: Final = b"corename"
_ORDER_MARK: Final = 0x01020304
_HEADER: Final = struct.Struct("=8sIIII32s")
_COUNTS: Final = struct.Struct("=II")
_PLANE: Final = 64
_GROUP_OF: Final = {
    **dict.fromkeys((BtfKind.STRUCT, BtfKind.UNION, *ENUM_KINDS, BtfKind.TYPEDEF), 0),
    **dict.fromkeys((BtfKind.INT, BtfKind.FLOAT, BtfKind.FWD), 0),
    **dict.fromkeys((BtfKind.VAR, BtfKind.DATASEC), 2),
    BtfKind.FUNC: 3,
}
_ENUM_ROW_WORDS: Final = {int(BtfKind.ENUM): 2, int(BtfKind.ENUM64): 3}


class Found(NamedTuple):
    """What is known of one name: masks of kinds and kernels, and a type's id."""

    kinds: int
    id: int
    kernels: int = 0


_Rows = dict[bytes, Found]


@dataclass(frozen=True, slots=True)
class Group:
    """One group of an open file; `lower` is its names in lower case."""

    starts: Sequence[int]
    kinds: Sequence[int]
    ids: Sequence[int]
    planes: tuple[Sequence[int], ...]
    lower: bytes
    written: memoryview

    def __len__(self) -> int:
        return len(self.ids)

    def name(self, row: int) -> str:
        """The name as it is written."""
        return bytes(self.written[self.starts[row] : self.starts[row + 1] - 1]).decode()

    def folded(self, row: int) -> bytes:
        """The name in lower case."""
        return self.lower[self.starts[row] : self.starts[row + 1] - 1]

    def width(self, row: int) -> int:
        """Bytes of the name."""
        return self.starts[row + 1] - self.starts[row] - 1

    def kernels(self, row: int) -> int:
        """A bit for each kernel that has the name."""
        return sum(plane[row] << _PLANE * n for n, plane in enumerate(self.planes))

    def row_at(self, position: int) -> int:
        """The row whose name holds this byte of `lower`."""
        return bisect_left(self.starts, position + 1) - 1

    def first(self, folded: bytes) -> int:
        """The first row whose name in lower case is not less than `folded`."""
        return bisect_left(range(len(self)), folded, key=self.folded)


@dataclass(frozen=True, slots=True)
class Names:
    """An open file of names, one group after the other."""

    groups: tuple[Group, ...]

    @property
    def rows(self) -> int:
        """Number of names in all groups."""
        return sum(map(len, self.groups))


def names_of(btf: Btf) -> bytes:
    """The file of one kernel's names; takes some tenths of a second. Damaged names are left out."""
    by_offset: tuple[dict[int, Found], ...] = tuple({} for _ in GROUPS)
    words, offsets, _ = btf.parts()
    for index, at in enumerate(offsets):
        kind = words[at + 1] >> 24 & 0x7F
        group = _GROUP_OF.get(kind)  # type: ignore[call-overload]  # an IntEnum hashes as its int
        if group is None:
            continue
        _note(by_offset[group], words[at], kind, btf.first_id + index)
        row = _ENUM_ROW_WORDS.get(kind)
        if row is not None:
            for name in words[at + 3 : at + 3 + row * (words[at + 1] & 0xFFFFFF) : row]:
                _note(by_offset[1], name, kind, btf.first_id + index)
    return _write([_named(btf, rows) for rows in by_offset], planes=0, digest=btf.sha256)


def written(name: str) -> str:
    """A name as it is kept, for what is no text is written in escapes."""
    return name.encode("utf-8", "backslashreplace").decode()


def _note(rows: dict[int, Found], name: int, kind: int, type_id: int) -> None:
    if not name:
        return
    known = rows.get(name)
    rows[name] = Found(1 << kind, type_id) if known is None else _both(known, 1 << kind)


def _both(known: Found, kinds: int) -> Found:
    return known if known.kinds & kinds == kinds else known._replace(kinds=known.kinds | kinds)


def _named(btf: Btf, by_offset: dict[int, Found]) -> _Rows:
    rows: _Rows = {}
    for offset, found in by_offset.items():
        try:
            name = btf.string(offset).encode("utf-8", "backslashreplace")
        except EngineError:
            continue
        known = rows.get(name)
        rows[name] = found if known is None else _both(known, found.kinds)
    return rows


def merged(files: Sequence[Names], digest: str) -> bytes:
    """The file of the names of several kernels, in the order in which their bits count."""
    groups: list[_Rows] = []
    for number in range(len(GROUPS)):
        rows: _Rows = {}
        for kernel, file in enumerate(files):
            _merge(rows, file.groups[number], 1 << kernel)
        groups.append(rows)
    return _write(groups, planes=-(-len(files) // _PLANE), digest=digest)


def _merge(rows: _Rows, group: Group, bit: int) -> None:
    names = bytes(group.written).split(b"\0")
    for name, kinds, type_id in zip(names, group.kinds, group.ids, strict=False):
        known = rows.get(name)
        if known is None:
            rows[name] = Found(kinds, type_id, bit)
        else:
            rows[name] = Found(known.kinds | kinds, type_id, known.kernels | bit)


def _write(groups: Sequence[_Rows], *, planes: int, digest: str) -> bytes:
    head = [_HEADER.pack(_MAGIC, VERSION, _ORDER_MARK, len(groups), planes, bytes.fromhex(digest))]
    body: list[bytes] = []
    for rows in groups:
        order = sorted((name.lower(), name) for name in rows)
        starts = array("I", [0])
        for _, name in order:
            starts.append(starts[-1] + len(name) + 1)
        found = [rows[name] for _, name in order]
        body += [starts.tobytes(), array("I", [row.kinds for row in found]).tobytes()]
        body.append(array("I", [row.id for row in found]).tobytes())
        for plane in range(planes):
            bits = array("Q", [row.kernels >> _PLANE * plane & (1 << _PLANE) - 1 for row in found])
            body.append(bits.tobytes())
        for column in (0, 1):
            body.append(b"".join(pair[column] + b"\0" for pair in order))
        head.append(_COUNTS.pack(len(order), starts[-1]))
    return b"".join((*head, *body))


BEFORE: Final = 1
AFTER: Final = 2
"""Bits in place of kernels in the file of a difference; both: the name is on both sides."""


def difference(
    before: Names,
    after: Names,
    numbers: tuple[Sequence[Sequence[int]], Sequence[Sequence[int]]],
    digest: str,
) -> bytes:
    """The file of the names that differ; `numbers` are what each name's types come to."""
    groups: list[_Rows] = []
    for number in range(len(GROUPS)):
        rows: _Rows = {}
        old = _numbered(before.groups[number], numbers[0][number])
        new = _numbered(after.groups[number], numbers[1][number])
        for name, (found, value) in old.items():
            other = new.get(name)
            if other is None:
                rows[name] = found._replace(kernels=BEFORE)
            elif other[1] != value:
                rows[name] = _both(other[0], found.kinds)._replace(kernels=BEFORE | AFTER)
        for name, (found, _) in new.items():
            if name not in old:
                rows[name] = found._replace(kernels=AFTER)
        groups.append(rows)
    return _write(groups, planes=1, digest=digest)


def _numbered(group: Group, numbers: Sequence[int]) -> dict[bytes, tuple[Found, int]]:
    names = bytes(group.written).split(b"\0")
    rows = zip(names, group.kinds, group.ids, numbers, strict=False)
    return {name: (Found(kinds, type_id), value) for name, kinds, type_id, value in rows}


def open_names(data: memoryview) -> Names:
    """Read a file of names; `data` is kept. Raises KernelFileError for anything else."""
    return Names(tuple(_groups(data)))


def _groups(data: memoryview) -> Iterator[Group]:
    if len(data) < _HEADER.size:
        raise KernelFileError("the file of names is cut off")
    magic, version, mark, count, planes, _ = _HEADER.unpack_from(data)
    if (magic, version, mark, count) != (_MAGIC, VERSION, _ORDER_MARK, len(GROUPS)):
        raise KernelFileError("this is no file of names of the present format")
    at = _HEADER.size + count * _COUNTS.size
    counts = [_COUNTS.unpack_from(data, _HEADER.size + n * _COUNTS.size) for n in range(count)]
    rows_bytes = 4 * 3 + 8 * planes
    if len(data) != at + sum(4 + rows * rows_bytes + 2 * size for rows, size in counts):
        raise KernelFileError("the file of names has the wrong length")
    for rows, size in counts:
        columns: list[Sequence[int]] = []
        for length in (rows + 1, rows, rows):
            columns.append(data[at : at + 4 * length].cast("I"))
            at += 4 * length
        for _ in range(planes):
            columns.append(data[at : at + 8 * rows].cast("Q"))
            at += 8 * rows
        lower, written = bytes(data[at : at + size]), data[at + size : at + 2 * size]
        at += 2 * size
        yield Group(columns[0], columns[1], columns[2], tuple(columns[3:]), lower, written)
