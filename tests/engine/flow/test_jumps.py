"""Each jump of a function before and after: where it was meant to go and where it goes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.core.patch import POISON_CALL
from engine.core.result import FunctionResult, LoaderError
from engine.flow.jumps import JumpCheck, check_jumps
from engine.insn.codec import Insn
from engine.insn.opcodes import jump_target
from tests.support.asm import (
    Code,
    call,
    call_subprogram,
    exit_,
    goto,
    gotol,
    jmp,
    jmp_reg,
    ld_imm64,
    mov_imm,
)

WIDE = ld_imm64(1, 5)
ONE = mov_imm(0, 0)


def function(before: Code, *lost: int) -> FunctionResult:
    """A function whose wide loads at the slots before `lost` became one call each."""
    after: list[Insn] = []
    slot_map: list[int | None] = []
    for slot, insn in enumerate(before):
        slot_map.append(None if slot in lost else len(after))
        if slot not in lost:
            after.append(POISON_CALL if slot + 1 in lost else insn)
    lines = (None,) * len(before)
    return FunctionResult("f", "socket", 0, before, tuple(after), tuple(slot_map), (), lines)


def only(result: FunctionResult) -> JumpCheck:
    (check,) = check_jumps(result)
    return check


CASES = [
    # code, lost slots: slot after, intended, actual, landing, lost
    pytest.param(jmp("==", 1, 0, 1) + ONE + exit_(), (), (0, 2, 2, "fine", 0), id="nothing lost"),
    pytest.param(
        jmp("==", 1, 0, 2) + WIDE + ONE + exit_(),
        (2,),
        (0, 2, 3, "wrong-slot", 1),
        id="forward over a lost slot",
    ),
    pytest.param(
        jmp("==", 1, 0, 4) + WIDE + WIDE + ONE + exit_(),
        (2, 4),
        (0, 3, 5, "past-the-end", 2),
        id="forward over two, past the end",
    ),
    pytest.param(
        jmp("==", 1, 0, 2) + WIDE + exit_(),
        (2,),
        (0, 2, 3, "past-the-end", 1),
        id="the guard is the last thing before exit",
    ),
    pytest.param(
        jmp("==", 1, 0, 2) + WIDE + WIDE + exit_(),
        (2,),
        (0, 2, 3, "middle-of-load", 1),
        id="into the middle of a load",
    ),
    pytest.param(
        ONE + WIDE + jmp("==", 1, 0, -3) + exit_(),
        (2,),
        (2, 1, 0, "wrong-slot", 1),
        id="back over a lost slot",
    ),
    pytest.param(
        WIDE + WIDE + jmp("==", 1, 0, -3) + exit_(),
        (3,),
        (3, 2, 1, "middle-of-load", 1),
        id="back into the middle of a load",
    ),
    pytest.param(
        WIDE + goto(-3) + exit_(), (1,), (1, 0, -1, "past-the-end", 1), id="back past the start"
    ),
    pytest.param(
        WIDE + jmp("==", 1, 0, 1) + ONE + exit_(),
        (1,),
        (1, 3, 3, "fine", 0),
        id="lost before the jump",
    ),
    pytest.param(
        jmp("==", 1, 0, 1) + ONE + WIDE + exit_(),
        (3,),
        (0, 2, 2, "fine", 0),
        id="lost behind the target",
    ),
    pytest.param(
        jmp("==", 1, 0, 2) + WIDE + WIDE + exit_(),
        (2, 4),
        (0, 2, 3, "wrong-slot", 1),
        id="to a load that is lost itself",
    ),
    pytest.param(
        jmp_reg("<", 1, 2, 2, wide=False) + WIDE + ONE + exit_(),
        (2,),
        (0, 2, 3, "wrong-slot", 1),
        id="32-bit jump on registers",
    ),
    pytest.param(gotol(2) + WIDE + ONE + exit_(), (2,), (0, 2, 3, "wrong-slot", 1), id="long goto"),
    pytest.param(goto(2) + WIDE + ONE, (2,), (0, 2, 3, "past-the-end", 1), id="to the last slot"),
    pytest.param(goto(9) + exit_(), (), (0, None, 10, "past-the-end", 0), id="never had a target"),
    pytest.param(goto(1) + exit_(), (), (0, 2, 2, "fine", 0), id="to the end of the function"),
]


@pytest.mark.parametrize(("code", "lost", "expected"), CASES)
def test_where_a_jump_goes(code, lost, expected):
    check = only(function(code, *lost))
    assert check == JumpCheck(
        code.index(next(i for i in code if jump_target(0, i) is not None)), *expected
    )


def test_every_jump_is_checked_on_its_own():
    code = jmp("==", 1, 0, 3) + WIDE + jmp("!=", 1, 0, 1) + ONE + exit_()
    first, second = check_jumps(function(code, 2))
    assert (first.slot_before, first.landing) == (0, "wrong-slot")
    assert (second.slot_before, second.landing) == (3, "fine")


NO_JUMPS = [
    pytest.param(call(6) + exit_(), id="helper"),
    pytest.param(call_subprogram(2) + exit_(), id="call of a function: linked anew"),
    pytest.param(exit_(), id="exit"),
    pytest.param((WIDE[0], Insn(5, 0, 0, 2, 0), *exit_()), id="the second half of a load"),
    pytest.param((), id="nothing"),
]


@pytest.mark.parametrize("code", NO_JUMPS)
def test_what_is_no_jump(code):
    assert check_jumps(function(code)) == ()


def test_a_jump_that_was_replaced_is_none_any_more():
    result = function(jmp("==", 1, 0, 1) + ONE + exit_())
    assert result.after is not None
    poisoned = FunctionResult(
        "f",
        "socket",
        0,
        result.before,
        (POISON_CALL, *result.after[1:]),
        result.slot_map,
        (),
        result.lines,
    )
    assert check_jumps(poisoned) == ()


def test_a_refused_function_has_no_jumps():
    code = goto(0) + exit_()
    error = LoaderError("EINVAL", "no")
    refused = FunctionResult("f", "socket", 0, code, None, (0, 1), (), (None, None), error)
    assert check_jumps(refused) == ()


PIECES = st.sampled_from([WIDE, ONE, goto(0), jmp("==", 1, 0, 0)])


@given(st.lists(PIECES, max_size=12), st.data())
def test_a_jump_is_off_by_what_was_lost_on_its_way(pieces, data):
    """Forward jumps land late and backward ones early, by the number of slots they crossed."""
    code = sum(pieces, ()) + exit_()
    code = tuple(
        insn._replace(off=data.draw(st.integers(-slot - 1, len(code) - slot - 2)))
        if jump_target(0, insn) is not None
        else insn
        for slot, insn in enumerate(code)
    )
    starts = [slot for slot, insn in enumerate(code) if insn.is_ld_imm64]
    lost = data.draw(st.sets(st.sampled_from(starts))) if starts else set()
    result = function(code, *(slot + 1 for slot in lost))
    for check in check_jumps(result):
        if check.intended is None:
            assert jump_target(check.slot_before, code[check.slot_before]) - 1 in lost
            continue
        forward = jump_target(check.slot_before, code[check.slot_before]) > check.slot_before
        assert check.actual - check.intended == (check.lost if forward else -check.lost)
        assert (check.landing == "fine") is (check.lost == 0)
