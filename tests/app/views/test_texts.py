"""Small texts: values, prose, diagnostics, relocation rows, coloured source."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.errors import AppError
from app.views.bytecode import Side
from app.views.failure import DIAGNOSTICS, failure
from app.views.highlight import highlight
from app.views.lines import SourceLines
from app.views.prose import anchor, names_as_code, plain, size
from app.views.relocations import records, tally
from app.views.values import value, written
from tests.support.asm import alu_imm, exit_, ld_imm64, ldx, stx
from tests.support.issue1348 import CILIUM, LIBBPF, run


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (None, "–"),
        (0, "0"),
        (65_535, "65535"),
        (65_536, "0x10000"),
        (1 << 32, "0x100000000"),
        ((1 << 64) - 32, "-32"),
        (1 << 63, "0x8000000000000000"),
    ],
)
def test_values_are_short_and_exact(number, text):
    assert value(number) == text


@pytest.mark.parametrize(
    ("code", "number"),
    [
        (ld_imm64(1, 0x100000002), 0x100000002),
        (ldx(4, 1, 2, 24), 24),
        (stx(8, 10, -8, 1), (1 << 64) - 8),
        (alu_imm("mov", 1, -1), (1 << 64) - 1),
        (alu_imm("+", 1, 516), 516),
    ],
)
def test_what_the_compiler_wrote_is_read_from_the_instruction(code, number):
    assert written(code + exit_(), 0) == number


@pytest.mark.parametrize(
    ("sentence", "marked"),
    [
        ("enum e has no enumerator A_B", "`enum e` has no enumerator `A_B`"),
        ("struct task_struct.pid moved", "`struct task_struct.pid` moved"),
        ("it exists", "it exists"),
        ("`a_b` <i>", "``a_b`` <i>"),
    ],
)
def test_names_are_marked_as_code(sentence, marked):
    assert plain(names_as_code(sentence)) == marked


@given(st.text(max_size=200))
def test_marking_names_keeps_every_character(text):
    assert "".join(piece.text for piece in names_as_code(text)) == text


@given(st.text(st.characters(exclude_characters="\r\n", codec="utf-8"), max_size=80))
def test_colouring_keeps_every_character(text):
    assert "".join(run.text for run in highlight(text)) == text


def test_colours_of_c():
    assert [run.kind for run in highlight("return 0; /* x */")] == [
        "c-key",
        "",
        "c-num",
        "",
        "c-com",
    ]


def test_sizes_and_anchors():
    assert [size(n) for n in (1, 764, 37_000, 4_360_000)] == [
        "1 byte",
        "764 bytes",
        "37 kB",
        "4.36 MB",
    ]
    assert anchor('a@1"><b') == "a-1---b"


def sides() -> list[Side]:
    return [Side(loader, run(loader).result.functions[0]) for loader in (CILIUM, LIBBPF)]


def test_relocation_rows_hold_what_was_asked_and_every_answer():
    exists, wanted = records(sides(), SourceLines("prog.c"), shown=range(100))
    assert (exists.kind, exists.slot, exists.orig, exists.line.number) == (
        "enumval_exists",
        0,
        "1",
        16,
    )
    assert [(a.outcome, a.new) for a in exists.answers] == [("patched", "0")] * 2
    assert (wanted.kind, wanted.slot, wanted.slots, wanted.orig) == ("enumval_value", 3, 2, "1")
    assert [(a.outcome, a.new) for a in wanted.answers] == [("poisoned", "")] * 2
    assert wanted.local_parts == ("enum cgroup_subsys_id::", "cpuset_cgrp_id_lublub")
    assert wanted.keys == "s3 s4 l18"


def test_a_reason_names_loaders_only_where_they_part():
    reasons = records(sides(), SourceLines("prog.c"), shown=range(100))[1].reasons
    assert [reason.loaders for reason in reasons] == [""]
    assert "no enumerator `cpuset_cgrp_id_lublub`" in plain(reasons[0].text)


def test_outcomes_are_counted():
    assert tally(sides()[0].function.relocations) == "2 relocations: 1 patched, 1 poisoned"
    assert tally(()) == "no relocations"


def compile_error(count: int = 1) -> AppError:
    entry = {"file": "./m.c", "line": 2, "column": 3, "severity": "error", "text": "no"}
    return AppError("no", code="compile-failed", details={"diagnostics": [entry] * count})


def test_a_diagnostic_carries_its_line_and_a_marker_under_the_column():
    (remark,) = failure(compile_error(), {"m.c": "int a;\n\t\tb c;\n"}).remarks
    assert "".join(run.text for run in remark.excerpt) == "\t\tb c;"
    assert remark.marker == "\t\t"
    assert remark.in_editor


def test_diagnostics_of_headers_are_not_put_on_lines_of_the_editor():
    (remark,) = failure(compile_error(), {"other.c": "a\nb\n"}).remarks
    assert not remark.in_editor
    assert remark.excerpt == ()


def test_a_line_number_that_the_source_does_not_have():
    (remark,) = failure(compile_error(), {"m.c": "one line\n"}).remarks
    assert not remark.in_editor


def test_a_flood_of_diagnostics_is_cut():
    shown = failure(compile_error(DIAGNOSTICS + 5), {"m.c": ""})
    assert len(shown.remarks) == DIAGNOSTICS
    assert shown.more == "5 more messages left out."
