"""A run of instructions as cells: the text, the bytes, and what changed in them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from app.views.lanes import Stroke
from app.views.spans import HexRun, Span, hex_runs, spans
from engine.btf.kinds import ByteOrder
from engine.insn.codec import Insn
from engine.insn.disasm import Line, disassemble
from engine.insn.mnemonics import mnemonic


@dataclass(frozen=True, slots=True)
class Badge:
    """A word beside an instruction; `kind` names its icon and colour."""

    kind: str
    text: str


@dataclass(frozen=True, slots=True)
class Cell:
    """One slot in one column. `state` is `code`, `second`, `lost` or `none`.

    `dead` cannot run, `on_path` leads to poison that is reached.
    """

    state: str
    id: str = ""
    slot: int | None = None
    shift: int = 0
    spans: tuple[Span, ...] = ()
    hex: tuple[HexRun, ...] = ()
    changed: bool = False
    poisoned: bool = False
    dead: bool = False
    on_path: bool = False
    badges: tuple[Badge, ...] = ()
    strokes: tuple[Stroke, ...] = ()
    op: str = ""
    """The operation's word, which names its card: `ld_imm64`."""


class Listing:
    """Slots `first` to `last` of a program, disassembled once; gives a cell for each of them."""

    def __init__(
        self,
        key: str,
        insns: tuple[Insn, ...],
        original: Mapping[int, Insn] | None,
        byte_order: ByteOrder,
        *,
        first: int,
        last: int,
    ) -> None:
        self.key = key
        self.insns = insns
        self.original = original
        self.byte_order = byte_order
        self.base = first - 1 if is_second(insns, first) else first
        part = insns[self.base : last + 2]
        self.lines = {
            self.base + line.slot: line for line in disassemble(part, byte_order=byte_order)
        }

    def line(self, slot: int) -> Line | None:
        """Give the line that starts at a slot; its own numbers count from `base`."""
        return self.lines.get(slot)

    def cell(
        self,
        slot: int,
        before: int,
        *,
        badges: tuple[Badge, ...] = (),
        drawn: tuple[Stroke, ...] = (),
    ) -> Cell:
        """Give the cell of a slot that was `before` before relocation."""
        line = self.lines.get(slot)
        insn = self.insns[slot]
        original = self.original.get(before) if self.original is not None else None
        changed = original is not None and original != insn
        return Cell(
            state="code" if line else "second",
            id=f"{self.key}-{slot}",
            slot=slot,
            shift=slot - before,
            spans=spans(line, insn, base=self.base) if line else (),
            hex=hex_runs(insn, original, self.byte_order),
            changed=changed,
            badges=badges,
            strokes=drawn,
            op=mnemonic(insn) if line else "",
        )


def is_second(insns: tuple[Insn, ...], slot: int) -> bool:
    """Tell whether a slot is the other half of the 16-byte load before it."""
    return 0 < slot < len(insns) and insns[slot].code == 0 and insns[slot - 1].is_ld_imm64
