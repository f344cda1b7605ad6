"""Programs that lost slots: which jumps go astray, which of them can run, and what comes of it."""

from __future__ import annotations

import pytest

from engine.core.candidates import Target
from engine.core.kinds import CoreReloKind
from engine.core.prepare import prepare
from engine.flow.jumps import lost_slots, stray_jumps
from engine.flow.verdict import Verdict, judge
from engine.loaders import policy_of
from engine.loaders.link import LinkedProgram, link_object
from tests.support.asm import (
    Code,
    alu_imm,
    call,
    exit_,
    goto,
    jmp,
    ld_imm64,
    mov_imm,
    stx,
)
from tests.support.btf_writer import BtfWriter, values
from tests.support.relocating import ObjectWriter, relo

LOSING, KEEPING = "cilium@0.13.0", "cilium@0.13.1"
EXISTS, VALUE = CoreReloKind.ENUMVAL_EXISTS, CoreReloKind.ENUMVAL_VALUE
HAVE = ld_imm64(1, 1)
WANTED = ld_imm64(2, 1)


def linked(code: Code, *records: tuple[CoreReloKind, int], loader: str = LOSING):
    """Link a program whose enumerator is missing; records as (kind, slot)."""
    writer = ObjectWriter()
    enum = writer.btf.add_enum("e", values(MISSING=1))
    writer.function("prog", code, *(relo(enum, "0", kind, slot) for kind, slot in records))
    btf = BtfWriter()
    btf.add_enum("e", values(OTHER=0))
    prepared = prepare(writer.object())
    return prepared, link_object(prepared, Target(btf.parsed()), policy_of(loader)).programs[0]


def judged(code: Code, *records: tuple[CoreReloKind, int], loader: str = LOSING) -> Verdict:
    prepared, program = linked(code, *records, loader=loader)
    return judge(prepared, program, loader, "6.12.1")


def test_forward_jumps_land_late_by_the_slots_they_pass():
    code = HAVE + jmp("==", 1, 0, 4) + WANTED + WANTED + mov_imm(3, 1) + mov_imm(0, 0) + exit_()
    _, program = linked(code, (EXISTS, 0), (VALUE, 3), (VALUE, 5))
    (jump,) = stray_jumps(program)
    assert lost_slots(program) == 2
    assert (jump.slot, jump.intended, jump.actual) == (2, 5, 7)
    assert (jump.skipped, jump.repeated) == ((5, 6), ())
    verdict = judged(code, (EXISTS, 0), (VALUE, 3), (VALUE, 5))
    assert (verdict.kind, verdict.kernel_text) == ("jump-broken", "R0 !read_ok")


def test_backward_jumps_land_early():
    code = (
        mov_imm(6, 0) + mov_imm(7, 0) + HAVE
        + jmp("==", 1, 0, 2) + WANTED
        + alu_imm("+", 6, 1) + alu_imm("+", 7, 1) + jmp("<", 6, 5, -7)
        + mov_imm(0, 0) + exit_()
    )  # fmt: skip
    _, program = linked(code, (EXISTS, 2), (VALUE, 5))
    back = stray_jumps(program)[-1]
    assert (back.slot, back.intended, back.actual) == (8, 3, 2)
    assert (back.skipped, back.repeated) == ((), (2,))


def test_a_jump_that_crosses_nothing_is_fine():
    cold = HAVE + jmp("!=", 1, 0, 2) + mov_imm(0, 0) + exit_() + WANTED + mov_imm(0, 0) + exit_()
    verdict = judged(cold, (EXISTS, 0), (VALUE, 5))
    assert verdict.kind == "poison-unreachable"
    assert verdict.lost_slots == 1
    assert verdict.strays == ()
    assert verdict.headline.endswith("every jump that can run lands where it should.")


def test_a_crossing_jump_behind_the_poison_is_dead_with_it():
    code = (
        HAVE + jmp("!=", 1, 0, 2) + mov_imm(0, 0) + exit_()
        + mov_imm(6, 0) + WANTED + alu_imm("+", 6, 1) + jmp("<", 6, 5, -4) + mov_imm(0, 0) + exit_()
    )  # fmt: skip
    verdict = judged(code, (EXISTS, 0), (VALUE, 6))
    assert verdict.kind == "poison-unreachable"
    assert len(verdict.strays) == 1
    assert verdict.live_strays == ()


def test_a_branch_that_is_never_taken_may_go_where_it_likes():
    code = (
        HAVE + mov_imm(3, 1) + jmp("==", 3, 0, 5) + jmp("!=", 1, 0, 2) + mov_imm(0, 0) + exit_()
        + WANTED + mov_imm(0, 0) + mov_imm(0, 1) + exit_()
    )  # fmt: skip
    verdict = judged(code, (EXISTS, 0), (VALUE, 7))
    assert [jump.slot for jump in verdict.strays] == [3]
    assert verdict.kind == "poison-unreachable"


def test_landing_in_the_middle_of_a_load():
    code = HAVE + jmp("==", 1, 0, 2) + WANTED + ld_imm64(3, 7) + mov_imm(0, 0) + exit_()
    verdict = judged(code, (EXISTS, 0), (VALUE, 3))
    assert verdict.kind == "jump-broken"
    assert verdict.fault is not None
    assert verdict.fault.kind == "middle-of-load"
    assert verdict.headline == (
        "The loader lost 1 slot, and the kernel refuses what is left: jump into the middle of "
        "ldimm64 insn 5."
    )


def test_an_instruction_that_nothing_leads_to_any_more():
    code = (
        HAVE + jmp("==", 1, 0, 3) + WANTED + goto(1) + mov_imm(3, 1) + mov_imm(0, 0) + exit_()
    )  # fmt: skip
    verdict = judged(code, (EXISTS, 0), (VALUE, 3))
    assert verdict.kind == "jump-broken"
    assert verdict.kernel_text == "unreachable insn 5"


def test_reachable_poison_is_reported_when_the_jumps_are_sound():
    verdict = judged(call(7) + WANTED + mov_imm(0, 0) + exit_(), (VALUE, 1))
    assert (verdict.kind, verdict.lost_slots) == ("poison-reachable", 1)


@pytest.mark.parametrize("loader", [KEEPING, "libbpf@1.7.0"])
def test_loaders_that_keep_the_length_have_no_strays(loader):
    code = HAVE + jmp("==", 1, 0, 3) + WANTED + stx(8, 10, -8, 2) + mov_imm(0, 0) + exit_()
    _, program = linked(code, (EXISTS, 0), (VALUE, 3), loader=loader)
    assert isinstance(program, LinkedProgram)
    assert (stray_jumps(program), lost_slots(program)) == ((), 0)
