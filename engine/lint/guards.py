"""Which relocations a guard protects, found out by supposing that it answers no.

For each question that a program asks with bpf_core_*_exists, the program is followed once with
the answer 0 to it and 1 to all others. Code that runs with all answers 1 and not then is what
the guard protects; that holds however the compiler has arranged the test.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from engine.core.kinds import EXISTENCE_KINDS
from engine.core.prepare import PreparedObject
from engine.core.trace import StepKind
from engine.flow.code import Code, code_of
from engine.flow.reach import explore
from engine.flow.verifier import POLICIES
from engine.insn.codec import Insn
from engine.lint.questions import Question, question_of
from engine.loaders.link import LinkedProgram

RowKey = tuple[str, str, int]
"""Section and name of the function, slot in it before relocation."""

_NEWEST: Final = POLICIES[-1]
"""The verifier that knows most: what it cannot follow, no kernel can."""


@dataclass(slots=True)
class Guards:
    """The guards of one program, whatever the kernel.

    code    the linked program with the values that the compiler wrote
    places  slot in it by relocation
    asked   by relocation that asks whether something exists: what
    """

    code: Code
    places: Mapping[RowKey, int]
    asked: Mapping[RowKey, Question]
    _visited: dict[frozenset[Question], frozenset[int]] = field(default_factory=dict)
    _questions: tuple[Question, ...] | None = None
    _answering: dict[Question, tuple[Question, ...]] = field(default_factory=dict)
    _without: dict[Question, frozenset[int]] = field(default_factory=dict)

    def questions(self) -> tuple[Question, ...]:
        """What the program asks, each once, in the order of the slots."""
        if self._questions is None:
            self._questions = tuple(dict.fromkeys(self.asked.values()))
        return self._questions

    def visited(self, missing: Iterable[Question] = ()) -> frozenset[int]:
        """Slots that run when all that is asked for exists but for `missing`."""
        absent = frozenset(missing)
        if absent not in self._visited:
            insns = list(self.code.insns)
            for key, question in self.asked.items():
                _answer(insns, self.places[key], int(question not in absent))
            self._visited[absent] = explore(replace(self.code, insns=insns), _NEWEST).visited
        return self._visited[absent]

    def runs(self, key: RowKey, missing: Iterable[Question] = ()) -> bool:
        """Whether a relocation's instruction runs when only `missing` does not exist."""
        return self.places.get(key) in self.visited(missing)

    def answering(self, question: Question) -> tuple[Question, ...]:
        """The guards that would make sure of something, wherever they stand."""
        known = self._answering.get(question)
        if known is None:
            known = tuple(asked for asked in self.questions() if asked.answers(question))
            self._answering[question] = known
        return known

    def protecting(self, key: RowKey) -> tuple[Question, ...]:
        """The guards without which a relocation does not run."""
        if not self.runs(key):
            return ()
        return tuple(asked for asked in self.questions() if not self.runs(key, (asked,)))

    def is_protected(self, key: RowKey, question: Question) -> bool:
        """Whether a relocation does not run where what it needs is missing."""
        visited = self._without.get(question)
        if visited is None:
            visited = self._without[question] = self.visited(self.answering(question))
        return self.places.get(key) not in visited


def find_guards(prepared: PreparedObject, program: LinkedProgram, loader: str) -> Guards:
    """Read the guards of a linked program that lost no slot; its `insns` must not be None."""
    insns = list(program.insns or ())
    places: dict[RowKey, int] = {}
    asked: dict[RowKey, Question] = {}
    for piece in program.pieces:
        function = piece.function
        for row in function.relocations:
            place = piece.start + row.slot
            key = (function.section, function.name, row.slot)
            places[key] = place
            insns[place : place + row.slots] = function.before[row.slot : row.slot + row.slots]
            local = next((step.spec for step in row.trace if step.kind is StepKind.LOCAL), None)
            if local is not None and row.kind in EXISTENCE_KINDS:
                asked[key] = question_of(local)
    code = replace(code_of(prepared, program, loader), insns=insns, poisons={})
    return Guards(code, places, asked)


def _answer(insns: list[Insn], place: int, value: int) -> None:
    insns[place] = insns[place]._replace(imm=value)


def keeps_slots(program: LinkedProgram) -> bool:
    """Whether a program was linked and has all its slots."""
    return program.insns is not None and _complete([p.function.slot_map for p in program.pieces])


def _complete(slot_maps: Sequence[Sequence[int | None]]) -> bool:
    return not any(None in slot_map for slot_map in slot_maps)
