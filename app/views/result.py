"""The whole result: the answer first, then its cause, then the evidence."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final, NamedTuple

from app.services.analysis import Analysis, Run
from app.services.closeup import Closeup
from app.services.verdicts import lack
from app.views.aligned import Aligned, Text, aligned
from app.views.bytecode import Bytecode, Side, bytecode, page_of
from app.views.choices import Choices
from app.views.failure import Remark, remarks_of
from app.views.graph import GraphView, graph_views
from app.views.headline import Headline, headline
from app.views.lines import SourceLines
from app.views.parting import Parting, itself, parting
from app.views.prose import Prose, code, count, loader_name, names_as_code, prose, size
from app.views.relocations import Record, count_records, records, tally
from app.views.states import SEVERITY, State, function_state, worst
from app.views.strip import Pick, Strip, halves, picks, strip
from engine.btf.kinds import ByteOrder
from engine.core.result import FunctionResult
from engine.explain.narrate import why

CAUSES: Final = 3
"""Causes named above the tables; the relocation table has them all."""


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
    parting: Parting | None
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
    """The kernel that is shown; the left one of a comparison."""
    kernels: tuple[str, ...]
    """All kernels among the columns."""
    headlines: tuple[Headline, ...]
    strip: Strip | None
    cause_title: str
    causes: tuple[Prose, ...]
    more_causes: int
    programs: tuple[ProgramTab, ...]
    program: Program | None
    aligned: Aligned | None
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
    programs = _programs([pick.run for pick in picks(analysis, choices)])
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
    files: Mapping[str, str],
    closeup: Closeup | None = None,
    other: Analysis | None = None,
) -> Result:
    """Build the view model; `main` is the file in the editor, empty for an object.

    `other` is the right side of a comparison that another compiler made.
    """
    order = analysis.byte_order
    shown = picks(analysis, choices) if other is None else halves(analysis, other, choices)
    runs = [pick.run for pick in shown]
    heads = {id(run): headline(run, order) for run in (*analysis.runs, *runs)}
    columns = tuple(replace(heads[id(pick.run)], name=loader_name(pick.name)) for pick in shown)
    causes = _causes(runs)
    sections = _programs(runs)
    chosen = _chosen(sections, choices.prog)
    compiled = analysis.compile
    return Result(
        kernel=runs[0].kernel if runs else choices.shown_kernel,
        kernels=tuple(dict.fromkeys(run.kernel for run in runs)),
        headlines=columns,
        strip=strip([heads[id(run)] for run in analysis.runs], choices),
        cause_title="Note" if worst(h.state for h in columns) in _HARMLESS else "Cause",
        causes=tuple(causes[:CAUSES]),
        more_causes=max(len(causes) - CAUSES, 0),
        programs=tuple(
            ProgramTab(key, sides[0][1].section, len(sides[0][1].before), state, key == chosen)
            for key, (sides, state) in sections.items()
        ),
        program=_program(
            shown,
            chosen,
            main,
            analysis,
            choices.at,
            closeup or Closeup(),
            compared=choices.compared is not None,
        )
        if chosen and other is None
        else None,
        aligned=_aligned(shown, chosen, main, order, choices.at) if other is not None else None,
        remarks=remarks_of(compiled.diagnostics, files) if compiled else (),
        facts=_facts(analysis),
        object_name="" if compiled else (analysis.request.object_name or "object"),
    )


def _aligned(
    shown: Sequence[Pick], chosen: str, main: str, order: ByteOrder, at: int
) -> Aligned | None:
    """Lay both sides beside each other; None where one of them has no such program."""
    texts = []
    for pick in shown:
        function = _find(pick.run, chosen)
        if function is not None and function.after is not None:
            texts.append(Text(loader_name(pick.name), function, SourceLines(main), order))
    return aligned(texts[0], texts[1], at=at) if len(texts) == 2 else None


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
    shown: Sequence[Pick],
    key: str,
    main: str,
    analysis: Analysis,
    at: int,
    closeup: Closeup,
    *,
    compared: bool,
) -> Program:
    lines = SourceLines(main)
    sides = []
    for name, run in shown:
        function = _find(run, key)
        jumps = tuple(run.jumps.get(function.name, ())) if function else ()
        near = closeup.side(name)
        sides.append(Side(name, function, jumps, _note(run, function), near))
    known = next(side.function for side in sides if side.function is not None)
    tallies = {tally(side.function.relocations) for side in sides if side.function is not None}
    parted = parting([(side.loader, side.function) for side in sides])
    if parted is None and compared:
        parted = itself(sides[0].loader)
    differ = parted.rows if parted else frozenset()
    table = bytecode(sides, lines, analysis.byte_order, at=at, differ=differ)
    here = range(table.first, table.last + 1)
    return Program(
        name=known.name,
        section=known.section,
        slots=len(known.before),
        tally=tallies.pop() if len(tallies) == 1 else count(len(known.relocations), "relocation"),
        bytecode=table,
        parting=parted,
        records=records(sides, lines, shown=here),
        all_records=count_records(sides),
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
