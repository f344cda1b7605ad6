"""Instructions as spans: what the disassembler's tokens and the bytes become on the page."""

from __future__ import annotations

from typing import NamedTuple

from engine.btf.kinds import ByteOrder
from engine.insn.codec import Insn, encode_insn
from engine.insn.disasm import Line
from engine.insn.helpers import HELPERS


class Span(NamedTuple):
    """A coloured piece of an instruction.

    `target` is the slot that a jump goes to, `helper` the name of a helper that is called.
    """

    kind: str
    text: str
    target: int | None = None
    helper: str = ""


class HexRun(NamedTuple):
    """Neighbouring bytes, all changed or all unchanged, as `18 01 00`."""

    text: str
    changed: bool


def spans(line: Line, insn: Insn, *, base: int = 0) -> tuple[Span, ...]:
    """Give the spans of one disassembled instruction; its slots count from `base`."""
    return tuple(
        Span(
            token.kind,
            token.text,
            None if token.target is None else token.target + base,
            _helper(insn) if token.kind == "call" else "",
        )
        for token in line.tokens
    )


def _helper(insn: Insn) -> str:
    """Name the helper; calls of other kinds (src is not 0) and unknown numbers have none."""
    return HELPERS.get(insn.imm, "") if insn.src == 0 else ""


def hex_runs(insn: Insn, original: Insn | None, byte_order: ByteOrder) -> tuple[HexRun, ...]:
    """Give one slot's 8 bytes; those that differ from `original`'s are marked."""
    data = encode_insn(insn, byte_order)
    if original is None or original == insn:
        return (HexRun(data.hex(" "), changed=False),)
    old = encode_insn(original, byte_order)
    runs: list[HexRun] = []
    for new_byte, old_byte in zip(data, old, strict=True):
        changed = new_byte != old_byte
        text = f"{new_byte:02x}"
        if runs and runs[-1].changed == changed:
            runs[-1] = HexRun(f"{runs[-1].text} {text}", changed)
        else:
            runs.append(HexRun(text, changed))
    return tuple(runs)
