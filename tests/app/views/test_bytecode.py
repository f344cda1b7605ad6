"""The bytecode table: rows, gaps, shifts, marks, and the lines of a broken jump."""

from __future__ import annotations

import pytest

from app.views import bytecode as views
from app.views.bytecode import Bytecode, Side, bytecode
from app.views.lanes import Arrow, crossing, strokes
from app.views.lines import SourceLines
from tests.support.asm import exit_, mov_imm
from tests.support.issue1348 import CILIUM, LIBBPF, run
from tests.support.relocating import ObjectWriter


def table(*loaders: str, writer: ObjectWriter | None = None, at: int = 0) -> Bytecode:
    sides = []
    for loader in loaders:
        made = run(loader, writer)
        function = made.result.functions[0]
        sides.append(Side(loader, function, made.jumps[function.name]))
    return bytecode(sides, SourceLines("prog.c"), "little", at=at)


def hex_of(cell: views.Cell) -> str:
    return " ".join(part.text for part in cell.hex)


def text_of(cell: views.Cell) -> str:
    return "".join(span.text for span in cell.spans)


def column(made: Bytecode, index: int) -> list[views.Cell]:
    return [row.after[index] for row in made.rows]


def test_both_columns_hold_the_bytes_of_the_specification():
    made = table(CILIUM, LIBBPF)
    zero, call = "00 00 00 00 00 00 00 00", "85 00 00 00 10 23 ad 0b"
    exists = ["18 01 00 00 00 00 00 00", zero, "15 01 03 00 00 00 00 00"]
    end = ["63 1a fc ff 00 00 00 00", "b7 00 00 00 00 00 00 00", "95 00 00 00 00 00 00 00"]
    assert [hex_of(c) for c in column(made, 0)] == [*exists, call, "", *end]
    assert [hex_of(c) for c in column(made, 1)] == [*exists, call, call, *end]
    assert hex_of(made.rows[0].before) == "18 01 00 00 01 00 00 00"


def test_a_lost_slot_leaves_a_gap_and_shifts_the_rest():
    cells = column(table(CILIUM), 0)
    assert [c.slot for c in cells] == [0, 1, 2, 3, None, 4, 5, 6]
    assert [c.shift for c in cells] == [0, 0, 0, 0, 0, -1, -1, -1]
    assert cells[4].state == "lost"
    assert cells[4].badges[0].text == "slot lost"
    assert table(CILIUM).columns[0].note == "1 slot lost"


def test_changed_and_poisoned_slots_are_marked():
    made = table(CILIUM, LIBBPF)
    assert [c.changed for c in column(made, 1)] == [True, False, False, True, True] + [False] * 3
    assert [row.slot for row in made.rows if row.after[1].poisoned] == [3, 4]
    assert [part for part in made.rows[0].after[1].hex if part.changed] == [("00", True)]
    assert [part.text for part in made.rows[3].after[0].hex if part.changed] == [
        "85 00",
        "10 23 ad 0b",
    ]


def test_the_stale_jump_is_drawn_to_where_it_lands_and_where_it_was_meant_to():
    cells = column(table(CILIUM), 0)
    badges = {row: [b.text for b in c.badges] for row, c in enumerate(cells) if c.strokes}
    assert badges[2] == ["stale jump: meant 5"]
    assert badges[6] == ["2 was meant for this"]
    assert badges[7] == ["2 lands here"]
    assert {s.kind: s.part for s in cells[2].strokes} == {"actual": "out-down", "meant": "out-down"}
    assert [(s.kind, s.part) for s in cells[6].strokes] == [
        ("actual", "pass"),
        ("meant", "in-down"),
    ]
    assert [(s.kind, s.part) for s in cells[7].strokes] == [("actual", "in-down")]
    assert not any(c.strokes for c in column(table(LIBBPF), 0))


def test_a_jump_shows_its_target_slot():
    row = table(LIBBPF).rows[2]
    assert text_of(row.before) == "if r1 == 0x0 goto +0x3"
    assert [span.target for span in row.before.spans if span.target is not None] == [6]


def test_the_relocation_column_says_what_happens():
    made = table(CILIUM, LIBBPF)
    assert [(w.kind, w.texts) for row in made.rows for w in row.why] == [
        ("enumval_exists", ("1 → 0",)),
        ("enumval_value", ("1 → poison",)),
    ]


def test_rows_carry_the_keys_that_link_all_views():
    made = table(LIBBPF)
    assert made.rows[3].keys == "s3 s4 r1 l18"
    assert made.rows[4].keys == "s3 s4 l18"
    assert made.rows[5].keys == "s5 l23"


def test_lines_have_numbers_and_colours_in_the_order_of_appearance():
    rows = table(LIBBPF).rows
    assert [row.line.number for row in rows] == [16, 16, 18, 18, 18, 23, 27, 27]
    assert [row.line.colour for row in rows] == [1, 1, 2, 2, 2, 3, 4, 4]
    assert [row.slot for row in rows if row.opens_line] == [0, 2, 5, 6]


def test_a_refused_function_has_an_empty_column():
    made = run(LIBBPF)
    function = made.result.functions[0]
    sides = [Side(LIBBPF, function), Side("aya@0.14.0", None, note="refused")]
    shown = bytecode(sides, SourceLines(""), "little")
    assert {row.after[1].state for row in shown.rows} == {"none"}
    assert shown.columns[1].note == "refused"


@pytest.mark.parametrize(
    ("at", "first", "last", "before", "after"),
    [(0, 0, 9, None, 10), (14, 10, 19, 0, 20), (21, 20, 24, 10, None), (999, 20, 24, 10, None)],
)
def test_long_programs_are_turned_over_like_a_book(monkeypatch, at, first, last, before, after):
    monkeypatch.setattr(views, "ROWS", 10)
    writer = ObjectWriter()
    writer.function("prog", mov_imm(0, 0) * 24 + exit_())
    made = table(LIBBPF, writer=writer, at=at)
    assert (made.first, made.last, made.total) == (first, last, 25)
    assert (made.previous_page, made.next_page) == (before, after)
    assert [row.slot for row in made.rows] == list(range(first, last + 1))


def test_lanes_are_shared_by_arrows_that_do_not_meet():
    drawn = strokes([Arrow("actual", 0, 2), Arrow("actual", 5, 3), Arrow("meant", 1, 4)])
    assert {s.lane for row in (0, 3, 5) for s in drawn[row] if s.kind == "actual"} == {0}
    assert {s.lane for s in drawn[4] if s.kind == "meant"} == {1}
    assert [s.part for row in (5, 4, 3) for s in drawn[row] if s.kind == "actual"] == [
        "out-up",
        "pass",
        "in-up",
    ]


def test_more_arrows_than_lanes_are_left_out():
    drawn = strokes([Arrow("actual", 0, 9)] * 20)
    assert len(drawn[4]) == 6


def test_what_crosses_the_line_above_a_row():
    drawn = strokes([Arrow("actual", 0, 2)])
    assert crossing(drawn[0]) == ()
    assert [s.part for s in crossing(drawn[2])] == ["pass"]


def test_lanes_are_given_quickly_to_very_many_arrows():
    arrows = [Arrow("actual", row, row + 3) for row in range(0, 60_000, 6)]
    assert {stroke.lane for row in strokes(arrows).values() for stroke in row} == {0}
