"""Rules of the exploration that need calls, callbacks, loops without end, or odd code."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.flow.code import stream_code
from engine.flow.reach import INDIRECT_JUMP, explore
from engine.flow.values import REASONS, WRITTEN
from engine.flow.verifier import POLICIES, STRICTEST
from engine.insn import opcodes as op
from engine.insn.codec import Insn
from engine.loaders.references import Reference
from tests.support.asm import (
    alu,
    alu_imm,
    call,
    call_subprogram,
    exit_,
    goto,
    jmp,
    ld_imm64,
    ldx,
    mov,
    mov_imm,
    stx,
)
from tests.support.poison import (
    END,
    POISON,
    POISON_R10,
    POISON_WIDE,
    RANDOM,
    answers,
    code_with,
    reached,
)

NEWEST = POLICIES[-1]
INDIRECT = (Insn(op.JMP | op.JA | op.SOURCE_REGISTER, 1, 0, 0, 0),)
KFUNC = (Insn(0x85, 0, op.CALL_KFUNC, 0, 77),)


def may_goto(off: int) -> tuple[Insn, ...]:
    return (Insn(op.MAY_GOTO, 0, 0, off, 0),)


def worst(code, policy=NEWEST) -> str:
    return reached(code, policy).worst


@pytest.mark.parametrize("poison", [POISON, POISON_WIDE, POISON_R10], ids=["call", "two", "r10"])
def test_all_forms_of_poison_end_a_path(poison):
    reach = reached(poison + END, NEWEST)
    assert reach.worst == "yes"
    assert reach.visited == {0}


def test_a_path_tells_the_slots_up_to_the_poison():
    code = RANDOM + jmp("==", 0, 1, 2) + mov_imm(0, 0) + exit_() + goto(1) + exit_() + POISON
    (fact,) = reached(code + exit_(), NEWEST).poisons
    assert fact.path == (0, 1, 4, 6)


def test_a_long_path_is_cut_in_the_middle():
    loop = mov_imm(6, 0) + alu_imm("+", 6, 1) + RANDOM + jmp("<", 6, 900, -3)
    (fact,) = reached(mov_imm(1, 0) * 900 + loop + POISON + exit_(), NEWEST).poisons
    assert fact.path[0] == 0
    assert fact.path[-1] == fact.slot
    assert len(fact.path) == 400


def test_a_callback_is_explored_with_unknown_arguments():
    code = ld_imm64(2, 5, src=4) + mov_imm(1, 1) + call(181) + END
    callback = jmp("==", 2, 0, 1) + POISON + END
    assert worst(code + callback) == "yes"
    assert worst(END + callback) == "no", "nobody takes its address"


def test_a_callback_may_write_the_stack():
    guard = mov_imm(6, 0) + stx(8, 10, -8, 6) + ld_imm64(2, 8, src=4) + mov_imm(1, 1)
    code = guard + mov_imm(3, 0) + call(181) + ldx(8, 1, 10, -8) + jmp("==", 1, 0, 1) + POISON
    (fact,) = reached(code + END + END, NEWEST).poisons
    assert (fact.reachable, fact.why) == ("maybe", REASONS[WRITTEN])


def test_what_changes_round_may_goto_is_unknown():
    """Kernels forget numbers that differ between two rounds: the flip-flop may have any value."""
    code = mov_imm(6, 0) + alu_imm("^", 6, 1) + jmp("==", 6, 5, 1) + may_goto(-3)
    code += jmp("!=", 6, 5, 1) + POISON + END
    assert worst(code) == "maybe"


def test_what_stays_the_same_round_may_goto_is_kept():
    code = mov_imm(6, 0) + mov_imm(7, 0) + alu_imm("+", 7, 1) + may_goto(-2)
    assert worst(code + jmp("==", 6, 0, 1) + POISON + END) == "no"


@pytest.mark.parametrize(("name", "answer"), [("bpf_iter_num_next", "maybe"), ("plain", "no")])
def test_iterators_forget_as_may_goto_does(name, answer):
    code = mov_imm(6, 0) + alu_imm("^", 6, 1) + KFUNC + jmp("!=", 0, 0, -3)
    code += jmp("!=", 6, 5, 1) + POISON + END
    kfunc = Reference(2, "kfunc", name)
    assert worst(code_with(code, references={2: kfunc})) == answer


def test_an_indirect_jump_may_lead_anywhere():
    code = mov_imm(1, 0) + INDIRECT + POISON
    reach = reached(code + END, NEWEST)
    assert (reach.worst, reach.gave_up) == ("maybe", INDIRECT_JUMP)


def test_a_pointer_that_compares_with_null_learns_nothing():
    """A kernel pointer that was null on one side is not a known zero."""
    code = ldx(8, 2, 1, 8) + mov(3, 2) + jmp("!=", 2, 0, 2) + jmp("==", 3, 0, 1) + POISON + END
    assert set(answers(code).values()).isdisjoint({"no"})


def test_the_stack_is_written_through_a_pointer_of_unknown_offset():
    code = mov_imm(1, 0) + stx(8, 10, -8, 1) + RANDOM + alu_imm("&", 0, 8) + mov(2, 10)
    code += alu("-", 2, 0) + mov_imm(3, 1) + stx(8, 2, -8, 3)
    assert worst(code + ldx(8, 1, 10, -8) + jmp("==", 1, 0, 1) + POISON + END) == "maybe"


def test_a_static_function_is_followed_for_each_call():
    callee = mov(0, 1) + exit_()
    code = mov_imm(1, 0) + call_subprogram(5) + jmp("==", 0, 0, 1) + POISON + mov_imm(1, 1)
    code += call_subprogram(1) + exit_()
    assert set(answers(code + callee).values()) == {"no"}


def test_recursion_ends():
    code = mov_imm(1, 0) + call_subprogram(0) + call_subprogram(-1) + END
    assert reached(code, NEWEST).gave_up == ""


def test_rodata_may_be_taken_for_unknown():
    load = ld_imm64(1, 0, src=2) + ldx(4, 2, 1, 0) + jmp("==", 2, 0, 1) + POISON + END
    code = code_with(load, references={0: Reference(0, "global", ".rodata")}, rodata=bytes(4))
    known, unknown = explore(code, NEWEST), explore(code, NEWEST, frozen=False)
    assert (known.worst, known.uses_rodata) == ("no", True)
    assert (unknown.worst, unknown.uses_rodata) == ("yes", False)


@pytest.mark.parametrize("kind", ["kconfig", "ksym"])
def test_what_only_the_kernel_knows_is_unknown(kind):
    load = ld_imm64(2, 0) + jmp("==", 2, 0, 1) + POISON + END
    assert worst(code_with(load, references={0: Reference(0, kind, "extern")})) == "yes"


def test_a_weak_symbol_that_the_kernel_lacks_is_zero():
    load = ld_imm64(2, 0) + jmp("==", 2, 0, 1) + POISON + END
    reference = Reference(0, "ksym", "extern", weak=True, typed=True)
    assert worst(code_with(load, references={0: reference})) == "no"


def test_complaints_are_what_the_kernel_would_say():
    reach = reached(mov(2, 3) + mov_imm(1, 5) + ldx(4, 0, 1, 0) + exit_(), NEWEST)
    assert [(c.slot, c.text, c.sure) for c in reach.complaints] == [
        (0, "R3 !read_ok", True),
        (2, "R1 invalid mem access 'scalar'", True),
    ]


any_insn = st.builds(
    Insn,
    st.integers(0, 255),
    st.integers(0, 15),
    st.integers(0, 15),
    st.integers(-20, 20) | st.integers(-(1 << 15), (1 << 15) - 1),
    st.integers(-20, 20) | st.integers(-(1 << 31), (1 << 31) - 1),
)


@given(st.lists(any_insn, max_size=30), st.sampled_from([*POLICIES, STRICTEST]))
@settings(max_examples=400, deadline=None)
def test_any_bytes_are_explored_without_an_exception(code, policy):
    reach = explore(stream_code(code), policy)
    assert reach.visited <= set(range(len(code)))
    assert {fact.reachable for fact in reach.poisons} <= {"yes", "no", "maybe"}


def test_the_low_half_of_a_slot_is_not_at_its_start_on_big_endian_kernels():
    insns = mov_imm(1, 1) + stx(8, 10, -8, 1) + ldx(4, 2, 10, -8) + jmp("==", 2, 1, 1)
    insns += POISON + END
    assert worst(replace(stream_code(insns), byte_order="big")) == "yes"
    assert worst(stream_code(insns)) == "no"


def test_bounds_behind_a_64_bit_shift_do_not_count_for_32_bits():
    """Kernels keep bounds of both halves apart, and drop those of the lower one at a shift."""
    code = RANDOM + jmp(">", 0, 5, 2) + alu_imm(">>", 0, 1) + jmp(">", 0, 2, 2, wide=False)
    assert set(answers(code + END + POISON + END).values()) == {"yes"}


def test_an_unknown_byte_swap_has_no_bounds():
    swap = (Insn(op.ALU | op.END | op.SOURCE_REGISTER, 0, 0, 0, 16),)
    code = RANDOM + swap + jmp("<", 0, 1 << 17, 1) + POISON + END
    assert "no" not in answers(code).values()


def test_a_function_that_nobody_names_is_looked_at_on_its_own():
    code = code_with(END + POISON + exit_(), starts=(0, 2))
    assert worst(code) == "yes"


def test_a_value_that_grows_once_round_an_iterator_is_unknown():
    """The second round is enough for a kernel to forget, although the third changes nothing."""
    code = mov_imm(6, 0) + ldx(8, 7, 1, 8) + jmp("==", 7, 0, 0) + KFUNC
    code += alu_imm("|", 6, 1) + jmp("!=", 0, 0, -3) + jmp("!=", 6, 5, 1) + POISON + END
    assert worst(code) != "no"
