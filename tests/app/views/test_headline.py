"""The answer in one sentence, for each outcome, from real relocations."""

from __future__ import annotations

from dataclasses import replace

import pytest

from app.errors import AppError
from app.services.analysis import Run
from app.views.headline import function_state, headline
from app.views.prose import plain
from engine.core.kinds import CoreReloKind
from engine.core.result import LoaderError
from engine.flow.jumps import check_jumps
from tests.support.asm import exit_, goto, jmp, ld_imm64, mov_imm
from tests.support.btf_writer import values
from tests.support.issue1348 import CILIUM, FIXED, KERNEL, LIBBPF, MISSING, program, run, target
from tests.support.relocating import ObjectWriter, relo


def say(made: Run) -> tuple[str, str]:
    head = headline(made, "little")
    return head.word, plain(head.sentence)


def test_a_lost_slot_breaks_the_jump_across_it():
    assert say(run(CILIUM)) == (
        "jump broken",
        "The 16-byte load at slot 3 became one slot; the jump at slot 2 was meant for slot 5 "
        "`r0 = 0x0` and lands on slot 6 `exit`.",
    )


@pytest.mark.parametrize(
    ("loader", "now"),
    [
        (LIBBPF, "2 instructions now read `call 0xbad2310`."),
        (FIXED, "1 instruction now reads `r10 = 0xbad2310 ll`."),
    ],
)
def test_poison_is_counted_and_its_form_named(loader, now):
    assert say(run(loader)) == ("poisoned", f"1 of 2 relocations has no target; {now}")


def test_clear_counts_what_changed():
    made = run(LIBBPF, btf=target(**{MISSING: 7}))
    assert say(made) == ("clear", "2 relocations applied, 1 value changed, no poison.")
    made = run(LIBBPF, btf=target(**{MISSING: 1}))
    assert say(made) == ("clear", "2 relocations applied, no value changed, no poison.")


def test_an_object_without_relocations_is_clear():
    writer = ObjectWriter()
    writer.function("prog", mov_imm(0, 0) + exit_())
    assert say(run(LIBBPF, writer))[0] == "clear"
    assert "not a byte changes" in say(run(LIBBPF, writer))[1]


def test_a_refusal_is_told_in_the_words_of_the_loader():
    writer = ObjectWriter()
    enum = writer.btf.add_enum("e", values(A=5))
    wrong = relo(enum, "0", CoreReloKind.ENUMVAL_VALUE)
    writer.function("prog", ld_imm64(1, 6) + mov_imm(0, 0) + exit_(), wrong)
    btf = target()
    btf.add_enum("e", values(A=9))
    word, text = say(run(LIBBPF, writer, btf))
    assert word == "refused"
    assert "unexpected insn #0 (LDIMM64) value: got 6, exp 5 -> 9" in text


def test_a_run_that_could_not_be_made_says_why():
    error = AppError("the kernel's file is damaged", code="kernel-file")
    assert say(Run(KERNEL, LIBBPF, None, error=error)) == (
        "refused",
        "the kernel's file is damaged",
    )


def test_many_programs_are_named_and_counted():
    writer = program("first")
    writer.function("second", mov_imm(0, 0) + exit_())
    assert say(run(CILIUM, writer))[1].startswith("In `first`, the 16-byte load at slot 3")
    assert "in 1 program has no target" in say(run(LIBBPF, writer))[1]


def missing_value(slot: int, *code_parts: tuple) -> ObjectWriter:
    writer = ObjectWriter()
    enum = writer.btf.add_enum("cgroup_subsys_id", values(**{MISSING: 1}))
    record = relo(enum, "0", CoreReloKind.ENUMVAL_VALUE, slot)
    writer.function("prog", sum(code_parts, ()), record)
    return writer


def test_a_jump_past_the_end():
    writer = missing_value(1, jmp("==", 1, 0, 3), ld_imm64(1, 1), exit_(), exit_())
    assert say(run(CILIUM, writer))[1].endswith("leaves the program: there is no slot 4.")


def test_a_jump_into_the_middle_of_a_load():
    code = (jmp("==", 1, 0, 2), ld_imm64(1, 1), ld_imm64(2, 5), mov_imm(0, 0), exit_())
    text = say(run(CILIUM, missing_value(1, *code)))[1]
    assert "lands on slot 3, the middle of a 16-byte load" in text


def test_further_broken_jumps_are_counted():
    code = (goto(4), jmp("==", 1, 0, 3), jmp("==", 2, 0, 2), ld_imm64(1, 1), mov_imm(0, 0), exit_())
    text = say(run(CILIUM, missing_value(3, *code)))[1]
    assert text.endswith(" 2 more jumps are off.")


@pytest.mark.parametrize(("loader", "state"), [(CILIUM, "broken"), (LIBBPF, "poisoned")])
def test_the_state_of_a_function(loader, state):
    function = run(loader).result.functions[0]
    assert function_state(function, check_jumps(function)) == state
    refused = replace(function, after=None, error=LoaderError("EINVAL", "no"))
    assert function_state(refused, ()) == "refused"
