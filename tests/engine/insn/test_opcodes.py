"""Where jumps land."""

import pytest

from engine.insn import opcodes as op
from engine.insn.codec import Insn
from tests.support import asm

DISTANCES = [
    (asm.goto(-7), -7),
    (asm.gotol(1 << 20), 1 << 20),
    (asm.jmp("s<=", 1, 5, 4), 4),
    (asm.jmp_reg("!=", 1, 2, 0, wide=False), 0),
    ((Insn(op.MAY_GOTO, 0, 0, 3, 99),), 3),
    (asm.call(1), None),
    (asm.call_subprogram(4), None),
    (asm.exit_(), None),
    (asm.mov_imm(0, 5), None),
    ((Insn(0x0D, 0, 0, 5, 0),), None),
    ((Insn(0xE6, 0, 0, 5, 0),), None),
    ((Insn(0xF5, 0, 0, 5, 0),), None),
]


@pytest.mark.parametrize(("code", "distance"), DISTANCES)
def test_jump_distance(code, distance):
    assert op.jump_distance(code[0]) == distance
    expected = None if distance is None else 10 + 1 + distance
    assert op.jump_target(10, code[0]) == expected
