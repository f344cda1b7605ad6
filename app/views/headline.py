"""The answer in one sentence: what one loader makes of the object on one kernel.

Outcomes, worst first: the loader refuses, a jump is broken, something is poisoned, clear.
Nothing here claims that poison can or cannot be reached.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from app.services.analysis import Run
from app.views.prose import Piece, Prose, code, count, loader_name, prose
from engine.btf.kinds import ByteOrder
from engine.core.result import FunctionResult, ObjectResult
from engine.flow.jumps import JumpCheck
from engine.insn.codec import Insn
from engine.insn.disasm import disassemble

State = Literal["refused", "broken", "poisoned", "clear"]
WORDS: Mapping[State, str] = {
    "refused": "refused",
    "broken": "jump broken",
    "poisoned": "poisoned",
    "clear": "clear",
}
SEVERITY: Sequence[State] = ("clear", "poisoned", "broken", "refused")


@dataclass(frozen=True, slots=True)
class Headline:
    """Who says it, the outcome, and the sentence."""

    kernel: str
    loader: str
    name: str
    state: State
    sentence: Prose

    @property
    def word(self) -> str:
        """The outcome in words: `jump broken`."""
        return WORDS[self.state]


def headline(run: Run, byte_order: ByteOrder) -> Headline:
    """Sum up one run."""
    state, sentence = _summary(run, byte_order)
    return Headline(run.kernel, run.loader, loader_name(run.loader), state, sentence)


def function_state(function: FunctionResult, jumps: Sequence[JumpCheck]) -> State:
    """Give the outcome of one function."""
    if function.error is not None or function.after is None:
        return "refused"
    if any(check.landing != "fine" for check in jumps):
        return "broken"
    if any(relocation.outcome == "poisoned" for relocation in function.relocations):
        return "poisoned"
    return "clear"


def _summary(run: Run, byte_order: ByteOrder) -> tuple[State, Prose]:
    if run.result is None:
        message = run.error.message if run.error else "this run could not be made"
        return "refused", prose(message)
    refusal = _refusal(run.result)
    if refusal is not None:
        return "refused", refusal
    broken = [
        (function, check)
        for function in run.result.functions
        for check in run.jumps.get(function.name, ())
        if check.landing != "fine"
    ]
    many = len(run.result.functions) > 1
    if broken:
        return "broken", _broken(broken, byte_order, many=many)
    return _poison_or_clear(run.result, many=many)


def _refusal(result: ObjectResult) -> Prose | None:
    if result.error is not None:
        return prose(code(result.error.text))
    refused = [f for f in result.functions if f.error is not None]
    if not refused:
        return None
    first = refused[0]
    text = first.error.text if first.error else ""
    more = f" ({count(len(refused), 'program')} refused in all)" if len(refused) > 1 else ""
    return prose(code(text), *((" in ", code(first.name)) if first.name not in text else ()), more)


def _broken(
    broken: Sequence[tuple[FunctionResult, JumpCheck]], byte_order: ByteOrder, *, many: bool
) -> Prose:
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
    for line in disassemble(after, byte_order=byte_order):
        if line.slot == slot:
            return (" ", code(line.text))
    return ()


def _poison_or_clear(result: ObjectResult, *, many: bool) -> tuple[State, Prose]:
    relocations = [r for function in result.functions for r in function.relocations]
    poisoned = [r for r in relocations if r.outcome == "poisoned"]
    total = count(len(relocations), "relocation")
    if not relocations:
        return "clear", prose("No CO-RE relocations, so not a byte changes.")
    if not poisoned:
        changed = sum(r.outcome == "patched" for r in relocations)
        values = f"{count(changed, 'value')} changed" if changed else "no value changed"
        return "clear", prose(f"{total} applied, {values}, no poison.")
    has = "has" if len(poisoned) == 1 else "have"
    programs = sum(any(r.outcome == "poisoned" for r in f.relocations) for f in result.functions)
    where = f" in {count(programs, 'program')}" if many else ""
    return "poisoned", prose(
        f"{len(poisoned)} of {total}{where} {has} no target; ", *_poison_form(result), "."
    )


def _poison_form(result: ObjectResult) -> tuple[str | Piece, ...]:
    """Say what stands where the poisoned instructions stood."""
    forms: dict[tuple[Insn, ...], int] = {}
    for function in result.functions:
        after = function.after or ()
        for relocation in function.relocations:
            if relocation.outcome != "poisoned":
                continue
            for slot in range(relocation.slot, relocation.slot + relocation.slots):
                place = function.slot_map[slot]
                if place is None or (after[place].code == 0 and slot > relocation.slot):
                    continue
                pair = after[place : place + 2]
                forms[pair] = forms.get(pair, 0) + 1
    counts: dict[str, int] = {}
    for pair, slots in forms.items():
        text = disassemble(pair, byte_order="little")[0].text
        counts[text] = counts.get(text, 0) + slots
    said: list[str | Piece] = []
    for text, slots in counts.items():
        its = count(slots, "instruction now reads", "instructions now read")
        said += [" and " if said else "", f"{its} ", code(text)]
    return tuple(said)
