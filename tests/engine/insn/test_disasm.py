"""Lines and their tokens; `test_objdump` compares the text itself with LLVM's."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.insn import opcodes as op
from engine.insn.codec import Insn
from engine.insn.disasm import Token, disassemble
from tests.support import asm
from tests.support.strategies import INSNS

KINDS = {
    "mnemonic",
    "register",
    "immediate",
    "offset",
    "jump",
    "call",
    "memory-size",
    "operator",
    "text",
    "unknown",
}


def text(code) -> str:
    (line,) = disassemble(code, byte_order="little")
    return line.text


TEXTS = [
    (asm.mov_imm(0, 7), "r0 = 0x7"),
    (asm.mov_imm(0, -1, wide=False), "w0 = -0x1"),
    (asm.mov(1, 2, off=8), "r1 = (s8)r2"),
    (asm.alu("+", 1, 2), "r1 += r2"),
    (asm.alu("/", 1, 2, off=1), "r1 s/= r2"),
    (asm.alu_imm("s>>", 3, 5, wide=False), "w3 s>>= 0x5"),
    ((Insn(op.ALU64 | op.NEG, 4, 0, 0, 0),), "r4 = -r4"),
    ((Insn(0xDC, 1, 0, 0, 16),), "r1 = be16 r1"),
    ((Insn(0xD7, 1, 0, 0, 64),), "r1 = bswap64 r1"),
    (asm.ld_imm64(1, 1), "r1 = 0x1 ll"),
    (asm.ld_imm64(1, -5), "r1 = -0x5 ll"),
    (asm.ld_imm64(1, 3, src=1), "ld_pseudo r1, 0x1, 0x3"),
    (asm.ldx(4, 1, 2, -4), "r1 = *(u32 *)(r2 - 0x4)"),
    (asm.ldx(1, 1, 2, 0, signed=True), "r1 = *(s8 *)(r2 + 0x0)"),
    (asm.stx(4, 10, -4, 1), "*(u32 *)(r10 - 0x4) = r1"),
    (asm.st(8, 10, -8, 0), "*(u64 *)(r10 - 0x8) = 0x0"),
    (asm.atomic(8, 1, 0, 2, 0), "lock *(u64 *)(r1 + 0x0) += r2"),
    (asm.atomic(4, 1, 0, 2, 0x41), "w2 = atomic_fetch_or((u32 *)(r1 + 0x0), w2)"),
    (asm.atomic(4, 1, 0, 2, op.ATOMIC_CMPXCHG), "w0 = cmpxchg32_32(r1 + 0x0, w0, w2)"),
    (asm.atomic(8, 1, 8, 2, op.ATOMIC_LOAD_ACQUIRE), "r1 = load_acquire((u64 *)(r2 + 0x8))"),
    (asm.atomic(1, 1, 8, 2, op.ATOMIC_STORE_RELEASE), "store_release((u8 *)(r1 + 0x8), w2)"),
    (asm.jmp("==", 1, 0, 3), "if r1 == 0x0 goto +0x3"),
    (asm.jmp_reg("s>", 1, 2, -3, wide=False), "if w1 s> w2 goto -0x3"),
    (asm.goto(3), "goto +0x3"),
    (asm.gotol(70_000), "gotol +0x11170"),
    ((Insn(op.MAY_GOTO, 0, 0, 2, 0),), "may_goto +0x2"),
    (asm.call(6), "call 0x6"),
    (asm.call_subprogram(-1), "call -0x1"),
    ((Insn(0x8D, 3, 0, 0, 0),), "callx r3"),
    ((Insn(0x28, 0, 0, 0, 12),), "r0 = *(u16 *)skb[0xc]"),
    ((Insn(0x50, 0, 7, 0, 0),), "r0 = *(u8 *)skb[r7]"),
    ((Insn(0xBF, 1, 2, 1, 1 << 16),), "r1 = addr_space_cast(r2, 0x1, 0x0)"),
    (asm.exit_(), "exit"),
]


@pytest.mark.parametrize(("code", "expected"), TEXTS, ids=lambda value: str(value)[:24])
def test_text(code, expected):
    assert text(code) == expected


UNKNOWN = {
    "no such opcode": Insn(0xFF, 1, 2, 3, 4),
    "second half alone": Insn(0x00, 0, 0, 0, 1),
    "64-bit load without a second slot": Insn(0x18, 1, 0, 0, 1),
    "register r12": Insn(0xBF, 12, 0, 0, 0),
    "move with an odd offset": Insn(0xBF, 1, 2, 7, 0),
    "64-bit sign extension of a w register": Insn(0xBC, 1, 2, 32, 0),
    "byte swap of 8 bits": Insn(0xDC, 1, 0, 0, 8),
    "atomic with stray bits": Insn(0xDB, 1, 2, 0, 0x1041),
    "atomic add of 2 bytes": Insn(0xCB, 1, 2, 0, 0),
    "exit with a value": Insn(0x95, 0, 0, 0, 1),
    "sign extending load of 8 bytes": Insn(0x99, 1, 2, 0, 0),
}


@pytest.mark.parametrize("case", UNKNOWN)
def test_unknown(case):
    insn = UNKNOWN[case]
    (line,) = disassemble((insn,), byte_order="big")
    assert line.tokens == (Token("unknown", f"<unknown 0x{insn.code:02x}>"),)
    assert line.slots == 1


def test_slots_and_jump_targets():
    code = asm.mov_imm(0, 7) + asm.ld_imm64(1, 1) + asm.jmp("==", 1, 0, 2) + asm.goto(-5)
    lines = disassemble(code, byte_order="little")
    assert [(line.slot, line.slots) for line in lines] == [(0, 1), (1, 2), (3, 1), (4, 1)]
    targets = [[t.target for t in line.tokens if t.kind == "jump"] for line in lines]
    assert targets == [[], [], [6], [0]]


def test_tokens():
    (line,) = disassemble(asm.jmp("==", 1, 0, 2), byte_order="little")
    assert line.tokens == (
        Token("mnemonic", "if"),
        Token("text", " "),
        Token("register", "r1"),
        Token("text", " "),
        Token("operator", "=="),
        Token("text", " "),
        Token("immediate", "0x0"),
        Token("text", " "),
        Token("mnemonic", "goto"),
        Token("text", " "),
        Token("jump", "+0x2", 3),
    )
    kinds = [t.kind for t in disassemble(asm.ldx(4, 1, 2, -4), byte_order="little")[0].tokens]
    assert [kind for kind in kinds if kind != "text"] == [
        "register",
        "operator",
        "memory-size",
        "register",
        "operator",
        "offset",
    ]


@given(st.lists(INSNS, max_size=30))
def test_any_instructions_give_lines_that_cover_them(insns):
    lines = disassemble(insns, byte_order="little")
    assert sum(line.slots for line in lines) == len(insns)
    assert all(token.kind in KINDS for line in lines for token in line.tokens)
    for line in lines:
        for token in line.tokens:
            assert (token.target is not None) == (token.kind == "jump")
            if token.kind == "jump":
                assert token.target == op.jump_target(line.slot, insns[line.slot])
