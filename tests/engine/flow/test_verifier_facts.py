"""What five real verifiers keep and lose of a guard, as measured: one program for each row."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from engine.flow.code import Code
from engine.insn import opcodes as op
from engine.insn.codec import Insn
from engine.loaders.references import PSEUDO_MAP_VALUE, Reference
from tests.support.asm import (
    alu,
    alu_imm,
    atomic,
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
from tests.support.poison import END, KERNELS, POISON, RANDOM, answers, code_with

ALL = frozenset(KERNELS)
SINCE = {name: frozenset(KERNELS[place:]) for place, name in enumerate(KERNELS)}


@dataclass(frozen=True)
class Row:
    """A program whose poison the kernels of `unreachable` never come to."""

    name: str
    code: tuple[Insn, ...] | Code
    unreachable: frozenset[str] = ALL


def unless(register: int, dead_value: int, *, wide: bool = True) -> tuple[Insn, ...]:
    """Run poison unless the register has this value; then end."""
    return jmp("==", register, dead_value, 1, wide=wide) + POISON + END


def frozen(value: int) -> Code:
    """A guard in .rodata: poison runs unless it is 0."""
    load = ld_imm64(1, 0, src=PSEUDO_MAP_VALUE)
    code = load + ldx(4, 2, 1, 0) + unless(2, 0)
    reference = Reference(0, "global", ".rodata", 0)
    return code_with(code, references={0: reference}, rodata=value.to_bytes(4, "little"))


def zero_in(size: int, off: int) -> Row:
    """The guard is a zero of `size` bytes on the stack."""
    code = mov_imm(1, 0) + stx(size, 10, off, 1) + ldx(size, 2, 10, off) + unless(2, 0)
    return Row(f"a zero of {size} bytes at fp{off}", code)


def arithmetic(operator: str, start: int, by: int, result: int, *, wide: bool = True) -> Row:
    code = mov_imm(1, start) + alu_imm(operator, 1, by, wide=wide) + unless(1, result)
    return Row(f"{start} {operator} {by}" + ("" if wide else " in 32 bits"), code)


LOOP = (
    mov_imm(6, 0)
    + mov_imm(7, 0)
    + RANDOM
    + jmp("==", 0, 0, 2)
    + alu_imm("+", 7, 1)
    + jmp("<", 7, 5, -4)
    + unless(6, 0)
)
BOUNDED = mov_imm(6, 0) + mov_imm(7, 0) + alu_imm("+", 7, 1) + jmp("<", 7, 5, -2) + unless(6, 0)
CALLEE = call_subprogram(3) + jmp("==", 0, 0, 1) + POISON + exit_()

KEPT = [
    Row("a constant", mov_imm(1, 0) + unless(1, 0)),
    Row("a copy", mov_imm(1, 0) + mov(6, 1) + unless(6, 0)),
    Row("a 32-bit copy", mov_imm(1, 0) + mov(6, 1, wide=False) + unless(6, 0, wide=False)),
    Row("a two-slot load", ld_imm64(1, 1 << 40) + alu_imm(">>", 1, 40) + unless(1, 1)),
    *(
        arithmetic(operator, start, by, result, wide=wide)
        for operator, start, by, result in (
            ("+", 3, 4, 7),
            ("^", 1, 1, 0),
            ("|", 4, 1, 5),
            ("&", 5, 3, 1),
            ("*", 3, 5, 15),
            ("<<", 1, 3, 8),
            (">>", 8, 3, 1),
            ("s>>", 8, 2, 2),
        )
        for wide in (True, False)
    ),
    Row("minus one shifted with its sign", mov_imm(1, -8) + alu_imm("s>>", 1, 2) + unless(1, -2)),
    Row("a flag tested with &", mov_imm(1, 4) + jmp("&", 1, 4, 1) + POISON + END),
    Row(
        "early return",
        mov_imm(1, 0) + jmp("!=", 1, 0, 2) + END + POISON + END,
    ),
    Row(
        "if and else",
        mov_imm(1, 0) + jmp("==", 1, 0, 2) + POISON + goto(1) + mov_imm(2, 1) + END,
    ),
    Row(
        "both of two conditions",
        RANDOM + mov_imm(6, 0) + jmp("==", 0, 3, 2) + jmp("==", 6, 0, 1) + POISON + END,
    ),
    Row(
        "a condition and a guard behind it",
        RANDOM + mov_imm(6, 0) + jmp("!=", 0, 3, 2) + jmp("==", 6, 0, 1) + POISON + END,
    ),
    Row(
        "arms of a switch",
        mov_imm(1, 2) + jmp("==", 1, 0, 3) + jmp("==", 1, 1, 2) + jmp("==", 1, 2, 2)
        + POISON + POISON + END,
    ),
    Row("a bounded loop", BOUNDED),
    Row("a loop that may end early", LOOP),
    Row("the bound of a mask", RANDOM + alu_imm("&", 0, 7) + jmp("<", 0, 8, 1) + POISON + END),
    Row(
        "a copy learns from a branch",
        RANDOM + mov(6, 0) + jmp(">", 0, 10, 2) + jmp("<", 6, 11, 1) + POISON + END,
    ),
    Row("64 bits spilled", mov_imm(1, 1) + stx(8, 10, -8, 1) + ldx(8, 2, 10, -8) + unless(2, 1)),
    *(zero_in(size, off) for size, off in ((8, -8), (4, -4), (4, -8), (2, -2), (1, -1), (1, -5))),
    Row(
        "the upper half of a 64-bit zero",
        mov_imm(1, 0) + stx(8, 10, -8, 1) + ldx(4, 2, 10, -4) + unless(2, 0),
    ),
    Row(
        "32 bits spilled at an aligned slot",
        mov_imm(1, 1) + stx(4, 10, -8, 1) + ldx(4, 2, 10, -8) + unless(2, 1),
    ),
    Row("a frozen map's zero", frozen(0)),
    Row("a frozen map's one", frozen(1), frozenset()),
    Row(
        "an argument of a static function",
        mov_imm(1, 0) + call_subprogram(2) + END + unless(1, 0),
    ),
    Row("the result of a static function", CALLEE + mov_imm(0, 0) + exit_()),
]  # fmt: skip


def global_callee(*, called: bool) -> Code:
    """A program that calls a global function with poison in it, behind a dead guard or not."""
    guard = mov_imm(1, 0) + (jmp("==", 1, 0, 1) if called is False else jmp("==", 1, 1, 1))
    code = guard + call_subprogram(2) + END + POISON + exit_()
    return code_with(code, global_starts=[5])


LOST = [
    Row(
        "32 bits of one in the upper half of a slot",
        mov_imm(1, 1) + stx(4, 10, -4, 1) + ldx(4, 2, 10, -4) + unless(2, 1),
    ),
    Row("a byte of one", mov_imm(1, 1) + stx(1, 10, -1, 1) + ldx(1, 2, 10, -1) + unless(2, 1)),
    Row(
        "an aligned byte of one",
        mov_imm(1, 1) + stx(1, 10, -8, 1) + ldx(1, 2, 10, -8) + unless(2, 1),
    ),
    Row(
        "the zero half of a 64-bit one",
        mov_imm(1, 1) + stx(8, 10, -8, 1) + ldx(4, 2, 10, -4) + unless(2, 0),
    ),
    Row(
        "a global written just before",
        code_with(
            ld_imm64(1, 0, src=PSEUDO_MAP_VALUE)
            + mov_imm(2, 0)
            + stx(4, 1, 0, 2)
            + ldx(4, 3, 1, 0)
            + unless(3, 0),
            references={0: Reference(0, "global", ".data", 0)},
        ),
    ),
    Row("an element of a map", call(1) + ldx(4, 2, 0, 0) + unless(2, 0)),
    Row(
        "the result of a global function",
        code_with(CALLEE + mov_imm(0, 0) + exit_(), global_starts=[4]),
    ),
    Row(
        "an argument of a global function",
        code_with(
            mov_imm(1, 0) + call_subprogram(2) + END + unless(1, 0), global_starts=[4]
        ),
    ),
    Row(
        "a slot that a helper writes",
        mov_imm(1, 0) + stx(8, 10, -8, 1) + mov(1, 10) + alu_imm("+", 1, -8) + mov_imm(2, 8)
        + mov_imm(3, 0) + call(113) + ldx(8, 2, 10, -8) + unless(2, 0),
    ),
    Row(
        "a slot that a static function overwrites",
        mov_imm(1, 0) + stx(8, 10, -8, 1) + mov(1, 10) + alu_imm("+", 1, -8)
        + call_subprogram(5) + ldx(8, 2, 10, -8) + unless(2, 0)
        + mov_imm(2, 1) + stx(8, 1, 0, 2) + exit_(),
    ),
    Row(
        "zero added to a slot",
        mov_imm(1, 0) + stx(8, 10, -8, 1) + atomic(8, 10, -8, 1, 0) + ldx(8, 2, 10, -8)
        + unless(2, 0),
    ),
    Row("the rest of a division", mov_imm(1, 8) + alu_imm("%", 1, 3) + unless(1, 2)),
    Row(
        "a guard mixed with a run-time value",
        RANDOM + mov_imm(6, 0) + jmp("==", 0, 3, 1) + mov_imm(6, 1) + unless(6, 0),
    ),
    Row("an inverted guard", mov_imm(1, 0) + jmp("!=", 1, 0, 1) + POISON + END),
    Row(
        "one of two conditions",
        RANDOM + mov_imm(6, 0) + jmp("==", 0, 3, 1) + unless(6, 0),
    ),
    Row("no guard", POISON + END),
    Row("a call of a global function with poison", global_callee(called=True)),
]  # fmt: skip

SPILL = mov_imm(1, 1) + stx(8, 10, -8, 1)
BE16 = (Insn(op.ALU | op.END | op.SOURCE_REGISTER, 1, 0, 0, 16),)
NEG = (Insn(op.ALU64 | op.NEG, 1, 0, 0, 0),)

DEPENDS = [
    Row("the low half of a 64-bit spill", SPILL + ldx(4, 2, 10, -8) + unless(2, 1), SINCE["6.12"]),
    Row("the low byte of a 64-bit spill", SPILL + ldx(1, 2, 10, -8) + unless(2, 1), SINCE["6.12"]),
    Row("negation", mov_imm(1, 1) + NEG + unless(1, -1), SINCE["6.18"]),
    Row("division", mov_imm(1, 8) + alu_imm("/", 1, 2) + unless(1, 4), SINCE["7.3"]),
    Row("byte swap", mov_imm(1, 1) + BE16 + unless(1, 256), SINCE["7.3"]),
    Row("a dead call of a global function", global_callee(called=False), SINCE["6.12"]),
]


def check(row: Row, unreachable: frozenset[str]) -> None:
    found = answers(row.code)
    dead = {kernel for kernel, answer in found.items() if answer == "no"}
    assert dead == unreachable, found


@pytest.mark.parametrize("row", KEPT, ids=lambda row: row.name)
def test_kept_on_all_kernels(row):
    check(row, row.unreachable)


@pytest.mark.parametrize("row", LOST, ids=lambda row: row.name)
def test_lost_on_all_kernels(row):
    check(row, frozenset())


@pytest.mark.parametrize("row", DEPENDS, ids=lambda row: row.name)
def test_depends_on_the_kernel(row):
    check(row, row.unreachable)


@pytest.mark.parametrize("row", [row for row in LOST if "slot that a h" not in row.name],
                         ids=lambda row: row.name)  # fmt: skip
def test_what_is_lost_is_said_to_be_reached(row):
    assert set(answers(row.code).values()) == {"yes"}


def test_the_ways_to_poison_differ_in_how_the_guard_is_written():
    """`have` survives in the upper half of a slot where `missing` does not."""
    row = mov_imm(1, 0) + stx(4, 10, -4, 1) + ldx(4, 2, 10, -4)
    assert set(answers(row + unless(2, 0)).values()) == {"no"}
    other = mov_imm(1, 1) + stx(4, 10, -4, 1) + ldx(4, 2, 10, -4)
    assert set(answers(other + unless(2, 1)).values()) == {"yes"}


def test_a_register_is_compared_with_a_register():
    code = mov_imm(1, 0) + mov_imm(2, 0) + alu("^", 1, 2)
    assert set(answers(code + unless(1, 0)).values()) == {"no"}
