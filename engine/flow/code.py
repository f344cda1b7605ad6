"""A program as the analysis sees it: slots, functions, and what the symbols in it stand for."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from engine.btf.ext import LineInfo
from engine.btf.kinds import BtfKind, ByteOrder
from engine.core.patch import BAD_RELO, POISON_CALL, POISON_LOAD
from engine.core.prepare import PreparedObject
from engine.core.result import Relocation
from engine.core.source_line import source_line
from engine.flow.kconfig import SECTION, Extern, externs
from engine.flow.rodata import frozen_sections
from engine.flow.values import RoData
from engine.insn import opcodes as op
from engine.insn.codec import Insn
from engine.loaders import policy_of
from engine.loaders.link import LinkedProgram, Piece
from engine.loaders.references import (
    PSEUDO_CALL,
    PSEUDO_FUNC,
    PSEUDO_MAP_VALUE,
    Reference,
)

CALL: Final = op.JMP | op.CALL
EXIT: Final = op.JMP | op.EXIT
_STATIC: Final = 0
"""BTF_FUNC_STATIC of Linux include/uapi/linux/btf.h."""
_HIDDEN: Final = frozenset({"hidden", "internal"})


@dataclass(frozen=True, slots=True)
class Poison:
    """Poisoned slots that come from one relocation; None when the bytes came poisoned.

    line  the source line that speaks of the relocation
    """

    slot: int
    relocation: Relocation | None
    function: str = ""
    line: LineInfo | None = None


@dataclass(frozen=True, slots=True)
class Code:
    """What is explored: one program after linking, or any stream of slots.

    starts       first slots of the functions, ascending, beginning with 0
    global_starts  those that a verifier looks at on their own
    poisons      by slot; both slots of a two-slot load lead to the same record
    references   by slot
    externs      those of .kconfig by name, as the kernel fills them in
    """

    insns: Sequence[Insn]
    starts: tuple[int, ...] = (0,)
    global_starts: frozenset[int] = frozenset()
    poisons: Mapping[int, Poison] = field(default_factory=dict)
    references: Mapping[int, Reference] = field(default_factory=dict)
    rodata: Mapping[str, bytes] = field(default_factory=dict)
    externs: Mapping[str, Extern] = field(default_factory=dict)
    byte_order: ByteOrder = "little"

    def end_of(self, start: int) -> int:
        """One past the last slot of the function that begins at `start`."""
        later = bisect_right(self.starts, start)
        return self.starts[later] if later < len(self.starts) else len(self.insns)


def is_poison(insns: Sequence[Insn], slot: int) -> bool:
    """Whether the instruction in a slot is one that loaders write in place of a value."""
    insn = insns[slot]
    return insn.imm == BAD_RELO and insn in (POISON_CALL, POISON_LOAD[0])


def code_of(
    prepared: PreparedObject, program: LinkedProgram, loader: str, release: str = ""
) -> Code:
    """Bring a linked program into the form that is explored; `program.insns` must not be None.

    The kernel's release tells the version that an extern may ask for; without it is unknown.
    """
    insns = program.insns or ()
    hides = policy_of(loader).hides_functions
    return Code(
        insns,
        tuple(piece.start for piece in program.pieces) or (0,),
        _global_starts(prepared, program, hides=hides),
        _poisons(program),
        {reference.slot: reference for reference in program.references},
        frozen_sections(prepared.obj),
        externs(prepared.btf, release, prepared.kconfig),
        prepared.obj.byte_order,
    )


def stream_code(insns: Sequence[Insn]) -> Code:
    """A stream that is not part of an object; its functions are those that it calls."""
    starts = {0}
    skip = False
    for slot, insn in enumerate(insns):
        if skip:
            skip = False
            continue
        skip = insn.is_ld_imm64
        target = call_target(slot, insn)
        if target is not None and 0 <= target < len(insns):
            starts.add(target)
    return Code(insns, tuple(sorted(starts)), poisons=found_poisons(insns))


def call_target(slot: int, insn: Insn) -> int | None:
    """The slot of the function that an instruction calls or takes the address of, linked."""
    if insn.code == CALL and insn.src == PSEUDO_CALL:
        return slot + 1 + insn.imm
    if insn.is_ld_imm64 and insn.src == PSEUDO_FUNC:
        return slot + 1 + insn.imm
    return None


def found_poisons(insns: Sequence[Insn]) -> dict[int, Poison]:
    """Poison that stands in the bytes, whoever wrote it."""
    return {
        slot: Poison(slot, None)
        for slot, insn in enumerate(insns)
        if insn.imm == BAD_RELO and is_poison(insns, slot)
    }


def _poisons(program: LinkedProgram) -> dict[int, Poison]:
    found = found_poisons(program.insns or ())
    for piece in program.pieces:
        for row in piece.function.relocations:
            if row.outcome != "poisoned":
                continue
            places = [piece.function.slot_map[row.slot + n] for n in range(row.slots)]
            slots = [piece.start + place for place in places if place is not None]
            line = source_line(row, piece.function.lines)
            for slot in slots:
                found[slot] = Poison(slots[0], row, piece.function.name, line)
    return found


def _global_starts(
    prepared: PreparedObject, program: LinkedProgram, *, hides: bool
) -> frozenset[int]:
    btf = prepared.btf
    if btf is None or not program.func_infos:
        return frozenset()  # without records, a kernel takes every function for a static one
    types = dict(program.func_infos)
    found = set()
    for piece in program.pieces[1:]:
        type_id = types.get(piece.start)
        if type_id is not None and btf.kind(type_id) is BtfKind.FUNC:
            linkage = btf.type(type_id).linkage
            if linkage == _STATIC or (hides and _is_hidden(prepared, piece)):
                continue
        found.add(piece.start)
    return frozenset(found)


def _is_hidden(prepared: PreparedObject, piece: Piece) -> bool:
    sections = prepared.obj.sections
    return any(
        symbol.visibility in _HIDDEN
        for symbol in prepared.obj.symbols
        if symbol.name == piece.function.name
        and symbol.value == piece.function.offset
        and symbol.section < len(sections)
        and sections[symbol.section].name == piece.function.section
    )


def constant_of(code: Code, slot: int) -> int | None:
    """The 64-bit constant of an ld_imm64, or None when it is an address of any sort."""
    insn = code.insns[slot]
    if insn.src or slot + 1 >= len(code.insns):
        return None
    reference = code.references.get(slot)
    if reference is not None and not (reference.kind == "ksym" and reference.typed):
        return None
    return insn.imm & 0xFFFFFFFF | (code.insns[slot + 1].imm & 0xFFFFFFFF) << 32


def frozen_place(code: Code, slot: int) -> RoData | None:
    """The address that an ld_imm64 of a frozen map's value gives."""
    reference = code.references.get(slot)
    if reference is None or slot + 1 >= len(code.insns):
        return None
    if code.insns[slot].src != PSEUDO_MAP_VALUE:
        return None
    if reference.kind == "kconfig" and reference.name in code.externs:
        return RoData(SECTION, 0, reference.name)
    if reference.kind == "global" and reference.name in code.rodata:
        return RoData(reference.name, code.insns[slot + 1].imm & 0xFFFFFFFF)
    return None


__all__ = [
    "CALL",
    "EXIT",
    "Code",
    "Poison",
    "call_target",
    "code_of",
    "constant_of",
    "found_poisons",
    "frozen_place",
    "is_poison",
    "stream_code",
]
