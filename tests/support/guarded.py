"""Programs with guarded poison, made up at random, and what really runs of them.

A program is a tree of statements over a few variables. `stream` turns it into instructions;
`tests.support.guarded_c` writes it as C; `run` walks all paths of the instructions with plain
numbers, taking each unknown input for several values.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from engine.insn.codec import Insn
from tests.support.asm import (
    Code,
    alu,
    alu_imm,
    call,
    call_subprogram,
    exit_,
    goto,
    jmp,
    jmp_reg,
    ldx,
    mov,
    mov_imm,
    stx,
)
from tests.support.poison import POISON

INPUTS = (0, 1, 2, 3, 7, 255)
"""What an unknown input is taken for; generated comparisons use numbers from here."""
OPERATORS = ("+", "-", "^", "&", "|", "*", "<<", ">>")
CONDITIONS = ("==", "!=", ">", ">=", "<", "<=", "s>", "s<", "&")
NESTED = ("if", "if2", "loop", "switch")
VARIABLES = (6, 7, 8, 9)
"""Registers; a variable's place on the stack follows from its register."""


def place(variable: int) -> int:
    """The 8-byte slot of a variable."""
    return -8 * (variable - 5)


@dataclass(frozen=True)
class Statement:
    """`kind` says which fields count; see the methods of `Maker`."""

    kind: str
    to: int = 0
    by: int = 0
    operator: str = "+"
    value: int = 0
    wide: bool = True
    size: int = 8
    then: tuple[Statement, ...] = ()
    otherwise: tuple[Statement, ...] = ()


PROFILES = (
    ("set", "copy", "compute", "compute2", "input", "spill", "fill", "rare", "rare", "poison"),
    ("set", "set", "set", "input", "spill", "spill", "fill", "fill", "rare", "rare"),
    ("copy", "input", "rare", "rare", "if", "if", "if2"),
    ("compute", "compute2", "set", "input", "rare", "loop", "loop", "if"),
)
"""What plain statements are drawn from: of everything, of memory, of branches, of loops."""


@dataclass
class Maker:
    """Draws statements; `choose` takes one of several things."""

    choose: Callable[[tuple], object]
    profile: tuple[str, ...]
    tested: tuple[int, int] = (6, 0)
    """Variable and number of the last comparison: the next one often asks for the same."""
    stored: int = 6
    """Variable whose place was last written to."""
    filled: int = 6
    """Variable that last changed."""

    def body(self, depth: int, *, calls: bool) -> tuple[Statement, ...]:
        """A few statements in a row."""
        return tuple(self.statement(depth, calls=calls) for _ in range(self.choose((2, 3, 4))))

    def statement(self, depth: int, *, calls: bool) -> Statement:
        """One statement: a plain one, or one that holds others."""
        nested = ("if", "if2", "loop", "switch") if depth else ()
        plain = tuple(kind for kind in self.profile if depth or kind not in NESTED)
        kind = self.choose(plain + nested + (("call",) if calls else ()))
        to, by, value = self.choose(VARIABLES), self.choose(VARIABLES), self.choose(INPUTS[:5])
        if kind == "rare" and self.choose((0, 1)):
            to, value = self.choose((self.tested, (self.filled, value)))
        elif kind == "fill" and self.choose((0, 1)):
            by = self.stored
        elif kind == "spill" and self.choose((0, 1)):
            by = self.filled
        self._remember(kind, to, value)
        then: tuple[Statement, ...] = ()
        otherwise: tuple[Statement, ...] = ()
        if kind in NESTED:
            then = self.body(depth - 1, calls=calls)
            if kind != "loop":
                otherwise = self.body(depth - 1, calls=calls) if self.choose((0, 1)) else ()
        operators = CONDITIONS if kind in ("if", "if2") else OPERATORS
        return Statement(
            kind,
            to,
            by,
            self.choose(operators),
            value,
            bool(self.choose((0, 1))),
            self.choose((8, 4, 8, 1)),
            then,
            otherwise,
        )

    def _remember(self, kind: str, to: int, value: int) -> None:
        if kind in ("if", "switch"):
            self.tested = to, value
        elif kind == "spill":
            self.stored = to
        elif kind in ("set", "fill", "compute", "compute2", "copy"):
            self.filled = to


