"""Where columns part, and two compilations laid beside each other."""

from __future__ import annotations

import pytest

from app.views.aligned import ROWS, Aligned, Text, aligned
from app.views.lines import SourceLines
from app.views.parting import Parting, parting
from app.views.prose import plain
from engine.core.result import FunctionResult, LoaderError
from tests.support.asm import Code, exit_, jmp, ld_imm64, mov_imm
from tests.support.issue1348 import CILIUM, LIBBPF, run


def function(*parts: Code, error: LoaderError | None = None) -> FunctionResult:
    insns = sum(parts, ())
    slots = tuple(range(len(insns)))
    after = None if error else insns
    return FunctionResult("prog", "socket", 0, insns, after, slots, (), (), error)


def parted(*sides: tuple[str, FunctionResult | None]) -> Parting:
    found = parting(sides)
    assert found is not None
    return found


def laid(left: FunctionResult, right: FunctionResult, *, at: int = 0) -> Aligned:
    lines = SourceLines("")
    texts = (Text(name, f, lines, "little") for name, f in (("L", left), ("R", right)))
    return aligned(*texts, at=at)


def shape(made: Aligned) -> list[tuple[int | None, int | None]]:
    return [
        (row.left.cell.slot if row.left else None, row.right.cell.slot if row.right else None)
        for row in made.rows
    ]


def test_the_founding_example_parts_where_the_slot_is_lost():
    sides = [(name, run(name).result.functions[0]) for name in (CILIUM, LIBBPF)]
    found = parted(*sides)
    assert (found.rows, found.starts, found.same) == ({4}, (4,), False)
    assert plain(found.sentence) == (
        "cilium 0.13.0 and libbpf 1.7.0 part at slot 4: 1 slot differs of 8."
    )


def test_same_bytes_are_said_to_be_the_same():
    one = function(mov_imm(0, 0), exit_())
    found = parted(("a@1", one), ("b@1", one))
    assert found.same
    assert plain(found.sentence) == "a 1 and b 1 both write the same 2 slots, byte for byte."
    assert "all write" in plain(parted(("a@1", one), ("b@1", one), ("c@1", one)).sentence)


def test_each_run_of_differences_has_one_start():
    one = function(*(mov_imm(0, n) for n in range(6)))
    other = function(*(mov_imm(0, n if n in (0, 3) else 9) for n in range(6)))
    found = parted(("a@1", one), ("b@1", other))
    assert found.starts == (1, 4)
    assert found.first == 1
    assert plain(found.sentence).endswith("part at slot 1: 4 slots differ of 6.")


@pytest.mark.parametrize("refused", [None, function(exit_(), error=LoaderError("x", "no"))])
def test_with_a_refusal_there_is_nothing_to_compare(refused):
    found = parted(("a@1", function(exit_())), ("b@1", refused))
    assert plain(found.sentence) == "b 1 writes no bytes, so there is nothing to compare."
    assert not found.same


def test_one_column_parts_from_nothing():
    assert parting([("a@1", function(exit_()))]) is None


def test_compilations_are_aligned_where_they_agree():
    left = function(mov_imm(0, 0), ld_imm64(1, 5), exit_())
    right = function(mov_imm(0, 0), mov_imm(2, 2), ld_imm64(1, 6), exit_())
    made = laid(left, right)
    assert shape(made) == [(0, 0), (1, 1), (None, 2), (3, 4)]
    assert made.starts == (1,)
    assert plain(made.sentence) == (
        "They part at row 1: 2 instructions are the same, 1 written differently, 1 only right."
    )


def test_equal_compilations_say_so():
    one = function(mov_imm(0, 0), exit_())
    assert plain(laid(one, one).sentence) == "L and R give the same 2 instructions."


def test_a_long_comparison_comes_by_pages_and_jumps_count_in_the_whole_program():
    code = [mov_imm(0, n) for n in range(ROWS + 50)]
    one = function(*code, jmp("==", 0, 0, 1), mov_imm(0, 1), exit_())
    first, second = laid(one, one), laid(one, one, at=ROWS + 1)
    assert (first.previous_page, first.next_page) == (None, ROWS)
    assert (second.first, second.last, second.next_page) == (ROWS, ROWS + 52, None)
    spans = [half.cell.spans for row in second.rows if (half := row.right)]
    targets = [span.target for line in spans for span in line if span.target is not None]
    assert targets == [ROWS + 52]
