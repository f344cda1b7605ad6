"""Which types refer to a type: the edges of the type graph the other way round.

A file of two columns, u32 each: `starts[ids + 1]`, then the ids that refer to type N, ascending,
at `starts[N]` to `starts[N + 1]`. Sections and tags are left out.
"""

from __future__ import annotations

import struct
from array import array
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from engine.btf.decode import Btf
from engine.btf.kinds import BtfKind
from engine.errors import KernelFileError

VERSION: Final = 1
_HEADER: Final = struct.Struct("=8sIII")
_MAGIC: Final = b"corerefs"
_ORDER_MARK: Final = 0x01020304
_ONE: Final = frozenset(
    {BtfKind.PTR, BtfKind.TYPEDEF, BtfKind.VOLATILE, BtfKind.CONST, BtfKind.RESTRICT}
    | {BtfKind.FUNC, BtfKind.VAR, BtfKind.TYPE_TAG}
)


@dataclass(frozen=True, slots=True)
class Backrefs:
    """An open file."""

    starts: Sequence[int]
    sources: Sequence[int]

    def of(self, type_id: int) -> Sequence[int]:
        """The ids of the types that refer to this one."""
        if not 0 <= type_id < len(self.starts) - 1:
            return ()
        return self.sources[self.starts[type_id] : self.starts[type_id + 1]]


def backrefs_of(btf: Btf) -> bytes:
    """The file for one BTF without a base; takes some tenths of a second."""
    edges = array("Q", sorted(set(_edges(btf))))
    starts = array("I", bytes(4 * (len(btf) + 1)))
    sources = array("I", (edge & 0xFFFFFFFF for edge in edges))
    for edge in edges:
        starts[(edge >> 32) + 1] += 1
    for number in range(1, len(starts)):
        starts[number] += starts[number - 1]
    head = _HEADER.pack(_MAGIC, _ORDER_MARK, len(starts), len(sources))
    return b"".join((head, starts.tobytes(), sources.tobytes()))


def _edges(btf: Btf) -> Iterator[int]:
    """`target << 32 | source`; references to types that do not exist are left out."""
    words, offsets, _ = btf.parts()
    count = len(btf)
    for index, at in enumerate(offsets):
        kind = words[at + 1] >> 24 & 0x7F
        vlen = words[at + 1] & 0xFFFFFF
        targets: Sequence[int]
        if kind in _ONE:
            targets = words[at + 2 : at + 3]
        elif kind in (BtfKind.STRUCT, BtfKind.UNION):
            targets = words[at + 4 : at + 3 + 3 * vlen : 3]
        elif kind == BtfKind.FUNC_PROTO:
            targets = (words[at + 2], *words[at + 4 : at + 3 + 2 * vlen : 2])
        elif kind == BtfKind.ARRAY:
            targets = words[at + 3 : at + 4]
        else:
            continue
        source = btf.first_id + index
        for target in targets:
            if target < count:
                yield target << 32 | source


def open_backrefs(data: memoryview) -> Backrefs:
    """Read the file; `data` is kept. Raises KernelFileError for anything else."""
    if len(data) < _HEADER.size:
        raise KernelFileError("the file of references is cut off")
    magic, mark, starts, sources = _HEADER.unpack_from(data)
    if (magic, mark) != (_MAGIC, _ORDER_MARK) or len(data) != _HEADER.size + 4 * (starts + sources):
        raise KernelFileError("this is no file of references of the present format")
    column = data[_HEADER.size :].cast("I")
    return Backrefs(column[:starts], column[starts:])
