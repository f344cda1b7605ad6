"""One relocation as a walk: stages to step through, and the types that each of them looks at.

The sentences are those of `engine.explain.story`; a walk adds what stands beside them: the
program's type, every candidate's type, the instruction before and after.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from engine.btf.decode import Btf
from engine.btf.kinds import ByteOrder
from engine.core.candidates import Target
from engine.core.kinds import ENUM_KINDS, FIELD_KINDS
from engine.core.policy import LoaderPolicy
from engine.core.prepare import PreparedObject
from engine.core.result import FunctionResult, OutcomeWord, Relocation
from engine.core.spec import AccessSpec
from engine.core.trace import Step, StepKind
from engine.errors import EngineError
from engine.explain.fields import Hop, field_of
from engine.explain.fixes import Fix, fixes
from engine.explain.nearest import near_enumerators, near_members
from engine.explain.scene import Scene
from engine.explain.story import Sentence, SentenceKind, tell
from engine.explain.type_lines import TypeLines, type_lines
from engine.insn.codec import Insn, encode_insn
from engine.insn.disasm import disassemble

StageKind = Literal[
    "asks", "accessor", "name", "candidate", "missing", "choice", "value", "instruction"
]
Look = Literal["program", "kernel", "code", ""]
Verdict = Literal["fits", "refused", "passed over"]

CANDIDATES: Final = 8
"""Candidates whose types are written out."""
_STAGES: Final[dict[SentenceKind, StageKind]] = {
    "asks": "asks",
    "path": "accessor",
    "name": "name",
    "other-kind": "candidate",
    "refused": "candidate",
    "matched": "candidate",
    "found": "candidate",
    "missing": "missing",
    "nearest": "missing",
    "pruned": "choice",
    "chosen": "choice",
    "ambiguous": "choice",
    "changed": "value",
    "value": "value",
    "poison": "value",
    "failure": "value",
    "instruction": "instruction",
}
_LOOKS: Final[dict[StageKind, Look]] = {
    "asks": "code",
    "accessor": "program",
    "candidate": "kernel",
    "missing": "kernel",
    "choice": "kernel",
    "value": "kernel",
    "instruction": "code",
}
_CANDIDATE_STEPS: Final = (StepKind.OTHER_KIND, StepKind.REFUSED, StepKind.MATCHED)
_VERDICTS: Final[dict[StepKind, Verdict]] = {
    StepKind.OTHER_KIND: "passed over",
    StepKind.REFUSED: "refused",
    StepKind.MATCHED: "fits",
}


@dataclass(frozen=True, slots=True)
class Stage:
    """One step of the walk; `candidate` counts in `Walk.candidates`, -1 for none."""

    kind: StageKind
    look: Look
    sentences: tuple[Sentence, ...]
    candidate: int = -1


@dataclass(frozen=True, slots=True)
class Considered:
    """A candidate; `rule` says which rule refused it, `lines` is None if it is not shown."""

    origin: str
    verdict: Verdict
    rule: str
    lines: TypeLines | None


@dataclass(frozen=True, slots=True)
class Code:
    """An instruction of one or two slots as text; `changed` if it is not the one before."""

    slot: int
    text: str
    bytes: str
    changed: bool = False


@dataclass(frozen=True, slots=True)
class Walk:
    """One relocation under one loader on one kernel; `after` is empty where it was refused."""

    number: int
    kind: str
    access: str
    local: str
    line: tuple[str, int, str]
    outcome: OutcomeWord
    stages: tuple[Stage, ...]
    program: TypeLines | None
    candidates: tuple[Considered, ...]
    before: tuple[Code, ...]
    after: tuple[Code, ...]
    fixes: tuple[Fix, ...]


def walk(
    relocation: Relocation,
    prepared: PreparedObject,
    target: Target,
    policy: LoaderPolicy,
    function: FunctionResult,
) -> Walk:
    """Tell one relocation stage by stage; what is damaged has no types beside it."""
    scene = Scene(relocation, prepared, target, policy, function)
    story = tell(relocation, prepared, target, policy, function)
    line, order = relocation.line, prepared.obj.byte_order
    return Walk(
        number=relocation.number,
        kind=relocation.kind_word,
        access=relocation.access,
        local=scene.local.path if scene.local else relocation.local,
        line=(line.file_name, line.line_number, line.line.strip()) if line else ("", 0, ""),
        outcome=relocation.outcome,
        stages=tuple(_stages(story.steps)),
        program=_program(scene),
        candidates=tuple(_considered(scene)),
        before=_code(function.before, (), range(relocation.slot, _end(relocation)), order),
        after=_after(relocation, function, order),
        fixes=fixes(relocation, prepared, target, policy, function),
    )


def _end(relocation: Relocation) -> int:
    return relocation.slot + relocation.slots


def _stages(sentences: Sequence[Sentence]) -> Iterator[Stage]:
    """Group the sentences; each candidate is a stage of its own."""
    candidate, kind = -1, None
    group: list[Sentence] = []
    for sentence in sentences:
        stage = _STAGES[sentence.kind]
        opens = sentence.kind in ("other-kind", "refused", "matched")
        if group and kind is not None and (opens or stage != kind):
            yield _stage(kind, group, candidate)
            group = []
        candidate += opens
        kind = stage
        group.append(sentence)
    if group and kind is not None:
        yield _stage(kind, group, candidate)


def _stage(kind: StageKind, group: Sequence[Sentence], candidate: int) -> Stage:
    look = _LOOKS.get(kind, "")
    return Stage(kind, look, tuple(group), candidate if kind == "candidate" else -1)


def _program(scene: Scene) -> TypeLines | None:
    local = scene.local
    return None if local is None else _lines(scene.local_btf, local.root_id, local)


def _lines(
    btf: Btf, type_id: int, spec: AccessSpec | None, near: Sequence[str] = ()
) -> TypeLines | None:
    try:
        if spec is None:
            return type_lines(btf, type_id, near=near)
        if spec.kind in ENUM_KINDS:
            position = spec.accessors[0].position if spec.accessors else None
            return type_lines(btf, type_id, enumerator=position, near=near)
        if spec.kind in FIELD_KINDS:
            return type_lines(btf, type_id, hops=_hops(spec, btf), near=near)
        return type_lines(btf, type_id, whole=True, near=near)
    except EngineError:
        return None


def _hops(spec: AccessSpec, btf: Btf) -> tuple[Hop, ...]:
    found = field_of(spec, btf)
    return found.hops if found is not None else ()


def _considered(scene: Scene) -> Iterator[Considered]:
    for count, step in enumerate(scene.steps(*_CANDIDATE_STEPS)):
        lines = _candidate(scene, step) if count < CANDIDATES else None
        yield Considered(step.origin or "vmlinux", _VERDICTS[step.kind], step.rule, lines)


def _candidate(scene: Scene, step: Step) -> TypeLines | None:
    """The type of a candidate; of a refused one that in which the search ended."""
    btf = scene.btf_of(step)
    if btf is None or step.type_id is None:
        return None
    if step.kind is StepKind.MATCHED:
        return _lines(btf, step.type_id, scene.spec_in(step))
    if step.kind is StepKind.REFUSED:
        return _refused(scene, step, btf)
    return _lines(btf, step.type_id, None)


def _refused(scene: Scene, step: Step, btf: Btf) -> TypeLines | None:
    ended = scene.holder(step)
    near: tuple[str, ...] = ()
    if ended is not None and step.rule == "no-member":
        near = tuple(member.name for member in near_members(*ended, step.text))
    elif ended is not None and step.rule == "no-enumerator":
        near = near_enumerators(*ended, step.text)
    elif step.rule == "field-type":
        near = (step.text.rpartition(".")[2],)
    partial = scene.partial(step)
    nested = partial is not None and partial.kind in FIELD_KINDS and len(partial.accessors) > 1
    if ended is not None and nested and step.rule == "no-member":
        return _lines(btf, ended[1].id, None, near)
    return _lines(btf, step.type_id or 0, None, near)


def _after(relocation: Relocation, function: FunctionResult, order: ByteOrder) -> tuple[Code, ...]:
    if function.after is None:
        return ()
    span = range(relocation.slot, _end(relocation))
    slots = [function.slot_map[slot] for slot in span if slot < len(function.slot_map)]
    kept = [slot for slot in slots if slot is not None]
    return _code(function.after, function.before[span.start : span.stop], kept, order, moved=True)


def _code(
    insns: Sequence[Insn],
    before: Sequence[Insn],
    slots: Sequence[int],
    order: ByteOrder,
    *,
    moved: bool = False,
) -> tuple[Code, ...]:
    if not slots:
        return ()
    first, last = min(slots), max(slots)
    lines = disassemble(insns[first : last + 1], byte_order=order)
    texts = {line.slot + first: line.text for line in lines}
    found = []
    for place, slot in enumerate(slots):
        insn = insns[slot]
        changed = moved and place < len(before) and before[place] != insn
        found.append(Code(slot, texts.get(slot, ""), encode_insn(insn, order).hex(" "), changed))
    return tuple(found)
