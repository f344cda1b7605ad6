"""The seven outcomes on the page: their words, how bad each is, and that of one function."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

from app.services.analysis import Run
from app.services.verdicts import FunctionId, ProgramVerdict
from engine.core.result import FunctionResult
from engine.flow.verdict import VerdictKind

State = VerdictKind

SEVERITY: Final[Sequence[State]] = (
    "clear",
    "poison-unreachable",
    "unknown",
    "poison-reachable",
    "refused",
    "jump-broken",
    "silently-different",
)
"""The worst last: a program that loads and does something else is found out last."""
ASTRAY: Final[frozenset[State]] = frozenset({"jump-broken", "silently-different"})


def word(state: State) -> str:
    """Write an outcome in words: `jump broken`."""
    return state.replace("-", " ")


def worst(states: Iterable[State]) -> State:
    """Give the worst of some outcomes; of none it is `clear`."""
    return max(states, key=SEVERITY.index, default="clear")


def function_state(function: FunctionResult, run: Run) -> State:
    """Give the outcome of one function: of the program that it is, or of its part in others."""
    if function.error is not None or function.after is None:
        return "refused"
    me = function.section, function.name
    states: list[State] = []
    for verdict in run.verdicts:
        if me == (verdict.section, verdict.program):
            states.append(verdict.kind)
        elif me in verdict.functions:
            states.append(_part(verdict, me))
    if not states and any(row.outcome == "poisoned" for row in function.relocations):
        return "poison-unreachable"  # no program has it, so no kernel sees it
    return worst(states)


def _part(verdict: ProgramVerdict, function: FunctionId) -> State:
    if verdict.kind in ASTRAY and any(place == function for place, _ in verdict.strays):
        return verdict.kind
    answers = {poison.reachable for poison in verdict.poisons if poison.function == function}
    if "yes" in answers:
        return "poison-reachable"
    if "maybe" in answers:
        return "unknown"
    return "poison-unreachable" if answers else "clear"
