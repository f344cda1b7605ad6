"""A BPF interpreter: runs a program over memory that the test lays out.

    memory = Memory("little")
    data = memory.add(bytearray(512))
    machine = Machine(insns, memory, addresses={1: data})
    machine.run()

`addresses` gives, by slot, what a two-slot load of a map or global stands for. Semantics are those
of the kernel's own interpreter (Linux Documentation/bpf/standardization/instruction-set.rst).
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from engine.btf.kinds import ByteOrder
from engine.insn.codec import Insn

U64: Final = (1 << 64) - 1
U32: Final = (1 << 32) - 1
POISON: Final = 0xBAD2310
STACK_BYTES: Final = 512
FAULT: Final = -14 & U64
_STEPS: Final = 1_000_000
_FRAMES: Final = 8
_GAP: Final = 1 << 32

_LD, _LDX, _ST, _STX, _ALU, _JMP, _JMP32, _ALU64 = range(8)
_BYTES: Final = {0x00: 4, 0x08: 2, 0x10: 1, 0x18: 8}
_MODE_MEM, _MODE_SIGNED, _MODE_ATOMIC = 0x60, 0x80, 0xC0
_CALL, _EXIT = 0x85, 0x95


class Fault(Exception):
    """The program did what no verifier lets through; `slot` is where."""

    def __init__(self, slot: int, text: str) -> None:
        super().__init__(f"slot {slot}: {text}")
        self.slot = slot


class Poisoned(Fault):
    """It came to an instruction that CO-RE relocation poisoned."""


class BadAddress(Exception):
    """Memory that is not there."""


@dataclass
class Memory:
    """Byte arrays at addresses far from each other, so that none runs into the next."""

    byte_order: ByteOrder = "little"
    regions: list[tuple[int, bytearray]] = field(default_factory=list)

    def add(self, data: bytearray) -> int:
        """Give the address at which `data`, not a copy of it, now lies."""
        base = _GAP * (len(self.regions) + 1)
        self.regions.append((base, data))
        return base

    def read(self, address: int, size: int) -> bytes:
        data, offset = self._find(address, size)
        return bytes(data[offset : offset + size])

    def write(self, address: int, content: bytes) -> None:
        data, offset = self._find(address, len(content))
        data[offset : offset + len(content)] = content

    def load(self, address: int, size: int) -> int:
        return int.from_bytes(self.read(address, size), self.byte_order)

    def store(self, address: int, size: int, value: int) -> None:
        content = (value & ((1 << 8 * size) - 1)).to_bytes(size, self.byte_order)
        self.write(address, content)

    def _find(self, address: int, size: int) -> tuple[bytearray, int]:
        for base, data in self.regions:
            if base <= address and address + size <= base + len(data):
                return data, address - base
        raise BadAddress(f"{size} bytes at {address:#x}")


def probe_read(memory: Memory, to: int, size: int, source: int, *_: int) -> int:
    """bpf_probe_read_kernel and its kin: what cannot be read becomes zeros."""
    size &= U32
    try:
        memory.write(to, memory.read(source, size))
    except BadAddress:
        memory.write(to, bytes(size))
        return FAULT
    return 0


Helper = Callable[..., int]
HELPERS: Final[dict[int, Helper]] = {4: probe_read, 112: probe_read, 113: probe_read}
"""bpf_probe_read, bpf_probe_read_user, bpf_probe_read_kernel."""


@dataclass
class Machine:
    """One program, its memory and the helpers it may call; `visited` has the slots it came to."""

    insns: Sequence[Insn]
    memory: Memory
    addresses: Mapping[int, int] = field(default_factory=dict)
    helpers: Mapping[int, Helper] = field(default_factory=lambda: HELPERS)
    registers: list[int] = field(default_factory=lambda: [0] * 11)
    visited: set[int] = field(default_factory=set)

    def run(self, context: int = 0) -> int:
        """Run from slot 0 to the last exit and give r0; raises Fault."""
        frames: list[tuple[int, list[int]]] = []
        self.registers[1] = context
        self.registers[10] = self.memory.add(bytearray(STACK_BYTES)) + STACK_BYTES
        slot = 0
        for _ in range(_STEPS):
            if not 0 <= slot < len(self.insns):
                raise Fault(slot, "there is no such instruction")
            self.visited.add(slot)
            insn = self.insns[slot]
            if insn.code == _EXIT:
                if not frames:
                    return self.registers[0]
                slot, kept = frames.pop()
                self.registers[6:] = kept
            elif insn.code == _CALL and insn.src == 1:
                if len(frames) == _FRAMES:
                    raise Fault(slot, "calls go too deep")
                frames.append((slot + 1, self.registers[6:]))
                self.registers[10] = self.memory.add(bytearray(STACK_BYTES)) + STACK_BYTES
                slot += insn.imm + 1
            else:
                slot = self._step(slot, insn)
        raise Fault(slot, "it does not end")

    def _step(self, slot: int, insn: Insn) -> int:
        """Do one instruction and give the next slot."""
        kind = insn.code & 7
        try:
            if insn.is_ld_imm64:
                return self._wide_load(slot, insn)
            if insn.code == _CALL:
                return self._call(slot, insn)
            if kind in (_JMP, _JMP32):
                return self._jump(slot, insn)
            if kind in (_ALU, _ALU64):
                self._arithmetic(slot, insn)
            elif kind == _LDX:
                self._load(slot, insn)
            elif kind in (_ST, _STX):
                self._store(slot, insn)
            else:
                raise Fault(slot, f"unknown code {insn.code:#x}")
        except BadAddress as problem:
            raise Fault(slot, f"access to {problem}") from None
        return slot + 1

    def _wide_load(self, slot: int, insn: Insn) -> int:
        if insn.dst == 10:
            kind = Poisoned if insn.imm == POISON else Fault
            raise kind(slot, "r10 is written")
        if slot in self.addresses:
            value = self.addresses[slot]
        else:
            value = (insn.imm & U32) | (self.insns[slot + 1].imm & U32) << 32
        self.registers[insn.dst] = value
        return slot + 2

    def _call(self, slot: int, insn: Insn) -> int:
        if insn.imm == POISON:
            raise Poisoned(slot, "poisoned by CO-RE relocation")
        helper = self.helpers.get(insn.imm) if insn.src == 0 else None
        if helper is None:
            raise Fault(slot, f"unknown helper {insn.imm}")
        self.registers[0] = helper(self.memory, *self.registers[1:6]) & U64
        return slot + 1

    def _jump(self, slot: int, insn: Insn) -> int:
        wide = insn.code & 7 == _JMP
        operation = insn.code & 0xF0
        if operation == 0:
            return slot + 1 + (insn.off if wide else insn.imm)
        if operation not in _CONDITIONS:
            raise Fault(slot, f"unknown jump {insn.code:#x}")
        bits = 64 if wide else 32
        left = _unsigned(self.registers[insn.dst], bits)
        right = _unsigned(self.registers[insn.src] if insn.code & 8 else insn.imm, bits)
        is_signed, condition = _CONDITIONS[operation]
        if is_signed:
            left, right = _signed(left, bits), _signed(right, bits)
        return slot + 1 + (insn.off if condition(left, right) else 0)

    def _arithmetic(self, slot: int, insn: Insn) -> None:
        bits = 64 if insn.code & 7 == _ALU64 else 32
        operation = insn.code & 0xF0
        left = _unsigned(self.registers[insn.dst], bits)
        if operation == 0xD0:
            self.registers[insn.dst] = self._swapped(insn)
            return
        right = _unsigned(self.registers[insn.src] if insn.code & 8 else insn.imm, bits)
        if operation == 0xB0:
            value = _signed(right, insn.off) if insn.off else right
        elif operation in (0x30, 0x90):
            value = _divided(operation, left, right, bits, bool(insn.off))
        elif operation in _ARITHMETIC:
            value = _ARITHMETIC[operation](left, right, bits)
        else:
            raise Fault(slot, f"unknown operation {insn.code:#x}")
        self.registers[insn.dst] = _unsigned(value, bits)

    def _swapped(self, insn: Insn) -> int:
        """ALU: to little (0xd4) or big (0xdc) endian; ALU64: swap always."""
        size = insn.imm // 8
        value = self.registers[insn.dst] & ((1 << insn.imm) - 1)
        wanted = "big" if insn.code & 8 else "little"
        if insn.code & 7 == _ALU and wanted == self.memory.byte_order:
            return value
        return int.from_bytes(value.to_bytes(size, "little"), "big")

    def _load(self, slot: int, insn: Insn) -> None:
        size, mode = _BYTES[insn.code & 0x18], insn.code & 0xE0
        if mode not in (_MODE_MEM, _MODE_SIGNED):
            raise Fault(slot, f"unknown load {insn.code:#x}")
        value = self.memory.load((self.registers[insn.src] + insn.off) & U64, size)
        self.registers[insn.dst] = _signed(value, 8 * size) & U64 if mode == _MODE_SIGNED else value

    def _store(self, slot: int, insn: Insn) -> None:
        size, mode = _BYTES[insn.code & 0x18], insn.code & 0xE0
        address = (self.registers[insn.dst] + insn.off) & U64
        if mode == _MODE_ATOMIC and insn.code & 7 == _STX:
            self._atomic(slot, insn, address, size)
        elif mode == _MODE_MEM:
            is_register = insn.code & 7 == _STX
            self.memory.store(address, size, self.registers[insn.src] if is_register else insn.imm)
        else:
            raise Fault(slot, f"unknown store {insn.code:#x}")

    def _atomic(self, slot: int, insn: Insn, address: int, size: int) -> None:
        old = self.memory.load(address, size)
        given = self.registers[insn.src]
        operation = insn.imm & ~1
        if insn.imm == 0xF1:  # compare with r0, exchange
            if old == _unsigned(self.registers[0], 8 * size):
                self.memory.store(address, size, given)
            self.registers[0] = old
            return
        if operation == 0xE0:
            new = given
        elif operation in _ATOMIC:
            new = _ATOMIC[operation](old, given)
        else:
            raise Fault(slot, f"unknown atomic {insn.imm:#x}")
        self.memory.store(address, size, new)
        if insn.imm & 1:
            self.registers[insn.src] = old


def _unsigned(value: int, bits: int) -> int:
    return value & ((1 << bits) - 1)


def _signed(value: int, bits: int) -> int:
    value &= (1 << bits) - 1
    return value - (1 << bits) if value >> (bits - 1) else value


def _divided(operation: int, left: int, right: int, bits: int, is_signed: bool) -> int:
    """Division by zero gives 0, the remainder then is the dividend; signed rounds to zero."""
    if right == 0:
        return 0 if operation == 0x30 else left
    if not is_signed:
        return left // right if operation == 0x30 else left % right
    a, b = _signed(left, bits), _signed(right, bits)
    quotient = abs(a) // abs(b) * (1 if (a < 0) == (b < 0) else -1)
    return quotient if operation == 0x30 else a - quotient * b


_ARITHMETIC: Final[dict[int, Callable[[int, int, int], int]]] = {
    0x00: lambda a, b, bits: a + b,
    0x10: lambda a, b, bits: a - b,
    0x20: lambda a, b, bits: a * b,
    0x40: lambda a, b, bits: a | b,
    0x50: lambda a, b, bits: a & b,
    0x60: lambda a, b, bits: a << (b % bits),
    0x70: lambda a, b, bits: a >> (b % bits),
    0x80: lambda a, b, bits: -a,
    0xA0: lambda a, b, bits: a ^ b,
    0xC0: lambda a, b, bits: _signed(a, bits) >> (b % bits),
}
_CONDITIONS: Final[dict[int, tuple[bool, Callable[[int, int], object]]]] = {
    0x10: (False, operator.eq),
    0x20: (False, operator.gt),
    0x30: (False, operator.ge),
    0x40: (False, operator.and_),
    0x50: (False, operator.ne),
    0x60: (True, operator.gt),
    0x70: (True, operator.ge),
    0xA0: (False, operator.lt),
    0xB0: (False, operator.le),
    0xC0: (True, operator.lt),
    0xD0: (True, operator.le),
}
_ATOMIC: Final[dict[int, Callable[[int, int], int]]] = {
    0x00: operator.add,
    0x40: operator.or_,
    0x50: operator.and_,
    0xA0: operator.xor,
}
