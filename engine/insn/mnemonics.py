"""One word for each operation, as in RFC 9669: what a card and docs/opcodes.md go by.

The disassembly writes operations as C does (`r1 += r2`), which is no name to look up.
"""

from __future__ import annotations

from typing import Final

from engine.insn import opcodes as op
from engine.insn.codec import Insn

_ALU: Final = {
    0x00: "add",
    0x10: "sub",
    0x20: "mul",
    op.DIV: "div",
    0x40: "or",
    0x50: "and",
    0x60: "lsh",
    0x70: "rsh",
    op.NEG: "neg",
    op.MOD: "mod",
    0xA0: "xor",
    op.MOV: "mov",
    0xC0: "arsh",
    op.END: "end",
}
_JUMP: Final = {
    op.JA: "ja",
    0x10: "jeq",
    0x20: "jgt",
    0x30: "jge",
    0x40: "jset",
    0x50: "jne",
    0x60: "jsgt",
    0x70: "jsge",
    op.CALL: "call",
    op.EXIT: "exit",
    0xA0: "jlt",
    0xB0: "jle",
    0xC0: "jslt",
    0xD0: "jsle",
    op.JCOND: "may_goto",
}
_SIGNED: Final = {op.DIV: "sdiv", op.MOD: "smod", op.MOV: "movsx"}
_LOAD: Final = {op.MODE_IMM: "ld_imm64", op.MODE_ABS: "ld_abs", op.MODE_IND: "ld_ind"}
_ATOMIC: Final = {
    op.ATOMIC_XCHG: "atomic_xchg",
    op.ATOMIC_CMPXCHG: "atomic_cmpxchg",
    op.ATOMIC_LOAD_ACQUIRE: "load_acquire",
    op.ATOMIC_STORE_RELEASE: "store_release",
}
_PLAIN_ATOMIC: Final = {code: f"atomic_{word}" for code, (_, word) in op.ATOMIC_OPERATORS.items()}
_ADDRESS_SPACE: Final = 1

MNEMONICS: Final = tuple(
    dict.fromkeys(
        (
            *(*_ALU.values(), *_SIGNED.values(), "addr_space_cast"),
            *("ld_imm64", "ldx", "ldxsx", "st", "stx", "ld_abs", "ld_ind"),
            *(*_PLAIN_ATOMIC.values(), *_ATOMIC.values(), *_JUMP.values()),
        )
    )
)
"""All words that `mnemonic` gives."""


def mnemonic(insn: Insn) -> str:
    """The word for an instruction, `add` for `r1 += r2`; empty for one that is unknown."""
    kind = insn.code & op.CLASS_MASK
    operation = insn.code & op.OPERATION_MASK
    if kind in (op.ALU, op.ALU64):
        return _alu(insn, operation)
    if kind in (op.JMP, op.JMP32):
        return _JUMP.get(operation, "")
    mode = insn.code & op.MODE_MASK
    if kind == op.LD:
        return _LOAD.get(mode, "")
    if kind == op.STX and mode == op.MODE_ATOMIC:
        return _ATOMIC.get(insn.imm) or _PLAIN_ATOMIC.get(insn.imm & ~op.ATOMIC_FETCH, "")
    if kind == op.LDX and mode == op.MODE_MEMSX:
        return "ldxsx"
    return {op.LDX: "ldx", op.ST: "st", op.STX: "stx"}[kind] if mode == op.MODE_MEM else ""


def _alu(insn: Insn, operation: int) -> str:
    if operation == op.MOV and insn.off == _ADDRESS_SPACE and insn.code & op.SOURCE_REGISTER:
        return "addr_space_cast"
    return (_SIGNED.get(operation) if insn.off else None) or _ALU.get(operation, "")
