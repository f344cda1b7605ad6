"""What real verifiers said, for the page: program by program, beside what the engine says."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from app.services.verification import SlotSource, Subject, VerifyRequest, VerifyResult
from app.services.verify_answer import errno_name
from app.services.verify_logs import first_error
from app.views.failure import Failure
from app.views.prose import Piece as Word
from app.views.prose import Prose, code, count, loader_name, names_as_code, prose
from app.views.states import word
from app.views.verify_text import STATISTICS, agrees, relocation_at, source_at
from engine.explain.log_facts import LogFact

ROWS: Final = 300
"""Results on one page."""
_POISON: Final = ("unknown#195896080", "frame pointer is read only")
_LEVELS: Final = {0: "verdicts only", 1: "level 1", 2: "level 2"}

State = Literal["loads", "refused", "not-asked"]
Agreement = Literal["same", "differs", "unforeseen", "none"]


@dataclass(frozen=True, slots=True)
class Row:
    """One program under one loader on one kernel; `number` is its place in the job."""

    number: int
    program: str
    kernel: str
    asked: str
    loader: str
    real: bool
    state: State
    word: str
    errno: str
    said: str
    cause: Prose
    place: Prose
    engine_state: str
    engine_word: str
    headline: Prose
    agreement: Agreement
    agreed: Prose
    bytes_note: str
    work: str
    returned: str
    run_note: str
    truncated: bool
    lines: int
    remarks: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Block:
    """One program's results; `different` tells of one input with several answers."""

    name: str
    section: str
    rows: tuple[Row, ...]
    different: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class JobPage:
    """The view model; `failure` is why there are no results."""

    id: str
    state: str
    running: bool
    title: str
    summary: str
    steps: tuple[str, ...]
    notes: tuple[str, ...]
    blocks: tuple[Block, ...]
    answered: int
    total: int
    level: str
    failure: Failure | None = None
    more: int = 0
    url: str = ""
    fn: str = ""
    """The function that the page around this shows; empty on a page of its own."""


def job_page(
    job: str,
    state: str,
    request: VerifyRequest | None,
    results: Sequence[VerifyResult | None],
    steps: Sequence[str],
    failure: Failure | None = None,
    fn: str = "",
) -> JobPage:
    """Build the page of a job, finished or not."""
    there = [(number, row) for number, row in enumerate(results) if row is not None]
    blocks: dict[tuple[str, str], list[tuple[int, VerifyResult]]] = {}
    for number, result in there[:ROWS]:
        key = result.subject.program, result.subject.section
        blocks.setdefault(key, []).append((number, result))
    running = state in ("queued", "running")
    found = [row.subject.program for _, row in there] or (request.programs if request else ())
    names = ", ".join([*dict.fromkeys(found)][:4])
    return JobPage(
        id=job,
        state=state,
        running=running,
        title=names,
        summary=_summary(state, len(results), [row for _, row in there]),
        steps=tuple(steps) if running else (),
        notes=tuple(dict.fromkeys(r.subject.judge.note for _, r in there if r.subject.judge.note)),
        blocks=tuple(
            Block(name, section, tuple(row_of(n, r) for n, r in rows), tuple(_different(rows)))
            for (name, section), rows in blocks.items()
        ),
        answered=len(there),
        total=len(results),
        level=_LEVELS[request.log_level if request else 0],
        failure=failure,
        more=max(len(there) - ROWS, 0),
        url=f"/verify/{job}",
        fn=fn,
    )


def row_of(number: int, result: VerifyResult) -> Row:
    """Present one result."""
    subject = result.subject
    fact = None if result.code else first_error(result)
    kind, agreed = _agreement(result, fact)
    return Row(
        number=number,
        program=subject.program,
        kernel=subject.judge.guest.id,
        asked=subject.judge.asked if subject.judge.note else "",
        loader=loader_name(subject.loader),
        real=subject.by == "real",
        state=_state(result),
        word=_word(result),
        errno="" if not result.errno else errno_name(result.errno),
        said=_said(result, fact),
        cause=_cause(fact),
        place=_place(result, fact),
        engine_state=subject.verdict,
        engine_word=word(subject.verdict),
        headline=names_as_code(subject.headline),
        agreement=kind,
        agreed=agreed,
        bytes_note=_bytes(result),
        work=", ".join(_work(result)),
        returned="" if result.retval is None else _value(result.retval),
        run_note=result.run_error,
        truncated=result.log_truncated,
        lines=0 if result.code else result.log.count("\n") + bool(result.log),
        remarks=subject.remarks,
    )


def _state(result: VerifyResult) -> State:
    if result.loaded is None:
        return "not-asked"
    return "loads" if result.loaded else "refused"


def _word(result: VerifyResult) -> str:
    if result.loaded is None:
        return "not asked"
    if result.code == "loader-refused":
        return "refused by the loader"
    return "loads" if result.loaded else "refused"


