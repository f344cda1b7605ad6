"""The answer in one sentence: what becomes of the object with one loader on one kernel."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from app.services.analysis import Run
from app.services.verdicts import PoisonPlace, ProgramVerdict
from app.views.astray import astray_jumps, broken_sentence
from app.views.prose import Piece, Prose, code, count, loader_name, names_as_code, prose
from app.views.states import ASTRAY, State, word, worst
from engine.btf.kinds import ByteOrder
from engine.core.result import ObjectResult

PATH_PARTS = 6
"""Stretches of a path that are named; the middle of a longer one is left out."""
_NUMBERS = ("no", "one", "two", "three", "four", "five", "six")


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
        return word(self.state)


def headline(run: Run, byte_order: ByteOrder) -> Headline:
    """Sum up one run."""
    state, sentence = _summary(run, byte_order)
    return Headline(run.kernel, run.loader, loader_name(run.loader), state, sentence)


def _summary(run: Run, byte_order: ByteOrder) -> tuple[State, Prose]:
    if run.result is None:
        message = run.error.message if run.error else "this run could not be made"
        return "refused", prose(message)
    state = worst(verdict.kind for verdict in run.verdicts)
    refused = _refusal(run)
    if run.result.error is not None or (refused and state not in ASTRAY):
        return "refused", refused
    verdicts = [verdict for verdict in run.verdicts if verdict.kind == state]
    many = len(run.result.functions) > 1
    if state in ASTRAY:
        return state, _astray(run, verdicts, byte_order, many=many)
    if state == "poison-reachable":
        return state, _reached(verdicts, many=many)
    if state == "unknown":
        return state, _unknown(verdicts, many=many)
    if state == "poison-unreachable":
        return state, _cannot_run(run, verdicts, run.result, many=many)
    return _without_poison(run.result, programs=bool(run.verdicts))


def _refusal(run: Run) -> Prose:
    """Give the loader's own words, where it refuses the object or one of its programs."""
    result = run.result
    if result is None:
        return ()
    if result.error is not None:
        return prose(code(result.error.text))
    refused = [(f.name, f.error.text) for f in result.functions if f.error is not None]
    if not refused:
        refused = [(v.program, v.refusal.text) for v in run.verdicts if v.refusal is not None]
    if not refused:
        return ()
    name, text = refused[0]
    more = f" ({count(len(refused), 'program')} refused in all)" if len(refused) > 1 else ""
    return prose(code(text), *((" in ", code(name)) if name not in text else ()), more)


def _in(verdict: ProgramVerdict, *, many: bool) -> tuple[str | Piece, ...]:
    return ("In ", code(verdict.program), ", ") if many else ()


def _and_more(verdicts: Sequence[ProgramVerdict]) -> str:
    others = len(verdicts) - 1
    return f" {count(others, 'more program', 'more programs')} likewise." if others else ""


def _astray(run: Run, verdicts: Sequence[ProgramVerdict], order: ByteOrder, *, many: bool) -> Prose:
    verdict = verdicts[0]
    jumps = astray_jumps(run, verdict)
    sentence: list[str | Piece] = [verdict.headline]
    if jumps:
        sentence = list(broken_sentence(jumps, order, many=many))
    if verdict.kind == "jump-broken":
        if verdict.kernel_text:
            sentence += [" The kernel refuses it: ", code(verdict.kernel_text), "."]
    elif verdict.skipped:
        sentence.append(f" It loads, and never runs {_slots(verdict.skipped)}.")
    elif verdict.repeated:
        sentence.append(f" It loads, and runs {_slots(verdict.repeated)} once more.")
    return prose(*sentence, _and_more(verdicts))


def _slots(slots: Sequence[int]) -> str:
    if len(slots) == 1:
        return f"slot {slots[0]}"
    return f"slots {slots[0]} to {slots[-1]}"


