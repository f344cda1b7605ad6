"""One word an operation, and its heading in docs/opcodes.md."""

from __future__ import annotations

import re

import pytest

from engine.insn import opcodes as op
from engine.insn.codec import Insn
from engine.insn.disasm import disassemble
from engine.insn.mnemonics import MNEMONICS, mnemonic
from tests.support.tree import ROOT


def headings(name: str) -> list[str]:
    text = (ROOT / "docs" / f"{name}.md").read_text()
    return re.findall(r"^##+ `([^`]+)`$", text, re.MULTILINE)


def test_every_operation_has_its_heading_and_no_more():
    assert sorted(headings("opcodes")) == sorted(MNEMONICS)


def test_every_register_has_its_heading():
    assert headings("registers") == [f"r{number}" for number in range(11)]


@pytest.mark.parametrize(
    ("insn", "word"),
    [
        (Insn(0x0F, 1, 2, 0, 0), "add"),
        (Insn(0x04, 1, 0, 0, 8), "add"),
        (Insn(0x3F, 1, 2, 0, 0), "div"),
        (Insn(0x3F, 1, 2, 1, 0), "sdiv"),
        (Insn(0xBF, 1, 2, 8, 0), "movsx"),
        (Insn(0xBF, 1, 2, 1, 1), "addr_space_cast"),
        (Insn(0xB7, 1, 0, 0, 8), "mov"),
        (Insn(0x18, 1, 0, 0, 1), "ld_imm64"),
        (Insn(0x30, 0, 0, 0, 12), "ld_abs"),
        (Insn(0x79, 1, 2, 8, 0), "ldx"),
        (Insn(0x91, 1, 2, 8, 0), "ldxsx"),
        (Insn(0x7A, 1, 0, 8, 1), "st"),
        (Insn(0x7B, 1, 2, 8, 0), "stx"),
        (Insn(0xDB, 1, 2, 0, 0), "atomic_add"),
        (Insn(0xDB, 1, 2, 0, 1), "atomic_add"),
        (Insn(0xDB, 1, 2, 0, op.ATOMIC_CMPXCHG), "atomic_cmpxchg"),
        (Insn(0x05, 0, 0, 3, 0), "ja"),
        (Insn(0x1D, 1, 2, 3, 0), "jeq"),
        (Insn(0x85, 0, 0, 0, 195896080), "call"),
        (Insn(0x95, 0, 0, 0, 0), "exit"),
        (Insn(op.MAY_GOTO, 0, 0, 3, 0), "may_goto"),
        (Insn(0xFF, 1, 2, 0, 0), ""),
    ],
)
def test_words(insn, word):
    assert mnemonic(insn) == word


def test_what_is_disassembled_has_a_word():
    nameless = [
        insn
        for code in range(256)
        for insn in (Insn(code, 1, 2, 0, 0),)
        if disassemble((insn,), byte_order="little")[0].tokens[0].kind != "unknown"
        and not mnemonic(insn)
    ]
    assert nameless == []
