"""The fields of an opcode byte and the words for them, as tables.

    bits 0..2   class
    LD, LDX, ST, STX:   bits 3..4 size, bits 5..7 mode
    ALU, JMP kinds:     bit 3 source (0: imm, 1: register), bits 4..7 operation

Source of the numbers: RFC 9669 and Linux include/uapi/linux/bpf.h and bpf_common.h; of the
operators: the assembler strings of LLVM llvm/lib/Target/BPF/BPFInstrInfo.td.
"""

from __future__ import annotations

from typing import Final

from engine.insn.codec import Insn

CLASS_MASK: Final = 0x07
LD: Final = 0x00
LDX: Final = 0x01
ST: Final = 0x02
STX: Final = 0x03
ALU: Final = 0x04
JMP: Final = 0x05
JMP32: Final = 0x06
ALU64: Final = 0x07

SIZE_MASK: Final = 0x18
SIZE_BYTES: Final = {0x00: 4, 0x08: 2, 0x10: 1, 0x18: 8}
"""Size field to bytes moved (BPF_W, BPF_H, BPF_B, BPF_DW)."""

MODE_MASK: Final = 0xE0
MODE_IMM: Final = 0x00
MODE_ABS: Final = 0x20
MODE_IND: Final = 0x40
MODE_MEM: Final = 0x60
MODE_MEMSX: Final = 0x80
MODE_ATOMIC: Final = 0xC0

SOURCE_REGISTER: Final = 0x08
"""BPF_X: the second operand is `src`, not `imm`."""

OPERATION_MASK: Final = 0xF0
DIV: Final = 0x30
NEG: Final = 0x80
MOD: Final = 0x90
MOV: Final = 0xB0
END: Final = 0xD0

ALU_OPERATORS: Final = {
    0x00: "+=",
    0x10: "-=",
    0x20: "*=",
    DIV: "/=",
    0x40: "|=",
    0x50: "&=",
    0x60: "<<=",
    0x70: ">>=",
    MOD: "%=",
    0xA0: "^=",
    MOV: "=",
    0xC0: "s>>=",
}
"""Operations with two operands; NEG and END are written another way."""

JA: Final = 0x00
CALL: Final = 0x80
EXIT: Final = 0x90
JCOND: Final = 0xE0

JUMP_OPERATORS: Final = {
    0x10: "==",
    0x20: ">",
    0x30: ">=",
    0x40: "&",
    0x50: "!=",
    0x60: "s>",
    0x70: "s>=",
    0xA0: "<",
    0xB0: "<=",
    0xC0: "s<",
    0xD0: "s<=",
}
"""Conditions of JMP and JMP32."""

MAY_GOTO: Final = JMP | JCOND

CALL_HELPER: Final = 0
CALL_SUBPROGRAM: Final = 1
"""BPF_PSEUDO_CALL: `imm` is relative once the program is linked."""
CALL_KFUNC: Final = 2
"""BPF_PSEUDO_KFUNC_CALL: `imm` is a BTF type id once the program is linked."""

ATOMIC_FETCH: Final = 0x01
ATOMIC_XCHG: Final = 0xE1
ATOMIC_CMPXCHG: Final = 0xF1
ATOMIC_LOAD_ACQUIRE: Final = 0x100
ATOMIC_STORE_RELEASE: Final = 0x110
ATOMIC_OPERATORS: Final = {0x00: ("+=", "add"), 0x40: ("|=", "or"), 0x50: ("&=", "and"),
                           0xA0: ("^=", "xor")}  # fmt: skip
"""The `imm` of an atomic without ATOMIC_FETCH, to its operator and its name."""


def jump_distance(insn: Insn) -> int | None:
    """Give how many slots after the next one a jump lands; None when `insn` is no jump.

    Conditional, unconditional, 32-bit (`gotol`) and `may_goto` jumps count; calls do not.
    """
    kind = insn.code & CLASS_MASK
    operation = insn.code & OPERATION_MASK
    if kind not in (JMP, JMP32):
        return None
    if operation == JA:
        if insn.code & SOURCE_REGISTER:
            return None
        return insn.imm if kind == JMP32 else insn.off
    if operation in JUMP_OPERATORS or insn.code == MAY_GOTO:
        return insn.off
    return None


def jump_target(slot: int, insn: Insn) -> int | None:
    """Give the slot that the jump `insn` in `slot` lands on; it may lie outside the function."""
    distance = jump_distance(insn)
    return None if distance is None else slot + 1 + distance
