"""The answer in one sentence, for each outcome, from real relocations."""

from __future__ import annotations

from dataclasses import replace

import pytest

from app.errors import AppError
from app.services.analyse import run_loader
from app.services.analysis import Run
from app.services.verdicts import PoisonPlace
from app.views.headline import headline
from app.views.prose import plain
from app.views.states import function_state
from engine.btf.decode import Btf
from engine.core.kinds import CoreReloKind
from engine.core.prepare import prepare
from engine.core.result import LoaderError
from tests.support.asm import exit_, goto, jmp, ld_imm64, mov_imm, stx
from tests.support.btf_writer import values
from tests.support.issue1348 import CILIUM, FIXED, KERNEL, LIBBPF, MISSING, program, run, target
from tests.support.relocating import ObjectWriter, relo


def say(made: Run) -> tuple[str, str]:
    head = headline(made, "little")
    return head.word, plain(head.sentence)


def guarded(*end: tuple) -> ObjectWriter:
    """The guard of the issue with other code behind it; r0 is set before, so it can be returned."""
    writer = ObjectWriter()
    enum = writer.btf.add_enum("cgroup_subsys_id", values(**{MISSING: 1}))
    code = mov_imm(0, 0) + ld_imm64(1, 1) + jmp("==", 1, 0, 3) + ld_imm64(1, 1)
    writer.function(
        "prog",
        code + stx(4, 10, -4, 1) + sum(end, ()),
        relo(enum, "0", CoreReloKind.ENUMVAL_EXISTS, 1),
        relo(enum, "0", CoreReloKind.ENUMVAL_VALUE, 4),
    )
    return writer


LOST = "The 16-byte load at slot 4 became one slot; the jump at slot 3 was meant for slot 6 "


def test_a_lost_slot_breaks_the_jump_across_it():
    assert say(run(CILIUM)) == (
        "jump broken",
        "The 16-byte load at slot 3 became one slot; the jump at slot 2 was meant for slot 5 "
        "`r0 = 0x0` and lands on slot 6 `exit`. The kernel refuses it: `R0 !read_ok`.",
    )


def test_with_the_guard_right_before_exit_the_jump_leaves_the_program():
    assert say(run(CILIUM, guarded(exit_()))) == (
        "jump broken",
        f"{LOST}`exit` and leaves the program: there is no slot 7. "
        "The kernel refuses it: `jump out of range from insn 3 to 7`.",
    )


def test_with_code_after_the_guard_it_loads_and_skips_an_instruction():
    assert say(run(CILIUM, guarded(mov_imm(0, 7), exit_()))) == (
        "silently different",
        f"{LOST}`r0 = 0x7` and lands on slot 7 `exit`. It loads, and never runs slot 6.",
    )


@pytest.mark.parametrize("loader", [LIBBPF, FIXED])
def test_poison_behind_a_guard_cannot_run(loader):
    assert say(run(loader)) == (
        "poison unreachable",
        "1 value is missing; its two slots cannot run.",
    )


def test_poison_without_a_guard_is_reached_by_a_path():
    writer = missing_value(2, mov_imm(0, 0), jmp("==", 0, 0, 0), ld_imm64(1, 1), exit_())
    writer.line(2, "return bpf_core_enum_value(", 18)
    word, text = say(run(LIBBPF, writer))
    assert word == "poison reachable"
    assert text == (
        f"Slot 2 (line 18) has no value for `enum cgroup_subsys_id::{MISSING}`, and is reached by "
        "slots 0 to 2. The kernel refuses it: `invalid func unknown#195896080`."
    )


def test_what_cannot_be_told_says_why():
    old = run_loader(prepare(program().object()), "4.19", LIBBPF, parsed)
    word, text = say(old)
    assert word == "unknown"
    assert "what the verifier of so old a kernel keeps was not measured" in text


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
    assert say(run(LIBBPF, writer))[1].startswith("In `first`, 1 value is missing; its two")


def parsed(_: str) -> Btf:
    return target().parsed()


def test_poison_in_a_function_that_no_program_calls_is_said_to_stand_there():
    writer = missing_value(1, mov_imm(0, 0), ld_imm64(1, 1), exit_(), section=".text")
    writer.function("entry", mov_imm(0, 0) + exit_(), section="kprobe/f")
    made = run(LIBBPF, writer)
    states = {f.name: function_state(f, made) for f in made.result.functions}
    assert states == {"prog": "poison-unreachable", "entry": "clear"}
    assert say(made) == (
        "poison unreachable",
        "1 of 1 relocation has no value, in functions that no program calls.",
    )


def test_a_called_function_has_the_outcome_of_its_own_part():
    writer = missing_value(1, mov_imm(0, 0), ld_imm64(1, 1), exit_(), section=".text")
    writer.function("entry", mov_imm(0, 0) + exit_(), section="kprobe/f")
    made = run(LIBBPF, writer)
    verdict = replace(
        made.verdicts[0],
        kind="unknown",
        functions=frozenset({(".text", "prog"), ("kprobe/f", "entry")}),
    )
    place = PoisonPlace(3, 1, (".text", "prog"), 0, "x", None, "maybe")
    for answer, state in (("yes", "poison-reachable"), ("maybe", "unknown")):
        poisons = (replace(place, reachable=answer),)
        changed = replace(made, verdicts=(replace(verdict, poisons=poisons),))
        assert function_state(made.result.functions[0], changed) == state


def missing_value(slot: int, *code_parts: tuple, section: str = "socket") -> ObjectWriter:
    writer = ObjectWriter()
    enum = writer.btf.add_enum("cgroup_subsys_id", values(**{MISSING: 1}))
    record = relo(enum, "0", CoreReloKind.ENUMVAL_VALUE, slot)
    writer.function("prog", sum(code_parts, ()), record, section=section)
    return writer


def test_a_jump_past_the_end():
    writer = missing_value(1, jmp("==", 1, 0, 3), ld_imm64(1, 1), exit_(), exit_())
    assert "leaves the program: there is no slot 4." in say(run(CILIUM, writer))[1]


def test_a_jump_into_the_middle_of_a_load():
    code = (jmp("==", 1, 0, 2), ld_imm64(1, 1), ld_imm64(2, 5), mov_imm(0, 0), exit_())
    text = say(run(CILIUM, missing_value(1, *code)))[1]
    assert "lands on slot 3, the middle of a 16-byte load" in text


def test_further_broken_jumps_are_counted():
    code = (goto(4), jmp("==", 1, 0, 3), jmp("==", 2, 0, 2), ld_imm64(1, 1), mov_imm(0, 0), exit_())
    text = say(run(CILIUM, missing_value(3, *code)))[1]
    assert " 2 more jumps are off." in text


@pytest.mark.parametrize(
    ("loader", "state"), [(CILIUM, "jump-broken"), (LIBBPF, "poison-unreachable")]
)
def test_the_state_of_a_function(loader, state):
    made = run(loader)
    function = made.result.functions[0]
    assert function_state(function, made) == state
    refused = replace(function, after=None, error=LoaderError("EINVAL", "no"))
    assert function_state(refused, made) == "refused"
