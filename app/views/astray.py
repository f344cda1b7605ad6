"""Jumps that go astray, in words: what was lost, where one was meant to go, where it lands."""

from __future__ import annotations

from collections.abc import Sequence

from app.services.analysis import Run
from app.services.verdicts import ProgramVerdict
from app.views.listing import is_second
from app.views.prose import Piece, Prose, code, count, prose
from engine.btf.kinds import ByteOrder
from engine.core.result import FunctionResult
from engine.flow.jumps import JumpCheck
from engine.insn.codec import Insn
from engine.insn.disasm import disassemble

Astray = tuple[FunctionResult, JumpCheck]


def astray_jumps(run: Run, verdict: ProgramVerdict) -> list[Astray]:
    """Give the jumps of a program that are off; those that decide its verdict come first."""
    found = [
        (function, check)
        for function in (run.result.functions if run.result else ())
        if (function.section, function.name) in verdict.functions
        for check in run.jumps.get(function.name, ())
        if check.landing != "fine"
    ]
    decisive = set(verdict.strays)
    return sorted(
        found,
        key=lambda jump: ((jump[0].section, jump[0].name), jump[1].slot_after) not in decisive,
    )


def broken_sentence(broken: Sequence[Astray], byte_order: ByteOrder, *, many: bool) -> Prose:
    """Say which load shrank, where the first jump was meant to go, and where it lands."""
    function, check = broken[0]
    after = function.after or ()
    lead = [
        *(("In ", code(function.name), ", ") if many else ()),
        *_lost_load(function, check, many=many),
    ]
    jump = f"the jump at slot {check.slot_after} "
    return prose(
        *lead,
        jump if lead else jump.capitalize(),
        *_meant(check, after, byte_order),
        *_landing(check, after, byte_order),
        ".",
        f" {count(len(broken) - 1, 'more jump is', 'more jumps are')} off."
        if len(broken) > 1
        else "",
    )


def _lost_load(function: FunctionResult, check: JumpCheck, *, many: bool) -> tuple[str, ...]:
    """Name the load that shrank between the jump and its target."""
    if not check.lost or check.intended is None:
        return ()
    target = next(
        (row for row, after in enumerate(function.slot_map) if after == check.intended),
        len(function.slot_map),
    )
    low, high = sorted((check.slot_before, target))
    lost = next(slot for slot in range(low, high) if function.slot_map[slot] is None)
    rest = "" if check.lost == 1 else f", {check.lost - 1} more likewise"
    the = "the" if many else "The"
    return (f"{the} 16-byte load at slot {lost - 1} became one slot{rest}; ",)


def _meant(
    check: JumpCheck, after: tuple[Insn, ...], byte_order: ByteOrder
) -> tuple[str | Piece, ...]:
    if check.intended is None:
        return ()
    instruction = _insn_at(after, check.intended, byte_order)
    return (f"was meant for slot {check.intended}", *instruction, " and ")


def _landing(
    check: JumpCheck, after: tuple[Insn, ...], byte_order: ByteOrder
) -> tuple[str | Piece, ...]:
    if check.landing == "past-the-end":
        return (f"leaves the program: there is no slot {check.actual}",)
    if check.landing == "middle-of-load":
        return (f"lands on slot {check.actual}, the middle of a 16-byte load",)
    return (f"lands on slot {check.actual}", *_insn_at(after, check.actual, byte_order))


def _insn_at(after: tuple[Insn, ...], slot: int, byte_order: ByteOrder) -> tuple[str | Piece, ...]:
    """Read one instruction alone: all of a long program would take longer than the page."""
    if slot < 0 or is_second(after, slot):
        return ()
    lines = disassemble(after[slot : slot + 2], byte_order=byte_order)
    return (" ", code(lines[0].text)) if lines else ()
