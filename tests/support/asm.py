"""A tiny assembler: each function gives a tuple of slots, and tuples add up to a program.

    mov_imm(0, 7) + ld_imm64(1, 1) + jmp("==", 1, 0, +2) + exit_()

Registers are numbers. Jumps and calls take the distance in slots as the instruction holds it.
"""

from __future__ import annotations

from engine.insn import opcodes as op
from engine.insn.codec import LD_IMM64, Insn

Code = tuple[Insn, ...]

_SIZES = {size: bits for bits, size in op.SIZE_BYTES.items()}
_ALU = {operator.removesuffix("=") or "mov": code for code, operator in op.ALU_OPERATORS.items()}
_JUMPS = {operator: code for code, operator in op.JUMP_OPERATORS.items()}


def mov_imm(dst: int, imm: int, *, wide: bool = True) -> Code:
    """`r1 = 0x7`, or `w1 = 0x7` when not wide."""
    return alu_imm("mov", dst, imm, wide=wide)


def mov(dst: int, src: int, *, wide: bool = True, off: int = 0) -> Code:
    """`r1 = r2`; an off of 8, 16 or 32 extends the sign."""
    return alu("mov", dst, src, wide=wide, off=off)


def alu_imm(operator: str, dst: int, imm: int, *, wide: bool = True, off: int = 0) -> Code:
    """`r1 += 0x5` for the operator `+`; `off` 1 makes / and % signed."""
    kind = op.ALU64 if wide else op.ALU
    return (Insn(kind | _ALU[operator], dst, 0, off, imm),)


def alu(operator: str, dst: int, src: int, *, wide: bool = True, off: int = 0) -> Code:
    """`r1 += r2` for the operator `+`."""
    kind = op.ALU64 if wide else op.ALU
    return (Insn(kind | op.SOURCE_REGISTER | _ALU[operator], dst, src, off, 0),)


def ld_imm64(dst: int, value: int, *, src: int = 0) -> Code:
    """`r1 = 0x1 ll`: two slots; `value` is taken modulo 2^64."""
    return (
        Insn(LD_IMM64, dst, src, 0, _signed32(value)),
        Insn(0, 0, 0, 0, _signed32(value >> 32)),
    )


def ldx(size: int, dst: int, src: int, off: int, *, signed: bool = False) -> Code:
    """`r1 = *(u32 *)(r2 + 0x4)`; size in bytes."""
    mode = op.MODE_MEMSX if signed else op.MODE_MEM
    return (Insn(op.LDX | mode | _SIZES[size], dst, src, off, 0),)


def stx(size: int, dst: int, off: int, src: int) -> Code:
    """`*(u32 *)(r1 + 0x4) = r2`; size in bytes."""
    return (Insn(op.STX | op.MODE_MEM | _SIZES[size], dst, src, off, 0),)


def st(size: int, dst: int, off: int, imm: int) -> Code:
    """`*(u32 *)(r1 + 0x4) = 0x7`; size in bytes."""
    return (Insn(op.ST | op.MODE_MEM | _SIZES[size], dst, 0, off, imm),)


def atomic(size: int, dst: int, off: int, src: int, operation: int) -> Code:
    """An atomic of 4 or 8 bytes; `operation` is the imm, such as `op.ATOMIC_XCHG`."""
    return (Insn(op.STX | op.MODE_ATOMIC | _SIZES[size], dst, src, off, operation),)


def jmp(condition: str, dst: int, imm: int, off: int, *, wide: bool = True) -> Code:
    """`if r1 == 0x0 goto +0x2` for the condition `==`."""
    kind = op.JMP if wide else op.JMP32
    return (Insn(kind | _JUMPS[condition], dst, 0, off, imm),)


def jmp_reg(condition: str, dst: int, src: int, off: int, *, wide: bool = True) -> Code:
    """`if r1 == r2 goto +0x2`."""
    kind = op.JMP if wide else op.JMP32
    return (Insn(kind | op.SOURCE_REGISTER | _JUMPS[condition], dst, src, off, 0),)


def goto(off: int) -> Code:
    """`goto +0x2`."""
    return (Insn(op.JMP | op.JA, 0, 0, off, 0),)


def gotol(distance: int) -> Code:
    """`gotol +0x2`."""
    return (Insn(op.JMP32 | op.JA, 0, 0, 0, distance),)


def call(helper: int) -> Code:
    """`call 0x6`: a helper by its number."""
    return (Insn(op.JMP | op.CALL, 0, op.CALL_HELPER, 0, helper),)


def call_subprogram(distance: int) -> Code:
    """A call of another function of the object."""
    return (Insn(op.JMP | op.CALL, 0, op.CALL_SUBPROGRAM, 0, distance),)


def exit_() -> Code:
    """`exit`."""
    return (Insn(op.JMP | op.EXIT, 0, 0, 0, 0),)


def _signed32(value: int) -> int:
    low = value & 0xFFFFFFFF
    return low - (1 << 32) if low >> 31 else low