def _reached(verdicts: Sequence[ProgramVerdict], *, many: bool) -> Prose:
    verdict = verdicts[0]
    reached = [poison for poison in verdict.poisons if poison.reachable == "yes"]
    first, others = reached[0], len(reached) - 1
    line = f" (line {first.line})" if first.line else ""
    asked = (f"{line} has no value for ", code(first.asked), ",") if first.asked else (line,)
    says = (" The kernel refuses it: ", code(verdict.kernel_text), ".")
    return prose(
        *_in(verdict, many=many),
        f"{'s' if many else 'S'}lot {first.slot}",
        *asked,
        f" and is reached by {_way(first)}.",
        *(says if verdict.kernel_text else ()),
        f" {count(others, 'more is', 'more are')} reached." if others else "",
        _and_more(verdicts),
    )


def _way(poison: PoisonPlace) -> str:
    """Name a path: `slots 0 to 3 → 7 to 9`; a long one without its middle."""
    parts = [f"{low} to {high}" if high > low else f"{low}" for low, high in poison.way]
    if len(parts) > PATH_PARTS:
        half = PATH_PARTS // 2
        parts = [*parts[:half], "…", *parts[-half:]]
    return f"slot{'s' if len(poison.path) > 1 else ''} {' → '.join(parts)}"


def _unknown(verdicts: Sequence[ProgramVerdict], *, many: bool) -> Prose:
    verdict = verdicts[0]
    where = f" In {verdict.program}." if many else ""
    return prose(*names_as_code(verdict.headline), where, _and_more(verdicts))


def _cannot_run(
    run: Run, verdicts: Sequence[ProgramVerdict], result: ObjectResult, *, many: bool
) -> Prose:
    """Say that poison is there and that nothing comes to it."""
    places = {(p.function, p.number, p.local) for v in verdicts for p in v.poisons}
    values = {(function, number) for function, number, _ in places}
    slots = sum(_slots_of(result, place) for place in places)
    isnt = "value is missing" if len(values) == 1 else "values are missing"
    alone = len(verdicts) == 1
    where = "" if alone else f" in {count(len(verdicts), 'program')}"
    whose = "its" if len(values) == 1 else "their"
    cannot = "slot cannot run" if slots == 1 else f"{_number(slots)} slots cannot run"
    off = any(check.landing != "fine" for checks in run.jumps.values() for check in checks)
    remarks = dict.fromkeys(remark for verdict in verdicts for remark in verdict.remarks)
    return prose(
        *_in(verdicts[0], many=many and alone),
        f"{len(values):,} {isnt}{where}; {whose} {cannot}",
        ", and neither can a jump that is off." if off else ".",
        *(f" {remark}" for remark in remarks),
    )


def _number(number: int) -> str:
    return _NUMBERS[number] if number < len(_NUMBERS) else f"{number:,}"


def _slots_of(result: ObjectResult, place: tuple[tuple[str, str], int | None, int]) -> int:
    """Count the slots that one poisoned instruction takes up after relocation."""
    (section, name), number, _ = place
    for function in result.functions:
        if (function.section, function.name) != (section, name):
            continue
        for row in function.relocations:
            if row.number == number:
                span = function.slot_map[row.slot : row.slot + row.slots]
                return sum(after is not None for after in span)
    return 1


def _without_poison(result: ObjectResult, *, programs: bool) -> tuple[State, Prose]:
    relocations = [r for function in result.functions for r in function.relocations]
    poisoned = [r for r in relocations if r.outcome == "poisoned"]
    total = count(len(relocations), "relocation")
    if not relocations:
        return "clear", prose("No CO-RE relocations, so not a byte changes.")
    if poisoned:
        has = "has" if len(poisoned) == 1 else "have"
        which = "no program calls" if programs else "stand alone: the object has no program"
        return "poison-unreachable", prose(
            f"{len(poisoned)} of {total} {has} no value, in functions that {which}."
        )
    changed = sum(r.outcome == "patched" for r in relocations)
    values = f"{count(changed, 'value')} changed" if changed else "no value changed"
    return "clear", prose(f"{total} applied, {values}, no poison.")
