"""Line records of .BTF.ext, turned into values when they are asked for.

An object has thousands of them, and most answers speak of a few.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import NamedTuple, overload

StringOf = Callable[[int], str]


class LineInfo(NamedTuple):
    """The source position of the code from byte `insn_off` on; `line` is the source text."""

    insn_off: int
    file_name: str
    line: str
    line_number: int
    column: int


class LineInfos(Sequence[LineInfo]):
    """The line records of one ELF section, in the order in which they stand in the file.

    Equal to a tuple of the same records. Build one with `LineInfos.read` or `LineInfos.of`.
    """

    __slots__ = ("_known", "_offsets", "_order", "_string", "_words")

    def __init__(
        self, offsets: array[int], known: dict[int, LineInfo], words: array[int], string: StringOf
    ) -> None:
        self._offsets = offsets
        self._known = known
        self._words = words
        self._string = string
        self._order: tuple[list[int], Sequence[int]] | None = None

    @classmethod
    def read(cls, words: array[int], string: StringOf) -> LineInfos:
        """Take records as four words each; `string` resolves the second and the third."""
        return cls(words[::4], {}, words, string)

    @classmethod
    def of(cls, infos: Iterable[LineInfo]) -> LineInfos:
        """Take records that are values already."""
        known = dict(enumerate(infos))
        return cls(array("I", [i.insn_off for i in known.values()]), known, array("I"), str)

    def __len__(self) -> int:
        return len(self._offsets)

    @overload
    def __getitem__(self, row: int) -> LineInfo: ...
    @overload
    def __getitem__(self, row: slice) -> tuple[LineInfo, ...]: ...
    def __getitem__(self, row: int | slice) -> LineInfo | tuple[LineInfo, ...]:
        """Give one record, or some as a tuple; raises IndexError."""
        if isinstance(row, slice):
            return tuple(map(self._at, range(len(self))[row]))
        return self._at(range(len(self))[row])

    def __iter__(self) -> Iterator[LineInfo]:
        return map(self._at, range(len(self)))

    def __eq__(self, other: object) -> bool:
        if isinstance(other, LineInfos | tuple):
            return len(self) == len(other) and tuple(self) == tuple(other)
        return NotImplemented

    def __hash__(self) -> int:
        return hash(tuple(self))

    def __repr__(self) -> str:
        return repr(tuple(self))

    def __reduce__(self) -> tuple[object, ...]:
        return LineInfos.of, (tuple(self),)

    def in_force(self, start: int, at: int) -> LineInfo | None:
        """Give the last record of bytes `start` to `at` of the section, if there is one."""
        rows, offsets = self._sorted()
        place = bisect_right(offsets, at) - 1
        return self._at(rows[place]) if place >= 0 and offsets[place] >= start else None

    def between(self, start: int, end: int) -> Iterator[tuple[int, LineInfo]]:
        """Give byte and record of bytes `start` to `end - 1`, by byte."""
        rows, offsets = self._sorted()
        for place in range(bisect_left(offsets, start), bisect_left(offsets, end)):
            yield offsets[place], self._at(rows[place])

    def _sorted(self) -> tuple[Sequence[int], Sequence[int]]:
        """The rows by offset, those of one offset as in the file, and their offsets."""
        if self._order is None:
            rows = sorted(range(len(self)), key=self._offsets.__getitem__)
            self._order = rows, [self._offsets[row] for row in rows]
        return self._order

    def _at(self, row: int) -> LineInfo:
        found = self._known.get(row)
        if found is None:
            offset, file_name, line, place = self._words[4 * row : 4 * row + 4]
            string = self._string
            found = self._known[row] = LineInfo(
                offset, string(file_name), string(line), place >> 10, place & 0x3FF
            )
        return found
