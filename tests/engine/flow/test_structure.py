"""What a kernel refuses before it follows any path."""

from __future__ import annotations

import pytest

from engine.flow.code import stream_code
from engine.flow.structure import structural_fault
from tests.support.asm import call_subprogram, exit_, goto, jmp, ld_imm64, mov_imm
from tests.support.goldens import GOLDEN, golden_object
from tests.support.poison import END, POISON

SOUND = {
    "straight": END,
    "a guard": ld_imm64(1, 0) + jmp("==", 1, 0, 1) + POISON + END,
    "a loop": mov_imm(1, 0) + jmp("<", 1, 5, -2) + exit_(),
    "a jump at the end": goto(1) + exit_() + goto(-2),
    "a function of its own": call_subprogram(1) + exit_() + END,
    "a callback": ld_imm64(1, 2, src=4) + exit_() + END,
}
FAULTS = [
    (jmp("==", 1, 0, 1) + exit_(), "past-the-end", 0, "jump out of range from insn 0 to 2"),
    (goto(-3) + exit_(), "past-the-end", 0, "jump out of range from insn 0 to -2"),
    (
        call_subprogram(1) + exit_() + jmp("==", 1, 0, -2) + exit_(),
        "past-the-end", 2, "jump out of range from insn 2 to 1",
    ),
    (mov_imm(0, 0), "past-the-end", 0, "last insn is not an exit or jmp"),
    (
        jmp("==", 1, 0, 1) + ld_imm64(1, 0) + exit_(),
        "middle-of-load", 0, "jump into the middle of ldimm64 insn 2",
    ),
    (goto(1) + mov_imm(0, 0) + exit_(), "unreachable", 1, "unreachable insn 1"),
]  # fmt: skip


@pytest.mark.parametrize("name", SOUND)
def test_sound_programs(name):
    assert structural_fault(stream_code(SOUND[name])) is None


@pytest.mark.parametrize(("code", "kind", "slot", "text"), FAULTS, ids=[f[3] for f in FAULTS])
def test_faults(code, kind, slot, text):
    fault = structural_fault(stream_code(code))
    assert fault is not None
    assert (fault.kind, fault.slot, fault.text) == (kind, slot, text)


@pytest.mark.parametrize("path", sorted((GOLDEN / "flow").glob("*.o")), ids=lambda p: p.name)
def test_compiled_programs_without_calls_are_sound(path):
    for function in golden_object(f"flow/{path.name}").functions:
        if not any(insn.code == 0x85 and insn.src == 1 for insn in function.insns):
            assert structural_fault(stream_code(function.insns)) is None