@dataclass(frozen=True)
class Guarded:
    """A program and the static function that its `call` statements call."""

    main: tuple[Statement, ...]
    callee: tuple[Statement, ...] = ()


def draw(seed: int, depth: int = 3) -> Guarded:
    """The program of a seed."""
    chance = random.Random(seed)
    return make(chance.choice, depth)


def make(choose: Callable[[tuple], object], depth: int = 3) -> Guarded:
    """A program out of a way to choose."""
    maker = Maker(choose, choose(PROFILES))
    return Guarded(maker.body(depth, calls=True), maker.body(1, calls=False))


def stream(program: Guarded) -> Code:
    """The instructions: all variables start as 0, on the stack and in registers."""
    start = mov_imm(6, 0) + mov_imm(7, 0) + mov_imm(8, 0) + mov_imm(9, 0)
    for variable in VARIABLES:
        start += stx(8, 10, place(variable), variable)
    main = start + _block(program.main) + mov_imm(0, 0) + exit_()
    callee = (
        mov(6, 1)
        + mov(7, 2)
        + start[2:4]
        + start[4:]
        + stx(8, 10, place(6), 6)
        + _block(program.callee)
        + mov(0, 6)
        + exit_()
    )
    code = list(main + callee)
    for slot, insn in enumerate(code):
        if insn == call_subprogram(0)[0]:
            code[slot] = insn._replace(imm=len(main) - slot - 1)
    return tuple(code)


def _block(statements: tuple[Statement, ...]) -> Code:
    code: Code = ()
    for statement in statements:
        code += _one(statement)
    return code


def _one(s: Statement) -> Code:
    if s.kind in _PLAIN:
        return _PLAIN[s.kind](s)
    then, otherwise = _block(s.then), _block(s.otherwise)
    if s.kind == "loop":
        # The counter is a slot of its own, so that bodies may do what they like.
        count = mov_imm(1, 0) + stx(8, 10, -64, 1)
        test = ldx(8, 1, 10, -64) + alu_imm("+", 1, 1) + stx(8, 10, -64, 1)
        body = then + test
        return count + body + jmp("<", 1, s.value % 4, -(len(body) + 1))
    if s.kind == "switch":
        arms: Code = ()
        for value in (3, 1, 0):
            arms = jmp("!=", s.to, value, len(then) + 1) + then + goto(len(arms)) + arms
        return arms + otherwise
    skip = len(then) + (1 if otherwise else 0)
    if s.kind == "if2":
        test = jmp_reg(s.operator, s.to, s.by, skip, wide=s.wide)
    else:
        test = jmp(s.operator, s.to, s.value, skip, wide=s.wide)
    return test + then + (goto(len(otherwise)) + otherwise if otherwise else ())


