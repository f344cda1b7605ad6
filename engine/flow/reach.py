"""Which instructions a kernel's verifier comes to: every path is followed, as it does.

States that know no more than one seen before end there. Where too many different ones meet,
they are merged, and the values in which they differ are unknown from then on; that, like
everything the analysis does not know, makes more code run and never less. Beyond a number of
steps it gives up and calls reachable whatever a jump leads to.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Literal

from engine import limits
from engine.btf.ext import LineInfo
from engine.core.result import Relocation
from engine.flow.code import Code, Poison
from engine.flow.explorer import Explorer
from engine.flow.state import Trail
from engine.flow.values import REASONS
from engine.flow.verifier import VerifierPolicy

Answer = Literal["no", "yes", "maybe"]

GAVE_UP: Final = "the paths through the program are more than the analysis follows"
INDIRECT_JUMP: Final = "a jump goes to an address that does not stand in the code"
NOT_MEASURED: Final = "what the verifier of so old a kernel keeps was not measured"


@dataclass(frozen=True, slots=True)
class PoisonFact:
    """Whether a verifier comes to one poisoned instruction.

    slot  its first slot in the linked program
    relocation  the record that has no value; None when the object came with poison
    function    the function that the slot belongs to
    why   for `maybe`: why that cannot be told
    path  slots that run before it, from the start of the program or function, the poison last;
          the middle of a long way is left out
    line  the source line that speaks of the relocation, None where there is none
    """

    slot: int
    relocation: Relocation | None
    function: str
    reachable: Answer
    why: str = ""
    path: tuple[int, ...] = ()
    line: LineInfo | None = None


@dataclass(frozen=True, slots=True)
class Complaint:
    """What a verifier would refuse on the way: `text` in its words; `sure` as for poison."""

    slot: int
    text: str
    sure: bool


@dataclass(frozen=True, slots=True)
class Reachability:
    """What was found out about one program under one verifier.

    visited      slots that can run (first slots of two-slot loads only)
    taken        jumps that can be taken, as (slot of the jump, slot it leads to)
    gave_up      why the exploration is not complete, or empty
    uses_rodata  constants from .rodata took part
    """

    visited: frozenset[int]
    taken: frozenset[tuple[int, int]]
    poisons: tuple[PoisonFact, ...]
    complaints: tuple[Complaint, ...]
    gave_up: str = ""
    uses_rodata: bool = False
    steps: int = 0

    @property
    def worst(self) -> Answer:
        """The answer for the poisoned instruction that fares worst; `no` without poison."""
        answers = {fact.reachable for fact in self.poisons}
        return "yes" if "yes" in answers else "maybe" if "maybe" in answers else "no"


def explore(
    code: Code, policy: VerifierPolicy, *, frozen: bool = True, steps: int | None = None
) -> Reachability:
    """Follow a program as the verifier of one kernel does.

    `frozen` False takes the contents of .rodata for unknown. Never raises: registers and jumps
    that make no sense end their path.
    """
    budget = limits.FLOW_STEPS + limits.FLOW_STEPS_PER_SLOT * len(code.insns)
    budget = min(budget, limits.FLOW_STEPS_MOST)
    explorer = Explorer(code, policy, frozen=frozen, steps=budget if steps is None else steps)
    explorer.run()
    reason = ""
    if explorer.indirect:
        reason = INDIRECT_JUMP
    elif explorer.exhausted:
        reason = GAVE_UP
    elif not policy.measured:
        reason = NOT_MEASURED
    possible = explorer.statically_reached() if reason else frozenset(explorer.visited)
    found = _Facts(code, explorer.hits, possible, reason)
    return Reachability(
        frozenset(explorer.visited) | possible,
        frozenset(explorer.taken),
        found.all(),
        tuple(
            Complaint(slot, text, why == 0)
            for (slot, text), why in sorted(explorer.complaints.items())
        ),
        reason,
        explorer.machine.used_frozen,
        explorer.steps,
    )


@dataclass(slots=True)
class _Facts:
    code: Code
    hits: Mapping[int, tuple[int, Trail | None]]
    """By slot of the poison: index into REASONS, and the way there."""
    possible: frozenset[int]
    reason: str
    seen: set[int] = field(default_factory=set)

    def all(self) -> tuple[PoisonFact, ...]:
        by_first: dict[int, list[int]] = {}
        for slot, poison in self.code.poisons.items():
            by_first.setdefault(poison.slot, []).append(slot)
        return tuple(self._fact(first, slots) for first, slots in sorted(by_first.items()))

    def _fact(self, first: int, slots: list[int]) -> PoisonFact:
        poison = self.code.poisons[first]
        hits = sorted((self.hits[slot][0], slot) for slot in slots if slot in self.hits)
        if hits:
            why, slot = hits[0]
            path = path_of(self.hits[slot][1])
            if why == 0:
                return _fact(poison, "yes", "", path)
            return _fact(poison, "maybe", REASONS[why], path)
        if any(slot in self.possible for slot in slots):
            return _fact(poison, "maybe", self.reason)
        return _fact(poison, "no")


def _fact(poison: Poison, answer: Answer, why: str = "", path: tuple[int, ...] = ()) -> PoisonFact:
    return PoisonFact(
        poison.slot, poison.relocation, poison.function, answer, why, path, poison.line
    )


def path_of(trail: Trail | None) -> tuple[int, ...]:
    """The slots of a way, first to last; of a long one the beginning and the end."""
    runs: list[tuple[int, int]] = []
    while trail is not None:
        runs.append((trail.first, trail.last))
        trail = trail.before
    half = limits.FLOW_PATH_SLOTS // 2
    head: list[int] = []
    for first, last in reversed(runs):
        head += range(first, last + 1)
        if len(head) > 2 * half:
            break
    else:
        return tuple(head)
    tail: list[int] = []
    for first, last in runs:
        tail[:0] = range(first, last + 1)
        if len(tail) >= half:
            break
    return (*head[:half], *tail[-half:])
