"""The matrix as a table: steps, loaders that part, pages of rows, and CSV."""

from __future__ import annotations

import csv
import io

import pytest

from app.services.matrix import MatrixAnswer
from app.views.matrix_page import _quoted, matrix_csv, matrix_view
from engine.core.kinds import CoreReloKind
from engine.explain.matrix import Cell, Column, Matrix, Row

OLD, NEW = "libbpf@1.7.0", "cilium@0.13.0"


def value(number: int) -> Cell:
    return Cell("value", number)


def row(number: int, *cells: Cell, local: str = "struct s.f", function: str = "prog") -> Row:
    kind = CoreReloKind.FIELD_BYTE_OFFSET
    return Row(function, "socket", number, number, kind, local, None, cells)


def answer(*rows: Row, loaders: tuple[str, ...] = (OLD,), kernels=("5.10", "6.1")) -> MatrixAnswer:
    columns = tuple(Column(kernel, loader, "amd64") for kernel in kernels for loader in loaders)
    return MatrixAnswer(Matrix(columns, rows), tuple(kernels))


def test_a_step_says_what_was_before_it_and_where_it_comes_first():
    view = matrix_view(answer(row(0, value(8), value(16)), row(1, value(4), value(4))))
    first, second = view.rows
    assert [(c.words, c.step, c.previous) for c in first.cells] == [
        ("8", "", ""),
        ("16", "8", "5.10"),
    ]
    assert first.first == ("6.1: 8 → 16",)
    assert second.first == ()
    assert (view.total, view.differing, view.one_loader) == (2, 1, True)


def test_only_what_differs():
    found = answer(row(0, value(8), value(16)), row(1, value(4), value(4)))
    assert [r.number for r in matrix_view(found, differs=True).rows] == [0]


def test_loaders_that_part_are_marked_and_named():
    poison = Cell("poison")
    found = answer(row(0, value(8), value(8), value(8), poison), loaders=(OLD, NEW))
    (only,) = matrix_view(found).rows
    assert [c.apart for c in only.cells] == [False, False, True, True]
    assert [c.step for c in only.cells] == ["", "", "", "8"]
    assert only.first == ("6.1: 8 → poison (cilium 0.13.0)",)
    assert [h.loaders for h in matrix_view(found).headings] == [
        ("libbpf 1.7.0", "cilium 0.13.0")
    ] * 2


def test_architectures_are_not_compared():
    columns = (Column("a", OLD, "amd64"), Column("b", OLD, "arm64"))
    matrix = Matrix(columns, (row(0, value(1), value(2)),))
    (only,) = matrix_view(MatrixAnswer(matrix, ("a", "b"))).rows
    assert [c.step for c in only.cells] == ["", ""]
    assert only.differs


def test_many_rows_are_turned_over():
    found = answer(*(row(n, value(n), value(n)) for n in range(900)))
    view = matrix_view(found, at=450)
    assert (view.start, view.end, view.previous, view.next) == (400, 800, 0, 800)
    assert matrix_view(found, at=10_000).start == 800
    assert matrix_view(found).previous is None


def test_programs_of_one_name_are_told_apart():
    one = row(0, value(1))
    columns = (Column("k", OLD, ""),)
    second = Row("prog", "kprobe/x", 1, 1, one.kind, "struct s.f", None, (value(1),))
    view = matrix_view(MatrixAnswer(Matrix(columns, (one, second)), ("k",)))
    assert [r.prog for r in view.rows] == ["socket:prog", "kprobe/x:prog"]


def test_csv_reads_back():
    text = matrix_csv(answer(row(0, value(8), Cell("poison"), local='s."f",x')).matrix)
    head, line = csv.reader(io.StringIO(text, newline=""))
    assert head[-3:] == ["5.10 libbpf@1.7.0", "6.1 libbpf@1.7.0", "first changes on"]
    assert line == [
        "prog", "socket", "0", "0", "", "byte_off", 's."f",x', "byte offset", "8", "poison",
        "6.1: 8 → poison",
    ]  # fmt: skip


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r", "\n"])
def test_what_a_spreadsheet_takes_for_a_formula_is_text(start):
    hostile = f"{start}cmd|' /C calc'!A0"
    text = matrix_csv(answer(row(0, value(1), value(1), local=hostile)).matrix)
    (line,) = list(csv.reader(io.StringIO(text, newline="")))[1:]
    assert line[6] == f"'{hostile}"


def test_a_negative_number_stays_a_number():
    assert _quoted("-5") == "-5"
    assert _quoted("-5+1") == "'-5+1"
