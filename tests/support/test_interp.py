"""The interpreter: arithmetic at its edges, jumps, memory, calls, and what it must not run."""

from __future__ import annotations

import pytest

from engine.insn.codec import Insn
from tests.support.asm import alu, alu_imm, exit_, jmp, ld_imm64, ldx, mov, mov_imm, stx
from tests.support.interp import POISON, U64, Fault, Machine, Memory, Poisoned

MINUS_SEVEN = -7 & U64


def result(code: tuple[Insn, ...], **keep: object) -> int:
    return Machine(code, Memory("little"), **keep).run()


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        (mov_imm(0, -1), U64),
        (mov_imm(0, -1, wide=False), 0xFFFFFFFF),
        (mov_imm(0, -8) + alu_imm(">>", 0, 1), (-8 & U64) >> 1),
        (mov_imm(0, -8) + alu_imm("s>>", 0, 1), -4 & U64),
        (mov_imm(0, 7) + alu_imm("/", 0, 0), 0),
        (mov_imm(0, 7) + alu_imm("%", 0, 0), 7),
        (mov_imm(0, -7) + alu_imm("/", 0, 2, off=1), -3 & U64),
        (mov_imm(0, -7) + alu_imm("%", 0, 2, off=1), -1 & U64),
        (mov_imm(1, 0xF9) + mov(0, 1, off=8), MINUS_SEVEN),
        (mov_imm(0, 1) + alu_imm("<<", 0, 63) + alu("+", 0, 0), 0),
        ((Insn(0xDC, 0, 0, 0, 16),), 0),
        (ld_imm64(0, 0x1122334455667788), 0x1122334455667788),
    ],
)
def test_arithmetic(code, expected):
    assert result((*code, *exit_())) == expected


def test_swaps_follow_the_byte_order_of_memory():
    code = (*mov_imm(0, 0x1234), Insn(0xDC, 0, 0, 0, 16), *exit_())
    assert Machine(code, Memory("little")).run() == 0x3412
    assert Machine(code, Memory("big")).run() == 0x1234


@pytest.mark.parametrize(
    ("operator", "taken"), [("s<", True), ("<", False), ("!=", True), ("==", False), ("s>=", False)]
)
def test_conditions_see_signs(operator, taken):
    code = mov_imm(0, 1) + mov_imm(1, -7) + jmp(operator, 1, 3, 1) + mov_imm(0, 0) + exit_()
    machine = Machine(code, Memory("little"))
    assert machine.run() == taken
    assert (3 in machine.visited) is not taken


def test_memory_is_read_back_in_its_byte_order():
    code = mov_imm(2, 0x12345678) + stx(4, 10, -8, 2) + ldx(1, 0, 10, -8) + exit_()
    assert Machine(code, Memory("little")).run() == 0x78
    assert Machine(code, Memory("big")).run() == 0x12


def test_probe_read_copies_and_refuses():
    memory = Memory("little")
    source, target = bytearray(b"abcd"), bytearray(b"....")
    addresses = {0: memory.add(target), 3: memory.add(source)}
    code = ld_imm64(1, 0) + mov_imm(2, 4) + ld_imm64(3, 0) + (Insn(0x85, 0, 0, 0, 113),) + exit_()
    assert Machine(code, memory, addresses).run() == 0
    assert target == b"abcd"
    assert Machine(code, memory, {**addresses, 3: 12}).run() == -14 & U64
    assert target == bytes(4)


def test_a_subprogram_gets_its_own_stack_and_gives_registers_back():
    call = Insn(0x85, 0, 1, 0, 2)
    sub = mov_imm(6, 0) + stx(8, 10, -8, 6) + mov_imm(0, 0) + exit_()
    code = (*mov_imm(6, 5), call, *mov(0, 6), *exit_(), *sub)
    assert result(code) == 5


@pytest.mark.parametrize(
    ("code", "kind", "words"),
    [
        ((Insn(0x85, 0, 0, 0, POISON),), Poisoned, "poisoned"),
        (ld_imm64(10, POISON), Poisoned, "r10"),
        ((Insn(0x85, 0, 0, 0, 9999),), Fault, "unknown helper 9999"),
        (ldx(8, 0, 1, 0), Fault, "access to 8 bytes at 0x0"),
        (stx(8, 10, 0, 1), Fault, "access to 8 bytes"),
        (mov_imm(0, 0), Fault, "no such instruction"),
        (jmp("==", 1, 0, -1), Fault, "does not end"),
        ((Insn(0xFF, 0, 0, 0, 0),), Fault, "unknown operation"),
    ],
)
def test_what_no_verifier_lets_through_is_a_fault(code, kind, words):
    with pytest.raises(kind, match=words):
        result(code)
