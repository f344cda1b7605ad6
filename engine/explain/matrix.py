"""Relocations against kernels and loaders: every value side by side, and where they part."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final, Literal

from engine.btf.ext import LineInfo
from engine.core.ambiguous import is_ambiguous
from engine.core.kinds import ENUM_KINDS, EXISTENCE_KINDS, CoreReloKind
from engine.core.result import FunctionResult, LoaderError, ObjectResult, Relocation
from engine.core.source_line import source_line
from engine.core.trace import StepKind

CellKind = Literal["value", "poison", "ambiguous", "refused", "none"]

_IDS: Final = frozenset({CoreReloKind.TYPE_ID_LOCAL, CoreReloKind.TYPE_ID_TARGET})
_SIGN: Final = 1 << 63


@dataclass(frozen=True, slots=True)
class Cell:
    """What one relocation comes to on one kernel under one loader.

    kind   `none`: the loader did not get to it
    value  the number that is written, 64 bits unsigned; None unless `value`
    text   the loader's words, where it refused
    """

    kind: CellKind
    value: int | None = None
    text: str = ""

    @property
    def words(self) -> str:
        """For a table: `1256`, `poison`, `-5`."""
        if self.value is None:
            return "-" if self.kind == "none" else self.kind
        return str(self.value - 2 * _SIGN if self.value & _SIGN else self.value)


_NONE: Final = Cell("none")


@dataclass(frozen=True, slots=True)
class Column:
    """One run: a kernel and a loader; `arch` groups kernels that can be compared."""

    kernel: str
    loader: str
    arch: str = ""


@dataclass(frozen=True, slots=True)
class Row:
    """One relocation; `cells` are in the order of the columns.

    number  among the records of its section, slot in its function before relocation
    local   what is asked for
    """

    function: str
    section: str
    number: int
    slot: int
    kind: CoreReloKind
    local: str
    line: LineInfo | None
    cells: tuple[Cell, ...]

    @property
    def meaning(self) -> str:
        """What its numbers are."""
        if self.kind in EXISTENCE_KINDS:
            return "1 or 0"
        if self.kind in ENUM_KINDS:
            return "number"
        return "type id" if self.kind in _IDS else _MEANINGS[self.kind]

    @property
    def differs(self) -> bool:
        """Whether not all cells say the same; ids of types differ anyway and do not count."""
        return len({self._compared(cell) for cell in self.cells}) > 1

    def changed(self, one: Cell, other: Cell) -> bool:
        """Whether two of its cells say different things."""
        return self._compared(one) != self._compared(other)

    def _compared(self, cell: Cell) -> tuple[CellKind, int | None]:
        return cell.kind, None if self.kind in _IDS else cell.value


_MEANINGS: Final = {
    CoreReloKind.FIELD_BYTE_OFFSET: "byte offset",
    CoreReloKind.FIELD_BYTE_SIZE: "bytes",
    CoreReloKind.FIELD_SIGNED: "signed",
    CoreReloKind.FIELD_LSHIFT_U64: "shift",
    CoreReloKind.FIELD_RSHIFT_U64: "shift",
    CoreReloKind.TYPE_SIZE: "bytes",
}


@dataclass(frozen=True, slots=True)
class Change:
    """A relocation that says something else on `kernel` than on `previous`, one loader."""

    row: Row
    loader: str
    previous: str
    kernel: str
    before: Cell
    after: Cell


@dataclass(frozen=True, slots=True)
class Matrix:
    """All relocations of an object on all kernels under all loaders."""

    columns: tuple[Column, ...]
    rows: tuple[Row, ...]

    def differences(self) -> Matrix:
        """Only the rows whose cells differ."""
        return replace(self, rows=tuple(row for row in self.rows if row.differs))

    def changes(self) -> tuple[Change, ...]:
        """Every step from one kernel to the next of its architecture that changes a row."""
        return tuple(change for row in self.rows for change in self._changes(row))

    def first_changes(self) -> tuple[Change, ...]:
        """The first of these steps for each row, loader and architecture."""
        seen = set()
        found = []
        arches = {column.kernel: column.arch for column in self.columns}
        for change in self.changes():
            key = (change.row.section, change.row.number, change.loader, arches[change.kernel])
            if key not in seen:
                seen.add(key)
                found.append(change)
        return tuple(found)

    def _changes(self, row: Row) -> Iterator[Change]:
        last: dict[tuple[str, str], int] = {}
        for place, column in enumerate(self.columns):
            key = (column.loader, column.arch)
            before = last.get(key)
            last[key] = place
            if before is not None and row.changed(row.cells[before], row.cells[place]):
                yield Change(
                    row,
                    column.loader,
                    self.columns[before].kernel,
                    column.kernel,
                    row.cells[before],
                    row.cells[place],
                )


def build_matrix(
    runs: Iterable[tuple[str, ObjectResult]], arches: Mapping[str, str] | None = None
) -> Matrix:
    """Bring the results of (kernel, object under one loader) into a table.

    Kernels are compared in the order in which they come; `arches` gives their architectures.
    """
    arches = arches or {}
    known = tuple(runs)
    columns = tuple(Column(k, result.loader, arches.get(k, "")) for k, result in known)
    rows: dict[tuple[str, int], Row] = {}
    cells: dict[tuple[str, int], dict[int, Cell]] = {}
    for place, (_, result) in enumerate(known):
        for function in result.functions:
            for relocation in function.relocations:
                key = (function.section, relocation.number)
                if key not in rows or relocation.outcome != "failed":
                    rows[key] = _row(function, relocation)
                cells.setdefault(key, {})[place] = _cell(relocation)
    blanks = [_blank(result.error) for _, result in known]
    found = [
        replace(row, cells=_filled(cells[key], blanks))
        for key, row in sorted(rows.items(), key=lambda item: item[0])
    ]
    return Matrix(columns, tuple(found))


def _filled(cells: Mapping[int, Cell], blanks: Sequence[Cell]) -> tuple[Cell, ...]:
    return tuple(cells.get(place, blank) for place, blank in enumerate(blanks))


def _row(function: FunctionResult, relocation: Relocation) -> Row:
    path = next((s.spec.path for s in relocation.trace if s.kind is StepKind.LOCAL and s.spec), "")
    return Row(
        function.name,
        function.section,
        relocation.number,
        relocation.slot,
        relocation.kind,
        path or relocation.local,
        source_line(relocation, function.lines),
        (),
    )


def _cell(relocation: Relocation) -> Cell:
    if relocation.outcome in ("patched", "unchanged"):
        return Cell("value", relocation.new)
    if relocation.outcome == "poisoned":
        return Cell("poison")
    if relocation.outcome == "failed":
        steps = [s.text for s in relocation.trace if s.kind is StepKind.FAILURE]
        text = steps[0] if steps else ""
        return Cell("ambiguous" if is_ambiguous(relocation.trace) else "refused", text=text)
    return _NONE


def _blank(error: LoaderError | None) -> Cell:
    return _NONE if error is None else Cell("refused", text=error.text)
