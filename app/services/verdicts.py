"""The verdicts of one run in a form that crosses processes, small whatever was explored."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from engine.core.kinds import EXISTENCE_KINDS
from engine.core.result import LoaderError, ObjectResult, Relocation
from engine.explain.narrate import why
from engine.flow.verdict import Verdict, VerdictKind, judge_object
from engine.loaders.link import LinkedObject, LinkedProgram, Piece

if TYPE_CHECKING:
    from engine.core.candidates import Target
    from engine.core.policy import LoaderPolicy
    from engine.core.prepare import PreparedObject
    from engine.flow.reach import Answer, PoisonFact
    from engine.insn.codec import Insn

FunctionId = tuple[str, str]
"""Section and name."""

NEAREST: Final = 8
"""Causes for which the nearest name is looked up in one run."""


@dataclass(frozen=True, slots=True)
class PoisonPlace:
    """One poisoned instruction.

    slot      its first slot in the linked program, `local` in its function after relocation
    function  the function that it stands in
    number    its record among those of the section; None when the object came with poison
    asked     what the record asks for; line: its C line, None where it has none
    path      slots of the linked program that run before it, itself the last
    way       the same as stretches of slots that follow each other, (first, last)
    """

    slot: int
    local: int
    function: FunctionId
    number: int | None
    asked: str
    line: int | None
    reachable: Answer
    why: str = ""
    path: tuple[int, ...] = ()
    way: tuple[tuple[int, int], ...] = ()


@dataclass(frozen=True, slots=True)
class ProgramVerdict:
    """What becomes of one program; see `engine.flow.verdict.Verdict`.

    functions  all that it consists of
    strays     jumps that count for the verdict: function, and slot in it after relocation
    skipped    slots that the first of them passes over, repeated: that run once more
    """

    program: str
    section: str
    kind: VerdictKind
    headline: str
    poisons: tuple[PoisonPlace, ...] = ()
    functions: frozenset[FunctionId] = frozenset()
    strays: tuple[tuple[FunctionId, int], ...] = ()
    skipped: tuple[int, ...] = ()
    repeated: tuple[int, ...] = ()
    kernel_text: str = ""
    refusal: LoaderError | None = None
    remarks: tuple[str, ...] = ()


def verdicts_of(
    prepared: PreparedObject, linked: LinkedObject, release: str
) -> tuple[ProgramVerdict, ...]:
    """Judge every program of an object that one loader linked for one kernel."""
    programs = {(program.name, program.section): program for program in linked.programs}
    return tuple(
        _program(verdict, programs.get((verdict.program, verdict.section)))
        for verdict in judge_object(prepared, linked, release)
    )


def _program(verdict: Verdict, linked: LinkedProgram | None) -> ProgramVerdict:
    pieces = linked.pieces if linked else ()
    insns = (linked.insns if linked else None) or ()
    jumps = verdict.live_strays or verdict.strays
    first = jumps[0] if jumps else None
    return ProgramVerdict(
        program=verdict.program,
        section=verdict.section,
        kind=verdict.kind,
        headline=verdict.headline,
        poisons=tuple(_poison(fact, pieces, insns) for fact in verdict.poisons),
        functions=frozenset(function_id(piece) for piece in pieces),
        strays=tuple(_place(jump.slot, pieces) for jump in jumps),
        skipped=first.skipped if first else (),
        repeated=first.repeated if first else (),
        kernel_text=verdict.kernel_text,
        refusal=verdict.refusal,
        remarks=verdict.remarks,
    )


def function_id(piece: Piece) -> FunctionId:
    """Name the function of a piece."""
    return piece.function.section, piece.function.name


def _poison(fact: PoisonFact, pieces: tuple[Piece, ...], insns: Sequence[Insn]) -> PoisonPlace:
    function, local = _place(fact.slot, pieces)
    row = fact.relocation
    return PoisonPlace(
        slot=fact.slot,
        local=local,
        function=function,
        number=None if row is None else row.number,
        asked="" if row is None else row.local,
        line=None if fact.line is None else fact.line.line_number,
        reachable=fact.reachable,
        why=fact.why,
        path=fact.path,
        way=_stretches(fact.path, insns),
    )


def _stretches(path: Iterable[int], insns: Sequence[Insn]) -> tuple[tuple[int, int], ...]:
    """Cut a path where it does not go on with the next instruction."""
    found: list[tuple[int, int]] = []
    for slot in path:
        if found:
            first, last = found[-1]
            if slot == last + (2 if insns[last].is_ld_imm64 else 1):
                found[-1] = first, slot
                continue
        found.append((slot, slot))
    return tuple(found)


def _place(slot: int, pieces: Iterable[Piece]) -> tuple[FunctionId, int]:
    """Find a slot of the linked program in its function."""
    for piece in pieces:
        if piece.start <= slot < piece.start + piece.slots:
            return function_id(piece), slot - piece.start
    return ("", ""), slot


def lack(relocation: Relocation) -> int | None:
    """Rank what the kernel lacks: 0 for poison, 1 for a question answered with no, None else."""
    if relocation.outcome == "poisoned":
        return 0
    if relocation.kind in EXISTENCE_KINDS and relocation.new == 0:
        return 1
    return None


def nearest_names(
    result: ObjectResult, prepared: PreparedObject, target: Target, policy: LoaderPolicy
) -> dict[str, str]:
    """Give the nearest name of the kernel for the first causes, by the sentence of the cause."""
    found: dict[str, str] = {}
    for cause, relocation in _lacking(result):
        if len(found) >= NEAREST:
            break
        if cause not in found:
            from engine.explain.near import nearest_name  # late: most runs lack nothing

            found[cause] = nearest_name(relocation, prepared, target, policy)
    return {cause: name for cause, name in found.items() if name}


def _lacking(result: ObjectResult) -> Iterator[tuple[str, Relocation]]:
    for rank in (0, 1):
        for function in result.functions:
            for relocation in function.relocations:
                if lack(relocation) == rank:
                    yield why(relocation), relocation
