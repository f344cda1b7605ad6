"""The whole result: the answer first, then its cause, then the evidence."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

from app.services.analysis import Analysis, Run
from app.services.closeup import Closeup
from app.services.verdicts import lack
from app.views.bytecode import Bytecode, Side, bytecode, page_of
from app.views.choices import Choices
from app.views.closeup import GraphView, graph_views
from app.views.failure import Remark, remarks_of
from app.views.headline import Headline, headline
from app.views.lines import SourceLines
from app.views.prose import Prose, code, count, names_as_code, prose, size
from app.views.relocations import Record, records, tally
from app.views.states import SEVERITY, State, function_state, worst
from engine.core.result import FunctionResult
from engine.explain.narrate import why

CAUSES: Final = 3
"""Causes named above the tables; the relocation table has them all."""


@dataclass(frozen=True, slots=True)
class KernelTab:
    """One kernel with the outcome of each loader on it."""

    kernel: str
    outcomes: tuple[Headline, ...]
    shown: bool


@dataclass(frozen=True, slots=True)
class ProgramTab:
    """One program of the object; `state` is the worst outcome among the loaders."""

    key: str
    section: str
    slots: int
    state: State
    shown: bool


@dataclass(frozen=True, slots=True)
class Program:
    """The program whose bytes are shown."""

    name: str
    section: str
    slots: int
    tally: str
    bytecode: Bytecode
    records: tuple[Record, ...]
    """Those of the slots on this page; `all_records` counts the others, too."""
    all_records: int
    graphs: tuple[GraphView, ...] = ()


@dataclass(frozen=True, slots=True)
class Facts:
    """How the result came about, for whoever wants to repeat it."""

    object: str
    sha256: str
    byte_order: str
    command: str
    clang: str
    header: str
    timing: str


@dataclass(frozen=True, slots=True)
class Result:
    """The view model of the result part."""

    kernel: str
    headlines: tuple[Headline, ...]
    kernels: tuple[KernelTab, ...]
    cause_title: str
    causes: tuple[Prose, ...]
    more_causes: int
    programs: tuple[ProgramTab, ...]
    program: Program | None
    remarks: tuple[Remark, ...]
    facts: Facts
    object_name: str


class Shown(NamedTuple):
    """The function whose bytes are shown, and the numbers of its relocations on the page."""

    section: str
    name: str
    numbers: tuple[int, ...]


def shown_function(analysis: Analysis, choices: Choices) -> Shown | None:
    """Say which function a result will show; None when no loader gives one."""
    runs = [run for run in analysis.runs if run.kernel == choices.shown_kernel]
    programs = _programs(runs)
    chosen = _chosen(programs, choices.prog)
    if not chosen:
        return None
    sides, _ = programs[chosen]
    function = sides[0][1]
    first, last = page_of(len(function.before), choices.at)
    numbers = {row.number for _, f in sides for row in f.relocations if first <= row.slot <= last}
    return Shown(function.section, function.name, tuple(sorted(numbers)))


def result(
    analysis: Analysis,
    choices: Choices,
    *,
    main: str,
    source: str,
    closeup: Closeup | None = None,
) -> Result:
    """Build the view model; `main` is the file in the editor, empty for an object."""
    order = analysis.byte_order
    kernel = choices.shown_kernel
    heads = [headline(run, order) for run in analysis.runs]
    shown_heads = tuple(head for head in heads if head.kernel == kernel)
    shown = [run for run in analysis.runs if run.kernel == kernel]
    causes = _causes(shown)
    sections = _programs(shown)
    chosen = _chosen(sections, choices.prog)
    compiled = analysis.compile
    return Result(
        kernel=kernel,
        headlines=shown_heads,
        kernels=_kernel_tabs(heads, kernel),
        cause_title="Note" if worst(h.state for h in shown_heads) in _HARMLESS else "Cause",
        causes=tuple(causes[:CAUSES]),
        more_causes=max(len(causes) - CAUSES, 0),
        programs=tuple(
            ProgramTab(key, sides[0][1].section, len(sides[0][1].before), state, key == chosen)
            for key, (sides, state) in sections.items()
        ),
        program=_program(shown, chosen, main, analysis, choices.at, closeup or Closeup())
        if chosen
        else None,
        remarks=remarks_of(compiled.diagnostics, main=main, source=source) if compiled else (),
        facts=_facts(analysis),
        object_name="" if compiled else (analysis.request.object_name or "object"),
    )


def _kernel_tabs(heads: Sequence[Headline], kernel: str) -> tuple[KernelTab, ...]:
    by_kernel: dict[str, list[Headline]] = {}
    for head in heads:
        by_kernel.setdefault(head.kernel, []).append(head)
    return tuple(KernelTab(name, tuple(found), name == kernel) for name, found in by_kernel.items())


def _causes(runs: Sequence[Run]) -> list[Prose]:
    """Say what the kernel lacks, worst first, each sentence once; refusals are headlines."""
    wanting: dict[str, int] = {}
    nearest: dict[str, str] = {}
    for run in runs:
        nearest.update(run.nearest)
        for function in run.result.functions if run.result else ():
            for relocation in function.relocations:
                rank = lack(relocation)
                sentence = why(relocation) if rank is not None else ""
                if rank is not None and sentence:
                    wanting[sentence] = min(rank, wanting.get(sentence, rank))
    ordered = sorted(wanting, key=lambda sentence: wanting[sentence])
    return [_cause(sentence, nearest.get(sentence, "")) for sentence in ordered]


def _cause(sentence: str, near: str) -> Prose:
    hint = (" (nearest: ", code(near), ")") if near else ()
    return prose(*names_as_code(sentence), *hint)


_HARMLESS: Final[frozenset[State]] = frozenset({"clear", "refused"})
Sides = list[tuple[Run, FunctionResult]]


def _programs(runs: Sequence[Run]) -> Mapping[str, tuple[Sides, State]]:
    """Give every program by its key (the name; with its section where names repeat)."""
    found: dict[tuple[str, str], Sides] = {}
    for run in runs:
        for function in run.result.functions if run.result else ():
            found.setdefault((function.section, function.name), []).append((run, function))
    names = [name for _, name in found]
    programs = {}
    for (section, name), sides in found.items():
        key = name if names.count(name) == 1 else f"{section}:{name}"
        programs[key] = (sides, worst(function_state(f, run) for run, f in sides))
    return programs


def _chosen(programs: Mapping[str, tuple[Sides, State]], wish: str) -> str:
    """Choose the program: the one asked for, else the first among those with the worst outcome."""
    if wish in programs or not programs:
        return wish if wish in programs else ""

    def interest(key: str) -> tuple[int, bool]:
        sides, state = programs[key]
        return SEVERITY.index(state), bool(sides[0][1].relocations)

    return max(programs, key=interest)


def _program(
    runs: Sequence[Run], key: str, main: str, analysis: Analysis, at: int, closeup: Closeup
) -> Program:
    lines = SourceLines(main)
    sides = []
    for run in runs:
        function = _find(run, key)
        jumps = tuple(run.jumps.get(function.name, ())) if function else ()
        near = closeup.side(run.loader)
        sides.append(Side(run.loader, function, jumps, _note(run, function), near))
    known = next(side.function for side in sides if side.function is not None)
    tallies = {tally(side.function.relocations) for side in sides if side.function is not None}
    found = records(sides, lines)
    table = bytecode(sides, lines, analysis.byte_order, at=at)
    return Program(
        name=known.name,
        section=known.section,
        slots=len(known.before),
        tally=tallies.pop() if len(tallies) == 1 else count(len(known.relocations), "relocation"),
        bytecode=table,
        records=tuple(r for r in found if table.first <= r.slot <= table.last),
        all_records=len(found),
        graphs=graph_views(closeup),
    )


def _find(run: Run, key: str) -> FunctionResult | None:
    for function in run.result.functions if run.result else ():
        if key in (function.name, f"{function.section}:{function.name}"):
            return function
    return None


def _note(run: Run, function: FunctionResult | None) -> str:
    """Say over a column why it is empty; the loader's own words stand in the headline."""
    if function is not None and function.after is not None:
        return ""
    return "could not be run" if run.result is None else "refused"


def _facts(analysis: Analysis) -> Facts:
    compiled = analysis.compile
    took = analysis.milliseconds
    parts = [
        f"{name} {took[name]:.0f} ms" for name in ("compile", "parse", "relocate") if name in took
    ]
    return Facts(
        object=f"{size(analysis.object_bytes)}, {count(len(analysis.functions), 'program')}",
        sha256=analysis.object_sha256,
        byte_order=analysis.byte_order,
        command=compiled.command if compiled else "",
        clang=compiled.clang_version if compiled else "",
        header=compiled.header if compiled else "",
        timing=", ".join(parts),
    )
