"""What one instruction does to a state, jumps and calls of functions aside."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Final

from engine.flow.alu import arithmetic, negated, sign_extended, swapped
from engine.flow.calls import call_outside
from engine.flow.code import Code, constant_of, frozen_place
from engine.flow.rodata import constant_at
from engine.flow.stack import fetch, lose, scatter, sign_extend, store
from engine.flow.state import Frame, State
from engine.flow.values import (
    ANY,
    SIZED,
    U32,
    U64,
    UNKNOWN,
    UNKNOWN32,
    UNMODELLED,
    WILD,
    WRITTEN,
    Fp,
    Range,
    RoData,
    Value,
    is_scalar,
    low32,
    relinked,
    weakened,
)
from engine.flow.verifier import VerifierPolicy
from engine.insn import opcodes as op
from engine.insn.codec import Insn

Complain = Callable[[State, int, str], None]
"""Takes state, slot and what a verifier would say there."""

_CONTEXT_POINTERS: Final = frozenset({0, 4, 8, 76, 80, 140})
"""Offsets at which a 4-byte load from a context may give a packet pointer: data, data_end and
data_meta of struct xdp_md and struct __sk_buff in Linux include/uapi/linux/bpf.h."""

_MOV, _MOV32, _MOV_X = 0xB7, 0xB4, 0xBF
_LD_IMM64 = 0x18


class Machine:
    """Carries out instructions of one program as one verifier would."""

    def __init__(
        self, code: Code, policy: VerifierPolicy, complain: Complain, *, frozen: bool = True
    ) -> None:
        self.code = code
        self.insns = code.insns
        if code.byte_order != "little":
            # The low half of a slot lies elsewhere, and only little-endian kernels were measured.
            policy = replace(policy, narrow_fills=False, byte_swaps=False)
        self.policy = policy
        self.complain = complain
        self.frozen = frozen
        self.used_frozen = False
        """A constant was read out of .rodata."""
        self.callbacks: set[int] = set()
        """First slots of functions whose address was taken."""

    def step(self, state: State, slot: int) -> int:
        """Carry out the instruction in `slot`; give the slot behind it."""
        insn = self.insns[slot]
        code = insn.code
        frame = state.frames[-1]
        if code == _MOV:
            if insn.off == 0:
                frame.regs[insn.dst] = insn.imm & U64
                return slot + 1
        elif code == _MOV32 and insn.off == 0:
            frame.regs[insn.dst] = insn.imm & U32
            return slot + 1
        elif code == _MOV_X and insn.off == 0:
            value = frame.regs[insn.src]
            if type(value) is int:
                frame.regs[insn.dst] = value
                return slot + 1
        kind = code & 7
        if kind == op.LDX:
            self._load(state, frame, slot, insn)
        elif kind == op.STX:
            self._store_register(state, frame, slot, insn)
        elif kind == op.ALU64 or kind == op.ALU:
            self._alu(state, frame, slot, insn)
        elif kind == op.ST:
            self._store(state, frame, slot, insn, insn.imm & U64, immediate=True)
        elif code == _LD_IMM64:
            frame.regs[insn.dst] = self._wide_load(slot, insn)
            return slot + 2
        elif kind == op.LD:
            frame.regs[1:6] = [None] * 5
            frame.regs[0] = UNKNOWN
        else:
            call_outside(self.code, state, slot, insn, self.complain, callbacks=self.callbacks)
        return slot + 1

    def read(self, state: State, slot: int, register: int) -> Value:
        """A register's value; one that was never written is complained of."""
        value = state.frames[-1].regs[register]
        if value is None:
            self.complain(state, slot, f"R{register} !read_ok")
            return WILD
        return value

    def _alu(self, state: State, frame: Frame, slot: int, insn: Insn) -> None:
        code, wide = insn.code, insn.code & 7 == op.ALU64
        operation = code & op.OPERATION_MASK
        if operation == op.MOV:
            frame.regs[insn.dst] = self._move(state, frame, slot, insn, wide)
            return
        one = self.read(state, slot, insn.dst)
        if operation == op.END:
            to_big = not wide and bool(code & op.SOURCE_REGISTER)
            little = self.code.byte_order == "little"
            frame.regs[insn.dst] = swapped(
                one, insn.imm, to_big=to_big and little, policy=self.policy
            )
            return
        if operation == op.NEG:
            frame.regs[insn.dst] = negated(one, wide=wide, policy=self.policy)
            return
        if code & op.SOURCE_REGISTER:
            other = self.read(state, slot, insn.src)
        else:
            other = insn.imm & U64
        frame.regs[insn.dst] = arithmetic(
            operation, one, other, wide=wide, policy=self.policy, off=insn.off
        )

    def _move(self, state: State, frame: Frame, slot: int, insn: Insn, wide: bool) -> Value:
        if not insn.code & op.SOURCE_REGISTER:
            return insn.imm & (U64 if wide else U32)
        value = self.read(state, slot, insn.src)
        if insn.off:
            return sign_extended(value, insn.off, wide=wide)
        if wide:
            return self._linked(frame, slot, insn, value)
        if not is_scalar(value):
            return UNKNOWN32
        if not isinstance(value, Range):
            return value & U32
        if value.umax <= U32 and self.policy.narrow_copies_linked:
            return self._linked(frame, slot, insn, value)
        return low32(value)

    @staticmethod
    def _linked(frame: Frame, slot: int, insn: Insn, value: Value) -> Value:
        """Mark original and copy as equal; the mark is the slot, taken from any older pair."""
        if type(value) is not Range or value.link or insn.src == insn.dst:
            return value
        regs = frame.regs
        mark = slot + 1
        for register in range(10):
            other = regs[register]
            if type(other) is Range and other.link == mark:
                regs[register] = relinked(other, 0)
        regs[insn.src] = linked = relinked(value, mark)
        return linked

    def _wide_load(self, slot: int, insn: Insn) -> Value:
        if slot + 1 >= len(self.insns):
            return UNKNOWN
        constant = constant_of(self.code, slot)
        if constant is not None:
            return constant
        place = frozen_place(self.code, slot)
        if place is not None:
            return place
        if insn.src == 4:
            self.callbacks.add(slot + 1 + insn.imm)
        return UNKNOWN if insn.src == 0 else ANY

    def _load(self, state: State, frame: Frame, slot: int, insn: Insn) -> None:
        size = op.SIZE_BYTES[insn.code & op.SIZE_MASK]
        base = self.read(state, slot, insn.src)
        signs = insn.code & op.MODE_MASK == op.MODE_MEMSX
        value: Value
        if type(base) is Fp and base.off is not None:
            value = fetch(state.frames[base.frame].slots, base.off + insn.off, size, self.policy)
        elif type(base) is Fp or base is WILD:
            value = WILD if size == 8 else SIZED[size]._replace(weak=WRITTEN)
        elif type(base) is RoData:
            value = self._frozen(base, insn.off, size, signs)
        else:
            if is_scalar(base):
                self.complain(state, slot, f"R{insn.src} invalid mem access 'scalar'")
            pointer = size == 4 and insn.off in _CONTEXT_POINTERS
            value = ANY if size == 8 or pointer else SIZED[size]
        if signs:
            value = sign_extend(value, size)
        frame.regs[insn.dst] = value

    def _frozen(self, base: RoData, off: int, size: int, signs: bool) -> Value:
        if base.extern:
            if signs and not self.policy.signed_constant_loads:
                return SIZED[size]
            return self.code.externs[base.extern].load(base.off + off, size)
        data = self.code.rodata.get(base.section, b"")
        number = constant_at(data, base.off + off, size, self.code.byte_order)
        if number is None or not self.frozen:
            return SIZED[size]
        if signs and not self.policy.signed_constant_loads:
            return SIZED[size]
        self.used_frozen = True
        return number

    def _store_register(self, state: State, frame: Frame, slot: int, insn: Insn) -> None:
        if insn.code & op.MODE_MASK == op.MODE_ATOMIC:
            self._atomic(state, frame, slot, insn)
            return
        value = self.read(state, slot, insn.src)
        self._store(state, frame, slot, insn, value, immediate=False)

    def _store(
        self, state: State, frame: Frame, slot: int, insn: Insn, value: Value, *, immediate: bool
    ) -> None:
        size = op.SIZE_BYTES[insn.code & op.SIZE_MASK]
        base = self.read(state, slot, insn.dst)
        if immediate and not self.policy.stored_immediates:
            value = weakened(UNMODELLED)  # some stable branches of old kernels do keep it
        if type(base) is Fp:
            slots = state.frames[base.frame].slots
            if base.off is not None:
                store(slots, base.off + insn.off, size, value, self.policy)
            elif is_scalar(value) or size < 8:
                lose(slots, -512, 0, WRITTEN)
            else:
                scatter(slots)
        elif base is WILD:
            for each in state.frames:
                scatter(each.slots)
        elif is_scalar(base):
            self.complain(state, slot, f"R{insn.dst} invalid mem access 'scalar'")

    def _atomic(self, state: State, frame: Frame, slot: int, insn: Insn) -> None:
        size = op.SIZE_BYTES[insn.code & op.SIZE_MASK]
        if insn.imm == op.ATOMIC_LOAD_ACQUIRE:
            self._load(state, frame, slot, insn)
            value = frame.regs[insn.dst]
            frame.regs[insn.dst] = WILD if size == 8 and value is not ANY else value
            return
        self.read(state, slot, insn.src)
        base = self.read(state, slot, insn.dst)
        if type(base) is Fp and base.off is not None:
            off = base.off + insn.off
            lose(state.frames[base.frame].slots, off, off + size, 0)
            if insn.imm == op.ATOMIC_STORE_RELEASE:
                scatter(state.frames[base.frame].slots)
        elif type(base) is Fp or base is WILD:
            for each in state.frames:
                scatter(each.slots)
        unknown = UNKNOWN if size == 8 else UNKNOWN32
        if insn.imm == op.ATOMIC_CMPXCHG:
            frame.regs[0] = unknown
        elif insn.imm & op.ATOMIC_FETCH:
            frame.regs[insn.src] = unknown
