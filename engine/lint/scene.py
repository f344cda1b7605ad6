"""One program on one kernel under one loader, as the rules look at it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property

from engine.btf.ext import LineInfo
from engine.core.candidates import Target
from engine.core.kinds import EXISTENCE_KINDS
from engine.core.match import match_spec
from engine.core.policy import LoaderPolicy
from engine.core.prepare import PreparedObject
from engine.core.refusal import Refusal
from engine.core.relocate import relocate_object
from engine.core.result import FunctionResult, Relocation
from engine.core.source_line import source_line
from engine.core.spec import AccessSpec
from engine.core.trace import Step, StepKind
from engine.errors import EngineError
from engine.flow.code import Code, code_of
from engine.flow.reach import PoisonFact, explore
from engine.flow.verdict import Verdict
from engine.flow.verifier import verifier_of
from engine.insn.codec import Insn
from engine.lint.guards import Guards
from engine.lint.questions import Question, question_of
from engine.lint.rule import Finding, Severity
from engine.loaders.link import LinkedProgram


@dataclass(frozen=True, slots=True)
class Kernel:
    """A kernel to check against; `release` chooses its verifier."""

    id: str
    release: str
    target: Target


@dataclass(frozen=True, slots=True)
class Row:
    """One relocation of the program.

    place     its slot in the linked program, None when that is lost or nothing was linked
    scene     what it is part of
    question  what it asks; None where the loader could not make sense of it
    """

    relocation: Relocation
    function: FunctionResult
    place: int | None
    scene: Scene

    @property
    def key(self) -> tuple[str, str, int]:
        """What tells it apart, on whatever kernel."""
        return self.function.section, self.function.name, self.relocation.slot

    @property
    def insn(self) -> Insn:
        """The instruction before relocation."""
        return self.function.before[self.relocation.slot]

    @property
    def local(self) -> AccessSpec | None:
        """The path through the object's own types."""
        return next((step.spec for step in self.steps(StepKind.LOCAL)), None)

    @property
    def matched(self) -> AccessSpec | None:
        """The path in the kernel's types that was taken, or the first that fits."""
        chosen = next((step.type_id for step in self.steps(StepKind.CHOSEN)), None)
        found = self.steps(StepKind.MATCHED)
        for step in found:
            if chosen is None or step.type_id == chosen:
                return self.scene.path_in(step, self.local)
        return self.scene.path_in(found[0], self.local) if found else None

    @property
    def question(self) -> Question | None:
        """What it asks, without flavors."""
        local = self.local
        return None if local is None else question_of(local)

    @property
    def is_guard(self) -> bool:
        """Whether it asks if something exists; then it always has an answer."""
        return self.relocation.kind in EXISTENCE_KINDS

    @property
    def name(self) -> str:
        """What is asked for: `struct task_struct.pid`."""
        local = self.local
        return self.relocation.local if local is None else local.path

    @property
    def words(self) -> str:
        """The same with the kind of relocation: `struct task_struct.pid (byte_off)`."""
        return f"{self.name} ({self.relocation.kind_word})"

    @property
    def line(self) -> LineInfo | None:
        """The source line that speaks of it."""
        return source_line(self.relocation, self.function.lines)

    def steps(self, kind: StepKind) -> list[Step]:
        """All steps of one kind."""
        return [step for step in self.relocation.trace if step.kind is kind]


@dataclass(slots=True)
class Study:
    """One program on every kernel and under every loader of a check."""

    scenes: list[Scene] = field(default_factory=list)
    guards: Guards | None = None
    """None where no loader can link the program."""


@dataclass(eq=False)
class Scene:
    """What a rule gets to see.

    rows are the relocations of everything that the program holds; where the loader refused it
    those of the whole object as far as the loader got.
    """

    prepared: PreparedObject
    kernel: Kernel
    policy: LoaderPolicy
    program: LinkedProgram
    verdict: Verdict
    study: Study = field(default_factory=Study)
    _paths: dict[tuple[AccessSpec, int], AccessSpec | None] = field(default_factory=dict)

    @cached_property
    def rows(self) -> tuple[Row, ...]:
        """Relocations in the order in which their functions are linked."""
        if self.program.insns is None:
            result = relocate_object(self.prepared, self.kernel.target, self.policy)
            return tuple(Row(r, f, None, self) for f in result.functions for r in f.relocations)
        rows = []
        for piece in self.program.pieces:
            for relocation in piece.function.relocations:
                place = piece.function.slot_map[relocation.slot]
                at = None if place is None else piece.start + place
                rows.append(Row(relocation, piece.function, at, self))
        return tuple(rows)

    @property
    def linked(self) -> bool:
        """Whether the loader hands anything to the kernel."""
        return self.program.insns is not None

    @cached_property
    def code(self) -> Code:
        """The linked program as it is explored; only when `linked`."""
        return code_of(self.prepared, self.program, self.policy.id, self.kernel.release)

    @cached_property
    def visited(self) -> frozenset[int]:
        """Slots of the linked program that this kernel's verifier comes to."""
        if not self.linked:
            return frozenset()
        if self.verdict.reach is not None:
            return self.verdict.reach.visited
        return explore(self.code, verifier_of(self.kernel.release)).visited

    def path_in(self, step: Step, local: AccessSpec | None) -> AccessSpec | None:
        """The path in a candidate that matched; worked out where the trace does not hold it."""
        own = self.prepared.btf
        if step.spec is not None or step.type_id is None or local is None or own is None:
            return step.spec
        if step.origin not in ("", "vmlinux"):
            return None
        key = local, step.type_id
        if key not in self._paths:
            btf = self.kernel.target.btf
            try:
                found = match_spec(local, own, btf, step.type_id, self.policy)
                self._paths[key] = found.spec if found.matched else None
            except (EngineError, Refusal):
                self._paths[key] = None
        return self._paths[key]

    def fact(self, row: Row) -> PoisonFact | None:
        """Whether the poison that this relocation left can be reached."""
        for fact in self.verdict.poisons:
            if fact.relocation is row.relocation:
                return fact
        return None

    def reached_poison(self) -> Iterator[tuple[Row, PoisonFact]]:
        """Poisoned relocations that this kernel comes to, or may come to."""
        for row in self.rows:
            if row.relocation.outcome == "poisoned":
                fact = self.fact(row)
                if fact is not None and fact.reachable != "no":
                    yield row, fact

    def finding(
        self, rule: str, severity: Severity, message: str, row: Row | None = None, hint: str = ""
    ) -> Finding:
        """Make a finding of this program, at a relocation if there is one."""
        if row is None:
            return Finding(rule, severity, self.program.name, message, hint=hint)
        line = row.line
        return Finding(
            rule,
            severity,
            self.program.name,
            message,
            function=row.function.name,
            slot=row.relocation.slot,
            line=0 if line is None else line.line_number,
            file="" if line is None else line.file_name,
            relocation=row.words,
            hint=hint,
        )
