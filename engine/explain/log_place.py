"""From a log's instruction numbers to functions, slots, relocations and lines of an object.

A verifier counts the slots of the program as it was loaded: the entry function with everything it
calls behind it. So the object is linked as the loader does it, and the number is looked up there.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from engine.btf.decode import Btf
from engine.btf.encode import BtfBuilder
from engine.btf.ext import LineInfo
from engine.core.candidates import Target
from engine.core.policy import LoaderPolicy, WidePoison
from engine.core.prepare import PreparedObject
from engine.core.result import FunctionResult, Relocation
from engine.errors import EngineError
from engine.explain.fixes import fixes
from engine.explain.log_facts import LogFact, LogPlace, LogReport
from engine.explain.narrate import why
from engine.explain.story import tell
from engine.explain.story_ask import short_name
from engine.explain.words import Piece, Text, code, text
from engine.flow.jumps import check_jumps
from engine.flow.verdict import judge
from engine.loaders import newest_of
from engine.loaders.link import LinkedProgram, link_object
from engine.loaders.link import Piece as LinkedPiece

_TOLD_BY_LOGS = ("cilium", "aya", "libbpf")
_POISON = frozenset({"poison-call", "poison-load", "poison-told"})
_WRONG_SHARE = 0.1
"""Opcodes of the log that may differ from those of the program it is taken for."""


@dataclass(frozen=True, slots=True)
class _Bench:
    """The object, linked as the loader does it; `target` is None when no kernel was given."""

    prepared: PreparedObject
    programs: tuple[LinkedProgram, ...]
    policy: LoaderPolicy
    target: Target | None
    release: str = ""


def place(
    report: LogReport,
    prepared: PreparedObject,
    target: Target | None = None,
    policy: LoaderPolicy | None = None,
    release: str = "",
) -> LogReport:
    """Give each finding its place in the object, where one can be told.

    Without `target` the relocation is named, but not what the kernel has instead. Without
    `policy` the loader is the one that the log speaks of, libbpf if none. `release` tells which
    verifier spoke; it matters only for logs that leave the instruction out.
    """
    policy = policy or _guess(report)
    programs = _link(prepared, target, policy)
    if not any(program.insns for program in programs):
        policy = newest_of("libbpf")
        programs = _link(prepared, None, policy)
    bench = _Bench(prepared, programs, policy, target, release)
    facts = tuple(_placed(fact, report.codes, bench) for fact in report.facts)
    first = next((fact.place for fact in facts if fact.weight == "error" and fact.place), None)
    summary = report.summary if first is None else text(report.summary, " ", first.words)
    return replace(report, facts=facts, summary=summary)


def _guess(report: LogReport) -> LoaderPolicy:
    for source in _TOLD_BY_LOGS:
        if source in report.sources:
            return newest_of(source)
    return newest_of("libbpf")


def _link(
    prepared: PreparedObject, target: Target | None, policy: LoaderPolicy
) -> tuple[LinkedProgram, ...]:
    """Link the object; without a kernel against one that has no types."""
    if target is None:
        empty = BtfBuilder().encode(prepared.obj.byte_order)
        target = Target(Btf.parse(empty))
    try:
        return link_object(prepared, target, policy).programs
    except EngineError:
        return ()


def _placed(fact: LogFact, codes: Mapping[str, Mapping[int, int]], bench: _Bench) -> LogFact:
    found = None
    if fact.relocation is not None:
        found = _by_relocation(fact, bench)
    elif fact.insn is not None:
        found = _by_insn(fact, fact.insn, codes, bench)
    elif fact.kind in _POISON:
        found = _by_verdict(fact, bench)
    if (found is None or found.relocation is None) and fact.asked:
        found = _by_words(fact, bench) or found
    return fact if found is None else replace(fact, place=found, needs=_still_needed(bench))


def _still_needed(bench: _Bench) -> Text:
    if bench.target is not None:
        return ()
    return text("With the kernel, the name that it has now can be looked up.")


def _by_insn(
    fact: LogFact, insn: int, codes: Mapping[str, Mapping[int, int]], bench: _Bench
) -> LogPlace | None:
    """Find the program, then the function and slot of an instruction."""
    listed = codes.get(fact.program, {})
    named = [program for program in bench.programs if program.name == fact.program]
    fitting = [
        program
        for program in named or bench.programs
        if program.insns is not None and insn < len(program.insns) and _fits(program, listed)
    ]
    if not fitting:
        return None
    program = fitting[0]
    piece = next((p for p in program.pieces if p.start <= insn < p.start + p.slots), None)
    if piece is None:
        return None
    function = piece.function
    after = insn - piece.start
    slot = next((at for at, to in enumerate(function.slot_map) if to == after), None)
    found = None if slot is None else _at(function, slot)
    if fact.kind in _POISON and found is None:
        return None  # another program, or another build of it
    if fact.asked and (found is None or found.local != fact.asked or (
            fact.kind_word and found.kind_word != fact.kind_word)):  # fmt: skip
        return None
    sure = len(fitting) == 1 and not _shifts(bench)
    words = _words(insn, program, piece, slot, found, bench)
    return _finished(LogPlace(program.name, function.name, slot, sure, words=words), function,
                     found, bench)  # fmt: skip


def _shifts(bench: _Bench) -> bool:
    """Whether slots depend on what the kernel lacks, and the kernel is not known."""
    return bench.target is None and bench.policy.wide_poison is WidePoison.ONE_CALL


def _fits(program: LinkedProgram, listed: Mapping[int, int]) -> bool:
    """Whether the opcodes that the log lists are those of the program, poison apart."""
    insns = program.insns or ()
    poisoned = {
        piece.start + place
        for piece in program.pieces
        for row in piece.function.relocations
        for slot in range(row.slot, row.slot + row.slots)
        if slot < len(piece.function.slot_map)
        and (place := piece.function.slot_map[slot]) is not None
    }
    rows = [(at, opcode) for at, opcode in listed.items() if at not in poisoned]
    if any(at >= len(insns) for at, _ in rows):
        return False
    wrong = sum(insns[at].code != opcode for at, opcode in rows)
    return wrong <= len(rows) * _WRONG_SHARE


def _at(function: FunctionResult, slot: int) -> Relocation | None:
    """The relocation whose instruction this slot belongs to."""
    for row in function.relocations:
        if row.slot <= slot < row.slot + row.slots:
            return row
    return None


def _by_relocation(fact: LogFact, bench: _Bench) -> LogPlace | None:
    """Find libbpf's `prog 'P': relo #N`."""
    for program in bench.programs:
        for piece in program.pieces:
            if piece.function.name != fact.program:
                continue
            for row in piece.function.relocations:
                if row.number == fact.relocation:
                    return _of_relocation(program, piece, row, bench, sure=True)
    return None


