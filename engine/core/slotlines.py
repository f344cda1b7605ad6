"""The source line in force at each slot of a function, looked up when it is asked for."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import overload

from engine.btf.lines import LineInfo, LineInfos
from engine.insn.codec import SLOT_BYTES


class SlotLines(Sequence[LineInfo | None]):
    """One line, or None, for each of `slots` slots from byte `offset` of a section.

    A line is in force from its record to the next one of the same function. Equal to a tuple of
    the same lines, which is also what crosses process borders.
    """

    __slots__ = ("_all", "_infos", "_offset", "_slots")

    def __init__(self, infos: LineInfos, offset: int, slots: int) -> None:
        self._infos = infos
        self._offset = offset
        self._slots = slots
        self._all: tuple[LineInfo | None, ...] | None = None

    def __len__(self) -> int:
        return self._slots

    @overload
    def __getitem__(self, slot: int) -> LineInfo | None: ...
    @overload
    def __getitem__(self, slot: slice) -> tuple[LineInfo | None, ...]: ...
    def __getitem__(self, slot: int | slice) -> LineInfo | tuple[LineInfo | None, ...] | None:
        """Give the line of one slot, or those of some; raises IndexError."""
        if self._all is not None or isinstance(slot, slice):
            return self._lines()[slot]
        last = self._offset + (range(self._slots)[slot] + 1) * SLOT_BYTES - 1
        return self._infos.in_force(self._offset, last)

    def __iter__(self) -> Iterator[LineInfo | None]:
        return iter(self._lines())

    def __eq__(self, other: object) -> bool:
        if isinstance(other, SlotLines | tuple):
            return self._lines() == tuple(other)
        return NotImplemented

    def __hash__(self) -> int:
        return hash(self._lines())

    def __repr__(self) -> str:
        return repr(self._lines())

    def __reduce__(self) -> tuple[object, ...]:
        return tuple, (self._lines(),)

    def _lines(self) -> tuple[LineInfo | None, ...]:
        if self._all is None:
            lines: list[LineInfo | None] = []
            current: LineInfo | None = None
            end = self._offset + self._slots * SLOT_BYTES
            for at, info in self._infos.between(self._offset, end):
                slot = (at - self._offset) // SLOT_BYTES
                lines += [current] * (slot - len(lines))
                current = info
            self._all = (*lines, *[current] * (self._slots - len(lines)))
        return self._all
