"""Programs that no compiler makes: they are judged, or refused by the name of a limit."""

from __future__ import annotations

from time import process_time

import pytest

from app.cli import main
from engine import limits
from engine.flow.reach import explore
from engine.flow.structure import structural_fault
from engine.flow.verifier import POLICIES
from tests.support.asm import alu_imm, exit_, goto, gotol, jmp, mov_imm, stx
from tests.support.elf_writer import ElfWriter
from tests.support.poison import END, POISON, RANDOM, code_with
from tests.support.relocating import ObjectWriter

IRREDUCIBLE = (
    RANDOM
    + mov_imm(6, 0)
    + jmp("==", 0, 0, 2)  # into the middle of the loop
    + alu_imm("+", 6, 1)
    + mov_imm(7, 0)
    + jmp("<", 6, 3, -3)
)
SHAPES = {
    "a loop with two ways in": (IRREDUCIBLE + jmp("==", 7, 0, 1) + POISON + END, "no"),
    "a jump far outside": (RANDOM + jmp("==", 0, 0, 30_000) + POISON + END, "yes"),
    "a jump before the start": (RANDOM + jmp("==", 0, 0, -30_000) + POISON + END, "yes"),
    "gotol far outside": (RANDOM + jmp("!=", 0, 0, 1) + gotol(1 << 30) + POISON + END, "yes"),
    "a jump to itself": (RANDOM + jmp("==", 0, 0, 1) + goto(-1) + POISON + END, "yes"),
    "nothing but a jump to itself": (goto(-1), "no"),
    "a loop without end": (mov_imm(6, 0) + alu_imm("+", 6, 1) + goto(-2) + POISON, "no"),
}


@pytest.mark.parametrize("name", SHAPES)
@pytest.mark.parametrize("policy", POLICIES, ids=lambda policy: policy.name)
def test_odd_shapes(name, policy):
    code, worst = SHAPES[name]
    began = process_time()
    reach = explore(code_with(code), policy)
    structural_fault(code_with(code))
    assert process_time() - began < 5
    assert (reach.worst, reach.gave_up) == (worst, "")


def test_a_million_instructions_are_refused_by_the_limit(tmp_path, capsys):
    writer = ElfWriter()
    block = mov_imm(0, 0) * (limits.PROGRAM_SLOTS - 1) + exit_()
    for number in range(8):
        writer.function(f"prog{number}", f"kprobe/{number}", block)
    path = tmp_path / "huge.o"
    path.write_bytes(writer.build())
    assert main(["check", str(path), "--kernels", "6.1"]) == 2
    said = capsys.readouterr().err
    assert f"{limits.OBJECT_SLOTS}" in said or "more than" in said


def test_an_object_of_jumps_outside_is_judged(tmp_path, capsys):
    writer = ObjectWriter()
    writer.function("prog", RANDOM + jmp("==", 0, 0, 999) + stx(8, 10, -8, 0) + END)
    path = tmp_path / "outside.o"
    path.write_bytes(writer.build())
    assert main(["check", str(path), "--kernels", "6.1"]) in (0, 1)
    assert "prog" in capsys.readouterr().out