def _by_verdict(fact: LogFact, bench: _Bench) -> LogPlace | None:
    """For a log without the instruction: the first poison that this verifier comes to."""
    if bench.target is None:
        return None
    reached = [
        (program, poison)
        for program in bench.programs
        if fact.program in ("", program.name)
        for poison in judge(bench.prepared, program, bench.policy.id, bench.release).poisons
        if poison.reachable != "no" and poison.relocation is not None
    ]
    for program, poison in reached[:1]:
        for piece in program.pieces:
            if poison.relocation in piece.function.relocations:
                sure = len(reached) == 1
                return _of_relocation(program, piece, poison.relocation, bench, sure=sure)
    return None


def _by_words(fact: LogFact, bench: _Bench) -> LogPlace | None:
    """Find the relocation that asks for what the log names; the first, if several do."""
    found = [
        (program, piece, row)
        for program in bench.programs
        if program.name == fact.program or not fact.program
        for piece in program.pieces
        for row in piece.function.relocations
        if row.local == fact.asked and fact.kind_word in ("", row.kind_word)
    ]
    if not found:
        return None
    program, piece, row = found[0]
    return _of_relocation(program, piece, row, bench, sure=len(found) == 1)


def _of_relocation(
    program: LinkedProgram, piece: LinkedPiece, row: Relocation, bench: _Bench, *, sure: bool
) -> LogPlace:
    place = piece.function.slot_map[row.slot]
    insn = None if place is None else piece.start + place
    words = _words(insn, program, piece, row.slot, row, bench)
    empty = LogPlace(program.name, piece.function.name, row.slot, sure, words=words)
    return _finished(empty, piece.function, row, bench)


def _finished(
    found: LogPlace, function: FunctionResult, row: Relocation | None, bench: _Bench
) -> LogPlace:
    """Add the line, and with a kernel the story and what to write instead."""
    found = replace(found, line=_line(function, found.slot), relocation=row)
    if row is None or bench.target is None:
        return found
    args = (row, bench.prepared, bench.target, bench.policy, function)
    return replace(found, story=tell(*args), fixes=fixes(*args))


def _line(function: FunctionResult, slot: int | None) -> LineInfo | None:
    if slot is None or slot >= len(function.lines):
        return None
    return function.lines[slot]


def _words(
    insn: int | None,
    program: LinkedProgram,
    piece: LinkedPiece,
    slot: int | None,
    row: Relocation | None,
    bench: _Bench,
) -> Text:
    """Say where it is, and what stands there."""
    parts: list[str | Piece] = []
    parts += [f"Instruction {insn} of "] if insn is not None else ["In "]
    parts.append(code(program.name))
    if slot is not None and (insn != slot or program.name != piece.function.name):
        parts.append(" is slot " if insn is not None else ", slot ")
        parts += [f"{slot} of ", code(piece.function.name)]
    line = _line(piece.function, slot)
    if line is not None:
        parts += [" (", code(f"{short_name(line.file_name)}:{line.line_number}"), ")"]
    if row is not None:
        parts += [f": relocation #{row.number}, {row.kind_word} of ", code(row.local)]
        if bench.target is not None:
            parts += ["; ", why(row)]
    parts.append(".")
    return text(*parts, _jump(piece.function, slot))


def _jump(function: FunctionResult, slot: int | None) -> Text:
    """For a function with a jump that misses its target: which one, and what was lost."""
    stray = [check for check in check_jumps(function) if check.landing != "fine"]
    if not stray or slot is None:
        return ()
    check = next((row for row in stray if row.slot_before == slot), stray[0])
    parts: list[str | Piece] = [
        f" The jump in slot {check.slot_before} was meant for slot {check.intended} and goes to "
        f"{check.actual}"
    ]
    for row in function.relocations:
        if row.outcome == "poisoned" and None in _slots(function, row):
            parts += [", because the load for ", code(row.local), " lost a slot"]
            break
    return text(*parts, ".")


def _slots(function: FunctionResult, row: Relocation) -> list[int | None]:
    """Where the slots of a relocation's instruction went."""
    return [function.slot_map[at] for at in range(row.slot, row.slot + row.slots)]