def _spill(s: Statement) -> Code:
    return stx(s.size, 10, place(s.to) + (s.value % (8 // s.size)) * s.size, s.by)


def _fill(s: Statement) -> Code:
    return ldx(s.size, s.to, 10, place(s.by) + (s.value % (8 // s.size)) * s.size)


def _compute(s: Statement) -> Code:
    value = s.value % 8 if s.operator in ("<<", ">>") else s.value
    return alu_imm(s.operator, s.to, value, wide=s.wide)


def _compute2(s: Statement) -> Code:
    operator = "+" if s.operator in ("<<", ">>") else s.operator
    return alu(operator, s.to, s.by, wide=s.wide)


_PLAIN: dict[str, Callable[[Statement], Code]] = {
    "set": lambda s: mov_imm(s.to, s.value, wide=s.wide),
    "copy": lambda s: mov(s.to, s.by, wide=s.wide),
    "compute": _compute,
    "compute2": _compute2,
    "input": lambda s: call(7) + mov(s.to, 0),
    "spill": _spill,
    "fill": _fill,
    "poison": lambda s: jmp("==", s.to, s.value, 1, wide=s.wide) + POISON,
    "rare": lambda s: jmp("!=", s.to, s.value, 1, wide=s.wide) + POISON,
    "call": lambda s: mov(1, s.to) + mov(2, s.by) + call_subprogram(0) + mov(s.to, 0),
}


@dataclass
class Machine:
    """One concrete run in progress."""

    slot: int = 0
    frames: list[tuple[list[int], dict[int, int], int]] = field(default_factory=list)

    def copy(self) -> Machine:
        return Machine(self.slot, [(r[:], dict(m), back) for r, m, back in self.frames])


def run(code: tuple[Insn, ...], steps: int = 20_000) -> set[int]:
    """Slots that some concrete run comes to; poison ends a run. Gives up after `steps`."""
    pending = [Machine(0, [([0] * 11, {}, -1)])]
    visited: set[int] = set()
    seen: set[object] = set()
    while pending and steps:
        machine = pending.pop()
        key = (machine.slot, repr(machine.frames))
        if key in seen:
            continue
        seen.add(key)
        steps -= 1
        visited.add(machine.slot)
        pending += _step(code, machine)
    return visited


def _step(code: tuple[Insn, ...], machine: Machine) -> Iterator[Machine]:
    insn = code[machine.slot]
    if insn == POISON[0]:
        return
    regs, memory, back = machine.frames[-1]
    slot = machine.slot
    machine.slot += 1
    if insn.code == 0x95:
        machine.frames.pop()
        if machine.frames:
            machine.frames[-1][0][0] = regs[0]
            machine.slot = back
            yield machine
    elif insn.code == 0x85 and insn.src == 0:
        for value in INPUTS:
            other = machine.copy()
            other.frames[-1][0][0] = value
            yield other
    elif insn.code == 0x85:
        machine.frames.append(([0, *regs[1:6], 0, 0, 0, 0, 0], {}, slot + 1))
        machine.slot = slot + 1 + insn.imm
        yield machine
    else:
        kind = insn.code & 7
        if kind in (5, 6):
            if insn.code == 0x05 or _holds(insn, regs):
                machine.slot = slot + 1 + insn.off
        elif kind in (4, 7):
            regs[insn.dst] = _computed(insn, regs)
        elif kind in (1, 3):
            _move(insn, regs, memory)
        yield machine


def _move(insn: Insn, regs: list[int], memory: dict[int, int]) -> None:
    size = {0x00: 4, 0x08: 2, 0x10: 1, 0x18: 8}[insn.code & 0x18]
    if insn.code & 7 == 1:
        read = [memory.get(insn.off + n, 0) for n in range(size)]
        regs[insn.dst] = int.from_bytes(bytes(read), "little")
    else:
        for n in range(size):
            memory[insn.off + n] = regs[insn.src] >> 8 * n & 0xFF


def _operands(insn: Insn, regs: list[int], bits: int) -> tuple[int, int]:
    limit = (1 << bits) - 1
    other = regs[insn.src] if insn.code & 8 else insn.imm
    return regs[insn.dst] & limit, other & limit


def _signed(value: int, bits: int) -> int:
    return value - (1 << bits) if value >> bits - 1 else value


def _holds(insn: Insn, regs: list[int]) -> bool:
    bits = 64 if insn.code & 7 == 5 else 32
    a, b = _operands(insn, regs, bits)
    sa, sb = _signed(a, bits), _signed(b, bits)
    return {
        0x10: a == b, 0x20: a > b, 0x30: a >= b, 0x40: bool(a & b), 0x50: a != b, 0x60: sa > sb,
        0x70: sa >= sb, 0xA0: a < b, 0xB0: a <= b, 0xC0: sa < sb, 0xD0: sa <= sb,
    }[insn.code & 0xF0]  # fmt: skip


def _computed(insn: Insn, regs: list[int]) -> int:
    bits = 64 if insn.code & 7 == 7 else 32
    a, b = _operands(insn, regs, bits)
    operation = insn.code & 0xF0
    if operation == 0xB0:
        return b
    if operation in (0x60, 0x70):
        return (a << b if operation == 0x60 else a >> b) & (1 << bits) - 1
    return {
        0x00: a + b, 0x10: a - b, 0x20: a * b, 0x40: a | b, 0x50: a & b, 0xA0: a ^ b,
    }[operation] & (1 << bits) - 1  # fmt: skip
