"""Where answers go, which fields two paths share, and what a guard protects."""

from __future__ import annotations

import pytest

from engine.lint.guards import find_guards
from engine.lint.pointers import Access, Typing, fixed_accesses
from engine.lint.questions import Question
from engine.lint.rules.jump_over_load import crossed
from engine.lint.rules.size_change import copied_bytes
from engine.lint.taint import sinks_of
from engine.loaders import policy_of
from engine.loaders.link import link_object
from tests.support.asm import (
    alu,
    call,
    exit_,
    goto,
    jmp,
    ld_imm64,
    ldx,
    mov,
    mov_imm,
    stx,
)
from tests.support.lint import kernels, prepared

FIELD = Question("field", "task_struct", ("se", "vruntime"))


@pytest.mark.parametrize(
    ("asked", "other", "answers"),
    [
        (FIELD, FIELD, True),
        (FIELD, Question("field", "task_struct", ("se",)), True),
        (Question("field", "task_struct", ("se",)), FIELD, False),
        (FIELD, Question("type", "task_struct"), True),
        (Question("type", "task_struct"), FIELD, False),
        (FIELD, Question("field", "file", ("se", "vruntime")), False),
        (Question("enumerator", "e", ("A",)), Question("enumerator", "e", ("B",)), False),
    ],
)
def test_what_a_question_answers(asked, other, answers):
    assert asked.answers(other) is answers


@pytest.mark.parametrize(
    ("code", "sinks"),
    [
        (mov_imm(1, 1) + jmp("==", 1, 0, 0) + exit_(), {"branch"}),
        (mov_imm(1, 1) + mov(2, 1) + stx(4, 10, -4, 2) + exit_(), {"stack"}),
        (mov_imm(1, 1) + stx(8, 6, 0, 1) + exit_(), {"memory"}),
        (mov_imm(1, 1) + call(5) + exit_(), {"call"}),
        (mov_imm(0, 1) + exit_(), {"return"}),
        (mov_imm(1, 1) + mov_imm(1, 2) + stx(8, 6, 0, 1) + exit_(), set()),
        (mov_imm(3, 1) + alu("+", 0, 3) + exit_(), {"return"}),
        (ld_imm64(1, 1) + goto(-1), set()),
        (mov_imm(6, 1) + call(5) + stx(8, 10, -8, 6) + exit_(), {"stack"}),
    ],
)
def test_where_a_value_goes(code, sinks):
    assert sinks_of(code, 0) == sinks


@pytest.mark.parametrize(
    ("code", "slot", "expected"),
    [
        (jmp("==", 1, 0, 2) + ld_imm64(1, 1) + exit_(), 1, True),
        (jmp("==", 1, 0, 0) + ld_imm64(1, 1) + exit_(), 1, False),
        (ld_imm64(1, 1) + jmp("==", 1, 0, -3) + exit_(), 0, True),
        (ld_imm64(1, 1) + jmp("==", 1, 0, -1) + exit_(), 0, False),
    ],
)
def test_jumps_over_a_load(code, slot, expected):
    assert crossed(code, slot) is expected


def test_the_length_of_a_copy():
    code = mov_imm(2, 8) + mov_imm(1, 0) + mov_imm(3, 0) + alu("+", 3, 1) + call(113)
    assert copied_bytes(code, 1) == 8
    assert copied_bytes(code[:-1] + call(14), 1) is None
    assert copied_bytes(code[:-1], 1) is None


def test_pointers_are_followed_until_something_is_done_to_them():
    task = 7
    typing = Typing(task, {1: 9}, {})
    read = call(35) + mov(1, 0) + ldx(4, 2, 1, 16) + exit_()
    assert list(fixed_accesses(read, typing, is_entry=False)) == [Access(2, task, 16)]
    argument = ldx(8, 6, 1, 8) + ldx(8, 0, 6, 24) + exit_()
    assert list(fixed_accesses(argument, typing, is_entry=True)) == [Access(1, 9, 24)]
    assert list(fixed_accesses(argument, typing, is_entry=False)) == []
    moved = call(35) + mov(1, 0) + alu("+", 1, 3) + ldx(4, 2, 1, 16) + exit_()
    assert list(fixed_accesses(moved, typing, is_entry=False)) == []
    relocated = Typing(task, {}, {2: None})
    assert list(fixed_accesses(read, relocated, is_entry=False)) == []


@pytest.mark.parametrize(
    ("name", "side", "protected"),
    [
        ("unguarded-enum-value", "counter", True),
        ("guard-lost", "example", False),
        ("guard-lost", "counter", True),
        ("jump-over-load", "counter", True),
    ],
)
def test_what_guards_protect(name, side, protected):
    program = prepared(name, side)
    linked = link_object(program, kernels()[0].target, policy_of("libbpf@1.7.0"))
    guards = find_guards(program, linked.programs[0], linked.loader)
    question = Question("enumerator", "node_stat_item", ("NR_SECONDARY_PAGETABLE",))
    (value,) = [key for key in guards.places if key not in guards.asked]
    assert guards.questions() == (question,)
    assert guards.is_protected(value, question) is protected
    assert guards.protecting(value) == ((question,) if protected else ())