def _said(result: VerifyResult, fact: LogFact | None) -> str:
    """The words that decided: the verifier's, or the reason why it was not asked."""
    if result.loaded:
        return ""
    if fact is not None:
        return fact.said
    lines = result.log[-20_000:].splitlines()
    told = [line for line in lines if line.strip() and not line.startswith(STATISTICS)]
    return told[-1].strip()[:400] if told else ""


def _cause(fact: LogFact | None) -> Prose:
    return () if fact is None else tuple(Word(text, is_code) for text, is_code in fact.cause)


def _place(result: VerifyResult, fact: LogFact | None) -> Prose:
    """Instruction, source line and relocation of the error."""
    if fact is None or fact.insn is None:
        return ()
    sources = result.subject.sources
    parts: list[str | Word] = [f"instruction {fact.insn}"]
    line, row = source_at(sources, fact.insn), relocation_at(sources, fact.insn)
    if line is not None:
        parts += [f", {where(line)} ", code(line.text)]
    if row is not None:
        parts += [f", relocation {row.relocation} ", code(row.asked), f" ({row.outcome})"]
    return prose(*parts)


def where(source: SlotSource) -> str:
    """Write a place in the source: `prog.bpf.c:14`."""
    return f"{source.file.rpartition('/')[2]}:{source.line}"


def _agreement(result: VerifyResult, fact: LogFact | None) -> tuple[Agreement, Prose]:
    """Say whether engine and kernel agree, and whose fault it is where they do not."""
    if result.code or result.loaded is None:
        return "none", ()
    same = agrees(result)
    if same is None:
        return "none", prose("the engine could not tell")
    if same:
        return "same", prose("as predicted")
    verdict = word(result.subject.verdict)
    if result.loaded:
        words = f"differs: the engine said “{verdict}”, the kernel loads it; a defect of ours"
        return "differs", prose(words)
    tail = result.log[-4000:]
    at_relocation = (
        fact is not None
        and fact.insn is not None
        and (relocation_at(result.subject.sources, fact.insn) is not None)
    )
    if any(words in tail for words in _POISON) or result.subject.verdict == "silently-different":
        words = f"differs: the engine said “{verdict}”, the kernel refuses it; a defect of ours"
        return "differs", prose(words)
    if at_relocation:
        words = "differs: the engine foresaw no refusal, and a relocation is where it happened"
        return "differs", prose(words)
    return "unforeseen", prose(
        "not a matter of relocation, which is all that the engine judges: what it said stands"
    )


def _bytes(result: VerifyResult) -> str:
    if result.subject.by != "real" or result.same_bytes is None:
        return ""
    if result.same_bytes:
        return "gave the kernel the engine’s bytes"
    return "gave the kernel other bytes than the engine makes: a defect of ours"


def _work(result: VerifyResult) -> Iterator[str]:
    if result.verified_instructions is not None:
        yield f"{result.verified_instructions:,} instructions verified"
    if result.peak_states is not None:
        yield count(result.peak_states, "peak state")
    if result.ms is not None:
        yield f"{result.ms:.1f} ms"


def _value(value: int) -> str:
    """Write what a run returned; a negative one as both."""
    signed = value - (1 << 32) if value >= 1 << 31 else value
    return f"{value:,}" if signed == value else f"{signed} ({value:#x})"


def _different(rows: Sequence[tuple[int, VerifyResult]]) -> Iterator[str]:
    """Tell of one input that gave several answers on one kernel: a silent miscompile."""
    kernels: dict[str, dict[int, list[str]]] = {}
    for _, row in rows:
        if row.retval is not None:
            values = kernels.setdefault(row.subject.judge.guest.id, {})
            values.setdefault(row.retval, []).append(_whom(row.subject))
    for kernel, values in kernels.items():
        if len(values) > 1:
            said = ", ".join(f"{_value(v)} under {' and '.join(who)}" for v, who in values.items())
            yield f"On {kernel} the same input gives {said}."


def _whom(subject: Subject) -> str:
    return loader_name(subject.loader) + (" itself" if subject.by == "real" else "")


def _summary(state: str, total: int, rows: Sequence[VerifyResult]) -> str:
    """One line for the whole: `2 load, 1 refused`."""
    if not rows:
        ends = {"cancelled": "Cancelled before anything was answered", "failed": "No answer"}
        nothing = "No program to ask about: subprograms are verified with those that call them"
        under_way = f"0 of {total} answered" if total else "Preparing"
        return ends.get(state, nothing if state == "done" else under_way)
    loaded = sum(row.loaded is True for row in rows)
    refused = sum(row.loaded is False for row in rows)
    parts = [f"{loaded} {'loads' if loaded == 1 else 'load'}"] if loaded else []
    parts += [f"{refused} refused"] if refused else []
    rest = len(rows) - loaded - refused
    parts += [f"{rest} not asked"] if rest else []
    text = ", ".join(parts)
    if state == "cancelled":
        return f"Cancelled; {text}, {total - len(rows)} left out"
    return text if len(rows) == total else f"{len(rows)} of {total} answered: {text}"
