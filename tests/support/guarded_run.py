"""Runs a program on all paths with plain numbers, as forgetful as one kernel's verifier.

Where that verifier loses a value, the run goes on once with each of several numbers; where paths
meet in the same state, once. So every slot that a run comes to is one that the verifier comes
to. What each kernel forgets stands here a second time, apart from `engine.flow.verifier`: the
rows measured by loading programs, and those of kernel/bpf/verifier.c that follow from them.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

from engine.flow.code import Code, found_poisons
from engine.insn import opcodes as op
from engine.insn.codec import Insn
from engine.insn.opcodes import jump_target
from tests.support.asm import call
from tests.support.guarded import INPUTS
from tests.support.poison import POISON

U32, U64 = (1 << 32) - 1, (1 << 64) - 1
STACK, FRAME = 1 << 60, 1 << 16
"""Where stacks begin, and how far they lie apart."""
PROBE_READS, LOOP = (4, 112, 113), 181
STEPS = 2_500
MOVE = op.ALU64 | op.MOV


@dataclass(frozen=True)
class Memory:
    """What a kernel keeps; `name` as in `engine.flow.verifier`."""

    name: str
    narrow: bool = False
    """A 64-bit spill, read back in part from its first byte."""
    immediates: bool = False
    """A constant that is stored without a register."""
    neighbours: bool = False
    """A zero next to a number that is spilled at the start of the slot later."""
    negation: bool = False
    division: bool = False
    swap: bool = False
    dead_globals: bool = False
    """A global function is verified only if a call of it is."""


_NEW = Memory("6.12", narrow=True, immediates=True, neighbours=True, dead_globals=True)
KERNELS = (
    Memory("5.10"),
    Memory("6.1"),
    _NEW,
    Memory("6.18", True, True, True, negation=True, dead_globals=True),
    Memory("7.3", True, True, True, True, True, True, True),
)


class Write(NamedTuple):
    """The store that a byte of the stack comes from; value None: nobody knows."""

    off: int
    size: int
    value: int | None


class Frame:
    """Registers, stack by byte, the slot to return to, and r1 .. r5 of a call of bpf_loop."""

    __slots__ = ("back", "bytes", "kept", "regs")

    def __init__(
        self, regs: list[int], written: dict[int, Write], back: int, kept: Sequence[int] = ()
    ) -> None:
        self.regs, self.bytes, self.back, self.kept = regs, written, back, kept

    def copy(self) -> Frame:
        return Frame(self.regs[:], self.bytes.copy(), self.back, self.kept)

    def key(self) -> object:
        return tuple(self.regs), frozenset(self.bytes.items()), self.back


State = list[Frame]


class Runner:
    """One program under one kernel; `run`, then read `visited`."""

    def __init__(self, code: Code, memory: Memory, steps: int = STEPS) -> None:
        self.code = code
        self.insns = code.insns
        self.memory = memory
        self.left = steps
        self.visited: set[int] = set()
        self.pending: list[tuple[int, State]] = []
        self.seen: set[object] = set()
        self.compared: dict[int, set[int]] = {}
        """What the first operands of conditional jumps were, by slot."""
        self.meets = {slot for slot, insn in enumerate(self.insns) if insn == call(LOOP)[0]}
        """Where a run may be a second time: only there states are compared."""
        for slot, insn in enumerate(self.insns):
            target = jump_target(slot, insn)
            if target is not None and target <= slot:
                self.meets.add(target)
        self.globals: set[int] = set() if memory.dead_globals else set(code.global_starts)

    def run(self) -> set[int]:
        """Slots that some run comes to; some are missing when the steps do not suffice."""
        self._go(0, [Frame([0] * 10 + [STACK], {}, -1)])
        done: set[int] = set()
        while self.globals - done:
            start = (self.globals - done).pop()
            done.add(start)
            for value in INPUTS:
                self._go(start, [Frame([0, *[value] * 5, 0, 0, 0, 0, STACK], {}, -1)])
        return self.visited

    def _go(self, slot: int, state: State) -> None:
        self.pending.append((slot, state))
        while self.pending and self.left > 0:
            slot, state = self.pending.pop()
            while slot >= 0 and self.left > 0:
                if slot in self.meets:
                    key = slot, tuple(frame.key() for frame in state)
                    if key in self.seen:
                        break
                    self.seen.add(key)
                self.left -= 1
                self.visited.add(slot)
                slot = self._step(slot, state)

    def _step(self, slot: int, state: State) -> int:
        """Carry out one instruction in place; give the next slot, -1 at the end of the path."""
        insn = self.insns[slot]
        regs = state[-1].regs
        kind = insn.code & 7
        if insn.code == MOVE:
            regs[insn.dst] = insn.imm & U64
            return slot + 1
        if kind in (op.JMP, op.JMP32):
            return self._jump(slot, insn, state)
        if insn.is_ld_imm64:
            regs[insn.dst] = slot + 1 + insn.imm if insn.src else insn.imm & U64
            return slot + 2
        if kind in (op.ALU, op.ALU64):
            values = list(computed(insn, regs, self.memory))
            register = insn.dst
        elif kind == op.LDX:
            values, register = list(self._load(insn, state)), insn.dst
        elif insn.code & op.MODE_MASK == op.MODE_ATOMIC:
            self._store(state, regs[insn.dst] + insn.off, insn, None)
            fetches = insn.imm & op.ATOMIC_FETCH
            values, register = (list(INPUTS), insn.src) if fetches else ([], 0)
        else:
            lost = kind == op.ST and not self.memory.immediates
            value = None if lost else insn.imm & U64 if kind == op.ST else regs[insn.src]
            self._store(state, regs[insn.dst] + insn.off, insn, value)
            values, register = [], 0
        return self._each(slot + 1, state, register, values)

    def _each(self, slot: int, state: State, register: int, values: Sequence[int]) -> int:
        """Go on with the first value, and later with the others."""
        for value in values[1:]:
            other = [frame.copy() for frame in state]
            other[-1].regs[register] = value
            self.pending.append((slot, other))
        if values:
            state[-1].regs[register] = values[0]
        return slot

    def _jump(self, slot: int, insn: Insn, state: State) -> int:
        if insn.code == op.JMP | op.EXIT:
            left = state.pop()
            if not state:
                return -1
            if left.kept:
                state[-1].regs[1:6] = left.kept
            else:
                state[-1].regs[0] = left.regs[0]
                state[-1].regs[1:6] = [0] * 5
            return left.back
        if insn == POISON[0]:
            return -1
        if insn.code == op.JMP | op.CALL:
            return self._call(slot, insn, state)
        target = jump_target(slot, insn)
        assert target is not None
        if insn.code == op.MAY_GOTO:
            self.pending.append((target, [frame.copy() for frame in state]))
            return slot + 1
        if insn.code & op.OPERATION_MASK == op.JA:
            return target
        self.compared.setdefault(slot, set()).add(state[-1].regs[insn.dst])
        return target if holds(insn, state[-1].regs) else slot + 1

    def _call(self, slot: int, insn: Insn, state: State) -> int:
        frame = state[-1]
        regs = frame.regs
        if insn.src == op.CALL_SUBPROGRAM:
            target = slot + 1 + insn.imm
            if target not in self.code.global_starts:
                state.append(self._frame(regs[1:6], len(state), slot + 1))
                return target
            self.globals.add(target)
            self._lose(state, regs[2], 8)
        elif insn.imm == LOOP:
            for index in (0, 1):
                other = [each.copy() for each in state]
                given = self._frame([index, regs[3], 0, 0, 0], len(state), slot)
                given.kept = regs[1:6]
                self.pending.append((regs[2], [*other, given]))
        elif insn.imm in PROBE_READS:
            self._lose(state, regs[1], regs[2])
        regs[1:6] = [0] * 5
        return self._each(slot + 1, state, 0, INPUTS)

    @staticmethod
    def _frame(arguments: Sequence[int], depth: int, back: int) -> Frame:
        return Frame([0, *arguments, 0, 0, 0, 0, STACK + depth * FRAME], {}, back)

    @staticmethod
    def _lose(state: State, address: int, size: int) -> None:
        number = (address - STACK + FRAME // 2) // FRAME
        off = address - STACK - number * FRAME
        for byte in range(off, off + size):
            state[number].bytes[byte] = Write(off, 0, None)

    def _store(self, state: State, address: int, insn: Insn, value: int | None) -> None:
        size = op.SIZE_BYTES[insn.code & op.SIZE_MASK]
        number = (address - STACK + FRAME // 2) // FRAME
        written = state[number].bytes
        off = address - STACK - number * FRAME
        if value is not None:
            value &= (1 << 8 * size) - 1
        if off & 7 == 0 and value and not self.memory.neighbours:
            _forget(written, off, range(off, off + 8))  # spilling scrubs the rest of its slot
        first = written.get(off & ~7)
        if off & 7 and first is not None and first.value:
            _forget(written, off, range(off & ~7, (off & ~7) + 8))
        for byte in range(off, off + size):
            written[byte] = Write(off, size, value)

    def _load(self, insn: Insn, state: State) -> Iterator[int]:
        size = op.SIZE_BYTES[insn.code & op.SIZE_MASK]
        address = state[-1].regs[insn.src] + insn.off
        number = (address - STACK + FRAME // 2) // FRAME
        off = address - STACK - number * FRAME
        value = self._read(state[number].bytes, off, size)
        signs = insn.code & op.MODE_MASK == op.MODE_MEMSX
        mask, sign = (1 << 8 * size) - 1, 1 << 8 * size - 1
        for number in dict.fromkeys(v & mask for v in (INPUTS if value is None else (value,))):
            yield number - 2 * sign & U64 if signs and number & sign else number

    def _read(self, written: dict[int, Write], off: int, size: int) -> int | None:
        found = {written.get(byte) for byte in range(off, off + size)}
        if all(write is not None and write.value == 0 for write in found):
            return 0
        write = found.pop()
        if found or write is None or write.value is None:
            return None
        aligned = write.off & 7 == 0
        if write.off == off and aligned and (write.size == size or self.memory.narrow):
            return write.value if write.size in (4, 8) else None
        return None


def _forget(written: dict[int, Write], off: int, slots: range) -> None:
    for byte in slots:
        if byte in written:
            written[byte] = Write(off, 0, None)


def _operands(insn: Insn, regs: list[int], bits: int) -> tuple[int, int]:
    limit = (1 << bits) - 1
    other = regs[insn.src] if insn.code & op.SOURCE_REGISTER else insn.imm
    return regs[insn.dst] & limit, other & limit


def _signed(value: int, bits: int) -> int:
    return value - (1 << bits) if value >> bits - 1 else value


def holds(insn: Insn, regs: list[int]) -> bool:
    """Whether a conditional jump is taken."""
    bits = 64 if insn.code & 7 == op.JMP else 32
    a, b = _operands(insn, regs, bits)
    condition = insn.code & 0xF0
    if condition in _SIGNED:
        a, b = _signed(a, bits), _signed(b, bits)
    return bool(_HOLDS[condition](a, b))


_SIGNED = (0x60, 0x70, 0xC0, 0xD0)
_HOLDS: dict[int, Callable[[int, int], object]] = {
    0x10: operator.eq, 0x20: operator.gt, 0x30: operator.ge, 0x40: operator.and_,
    0x50: operator.ne, 0x60: operator.gt, 0x70: operator.ge, 0xA0: operator.lt,
    0xB0: operator.le, 0xC0: operator.lt, 0xD0: operator.le,
}  # fmt: skip


def computed(insn: Insn, regs: list[int], memory: Memory) -> Iterator[int]:
    """What the destination can hold after an operation: its result, or many where it is lost."""
    wide = insn.code & op.CLASS_MASK == op.ALU64
    bits = 64 if wide else 32
    limit = (1 << bits) - 1
    a, b = _operands(insn, regs, bits)
    operation = insn.code & op.OPERATION_MASK
    if operation == op.MOV:
        yield _signed(b & (1 << insn.off) - 1, insn.off) & limit if insn.off else b
    elif operation == op.NEG:
        yield from (-a & limit,) if memory.negation else _any(limit)
    elif operation == op.END:
        size = insn.imm // 8
        value = regs[insn.dst] & (1 << insn.imm) - 1
        yield int.from_bytes(value.to_bytes(size, "little"), "big")
        if not memory.swap:
            yield from (0, 1, 3)
    elif operation == op.DIV:
        yield from (a // b if b else 0,) if memory.division else _any(limit)
    elif operation == op.MOD:
        yield from dict.fromkeys((a % b if b else a, 0, min(a, b - 1) if b else a))
    else:
        yield _plain(operation, a, b, bits) & limit


def _any(limit: int) -> Iterator[int]:
    yield from dict.fromkeys(value & limit for value in INPUTS)


def _plain(operation: int, a: int, b: int, bits: int) -> int:
    if operation in (0x60, 0x70, 0xC0):
        b %= bits
        return a << b if operation == 0x60 else (a if operation == 0x70 else _signed(a, bits)) >> b
    return {0x00: a + b, 0x10: a - b, 0x20: a * b, 0x40: a | b, 0x50: a & b, 0xA0: a ^ b}[operation]


def sharpened(code: Code, kernel: str = "7.3") -> Code:
    """The same program with comparisons that ask for what their operand is on some run.

    Those are changed that guard one instruction; of several numbers one is taken.
    """
    runner = Runner(code, next(m for m in KERNELS if m.name == kernel), STEPS // 3)
    runner.run()
    insns = list(code.insns)
    for slot, found in runner.compared.items():
        insn = insns[slot]
        numbers = sorted({_signed(value, 64) for value in found})
        wanted = [n for n in numbers if -(1 << 31) <= n < 1 << 31]
        if insn.off == 1 and not insn.code & op.SOURCE_REGISTER and wanted and slot % 4:
            insns[slot] = insn._replace(imm=wanted[slot * 7 % len(wanted)])
    return replace(code, insns=tuple(insns), poisons=found_poisons(insns))


def run(code: Code, kernel: str = "7.3", steps: int = STEPS) -> set[int]:
    """Slots that some run under a kernel comes to; poison ends a run."""
    return Runner(code, next(m for m in KERNELS if m.name == kernel), steps).run()
