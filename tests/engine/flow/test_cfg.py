"""Blocks, edges, loops and dominators of small programs, damaged ones included."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.flow.cfg import build_cfg
from engine.insn import opcodes as op
from engine.insn.codec import Insn
from tests.support.asm import (
    call,
    call_subprogram,
    exit_,
    goto,
    gotol,
    jmp,
    ld_imm64,
    mov_imm,
)
from tests.support.goldens import GOLDEN, golden_object

MAY_GOTO = (Insn(op.MAY_GOTO, 0, 0, -2, 0),)


def edges(cfg) -> set[tuple]:
    return {(e.source, e.target, e.kind) for e in cfg.edges}


def spans(cfg) -> list[tuple[int, int]]:
    return [(block.start, block.end) for block in cfg.blocks]


def test_no_code_no_blocks():
    cfg = build_cfg(())
    assert (cfg.blocks, cfg.edges, cfg.loops, cfg.block_at(0)) == ((), (), (), None)


def test_a_straight_line_is_one_block():
    cfg = build_cfg(mov_imm(0, 0) + ld_imm64(1, 5) + exit_())
    assert spans(cfg) == [(0, 4)]
    assert cfg.edges == ()


def test_a_guard():
    cfg = build_cfg(ld_imm64(1, 1) + jmp("==", 1, 0, 2) + ld_imm64(2, 1) + mov_imm(0, 0) + exit_())
    assert spans(cfg) == [(0, 3), (3, 5), (5, 7)]
    assert edges(cfg) == {(0, 1, "fallthrough"), (0, 2, "taken"), (1, 2, "fallthrough")}
    assert cfg.idom == (None, 0, 0)
    assert cfg.dominates(0, 2)
    assert not cfg.dominates(1, 2)
    assert [cfg.block_at(slot).number for slot in range(7)] == [0, 0, 0, 1, 1, 2, 2]
    assert cfg.block_at(7) is None


@pytest.mark.parametrize("jump", [goto(1), gotol(1)], ids=["goto", "gotol"])
def test_unconditional_jumps_do_not_fall_through(jump):
    cfg = build_cfg(jump + mov_imm(0, 1) + exit_())
    assert edges(cfg) == {(0, 2, "taken"), (1, 2, "fallthrough")}
    assert cfg.unreachable == {1}
    assert not cfg.dominates(0, 1)


def test_a_loop_has_a_head_a_body_and_a_back_edge():
    cfg = build_cfg(mov_imm(1, 0) + call(7) + jmp("!=", 0, 0, -2) + exit_())
    assert spans(cfg) == [(0, 1), (1, 3), (3, 4)]
    assert [(e.source, e.target) for e in cfg.edges if e.back] == [(1, 1)]
    assert [(loop.head, loop.blocks) for loop in cfg.loops] == [(1, frozenset({1}))]
    assert not cfg.irreducible


def test_nested_loops():
    code = mov_imm(1, 0) + mov_imm(2, 0) + jmp("<", 2, 5, -2) + jmp("<", 1, 5, -4) + exit_()
    cfg = build_cfg(code)
    assert [(loop.head, sorted(loop.blocks)) for loop in cfg.loops] == [(0, [0, 1, 2]), (1, [1])]


def test_may_goto_goes_both_ways():
    cfg = build_cfg(mov_imm(1, 0) + MAY_GOTO + exit_())
    assert edges(cfg) == {(0, 0, "taken"), (0, 1, "fallthrough")}


def test_a_loop_with_two_ways_in_is_irreducible():
    cfg = build_cfg(jmp("==", 1, 0, 1) + mov_imm(2, 0) + jmp("==", 1, 1, -2) + exit_())
    assert [loop.head for loop in cfg.loops] == [1]
    assert cfg.irreducible


@pytest.mark.parametrize(
    ("code", "slot"),
    [
        (jmp("==", 1, 0, 5) + exit_(), 6),
        (jmp("==", 1, 0, -9) + exit_(), -8),
        (jmp("==", 1, 0, 1) + ld_imm64(1, 0) + exit_(), 2),
        (mov_imm(0, 0), 1),
        (goto(-1) + goto(9), 11),
    ],
    ids=["past the end", "before the start", "middle of a load", "no exit", "dead"],
)
def test_a_jump_to_nowhere_is_a_broken_edge(code, slot):
    broken = [edge for edge in build_cfg(code).edges if edge.broken]
    assert [edge.slot for edge in broken] == [slot]
    assert broken[0].target is None


def test_a_jump_to_itself():
    cfg = build_cfg(goto(-1) + exit_())
    assert [(e.source, e.target, e.back) for e in cfg.edges] == [(0, 0, True)]
    assert cfg.unreachable == {1}


def test_calls_are_listed_by_what_they_call():
    code = (
        call(7)
        + call_subprogram(4)
        + (Insn(0x85, 0, op.CALL_KFUNC, 0, 99),)
        + ld_imm64(2, 1, src=4)
        + exit_()
    )
    found = [(site.slot, site.kind, site.target) for site in build_cfg(code).calls]
    assert found == [
        (0, "helper", 7),
        (1, "subprogram", 6),
        (2, "kfunc", 99),
        (3, "callback", 5),
    ]


def test_blocks_carry_their_source_lines():
    prepared = golden_object("flow/different.v3.o")
    function = prepared.functions[0]
    cfg = build_cfg(function.insns, name=function.name, lines=prepared.lines[0])
    assert all(block.lines for block in cfg.blocks)
    assert {"out = 7;"} <= {line.line.strip() for line in cfg.blocks[-1].lines}


@pytest.mark.parametrize("path", sorted((GOLDEN / "objects").glob("*.clang19.v3.el.o")), ids=str)
def test_compiled_functions_have_no_dead_and_no_broken_ends(path):
    for function in golden_object(str(path.relative_to(GOLDEN))).functions:
        cfg = build_cfg(function.insns)
        assert not cfg.unreachable
        assert not [edge for edge in cfg.edges if edge.broken]


slots = st.builds(
    Insn,
    st.sampled_from((0x05, 0x06, 0x15, 0x1D, 0x16, 0x95, 0x85, 0x18, 0xB7, 0xE5, 0x0D, 0, 0xFF)),
    st.integers(0, 15),
    st.integers(0, 15),
    st.integers(-12, 12),
    st.integers(-12, 12),
)


@given(st.lists(slots, max_size=24))
@settings(max_examples=200, deadline=None)
def test_any_code_has_a_graph_whose_blocks_cover_it(code):
    cfg = build_cfg(code)
    assert [slot for block in cfg.blocks for slot in range(block.start, block.end)] == list(
        range(len(code))
    )
    for edge in cfg.edges:
        assert edge.target is None or cfg.blocks[edge.target].start == edge.slot
    for number in range(len(cfg.blocks)):
        assert number in cfg.unreachable or cfg.dominates(0, number)
