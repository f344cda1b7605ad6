"""An analysis as text for a terminal: `coreplay relocate`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from app.services.analysis import Analysis, Run
from app.views.analysis_json import changed_slots
from app.views.headline import headline
from app.views.prose import count, plain
from app.views.values import value
from engine.btf.kinds import ByteOrder
from engine.core.result import FunctionResult, Relocation
from engine.explain.narrate import why
from engine.flow.jumps import JumpCheck
from engine.insn.codec import Insn, encode_insn
from engine.insn.disasm import disassemble

_TABLE_HEAD = ("#", "line", "slot", "kind", "asked for", "orig", "new", "outcome", "why")


def analysis_text(analysis: Analysis) -> str:
    """Give the whole answer: per kernel and loader a headline, then every function."""
    lines: list[str] = []
    for run in analysis.runs:
        summary = headline(run, analysis.byte_order)
        lines += [
            f"{run.loader} on {run.kernel}: {summary.word.upper()}",
            f"  {plain(summary.sentence)}",
        ]
        lines += _run(run, analysis.byte_order)
        lines.append("")
    return "\n".join(lines).rstrip("\n") + "\n"


def _run(run: Run, byte_order: ByteOrder) -> Iterator[str]:
    if run.result is None:
        if run.error is not None and run.error.hint:
            yield f"  {run.error.hint}"
        return
    for function in run.result.functions:
        yield ""
        many = count(len(function.relocations), "relocation")
        yield f"  {function.name} ({function.section}), {many}"
        if function.error is not None:
            yield f"    error {function.error.code}: {function.error.text}"
        if function.relocations:
            yield from _relocations(function.relocations)
        yield from _listing(function, run.jumps.get(function.name, ()), byte_order)


def _relocations(relocations: Sequence[Relocation]) -> Iterator[str]:
    rows = [_TABLE_HEAD] + [
        (
            f"#{r.number}",
            "" if r.line is None else str(r.line.line_number),
            str(r.slot),
            r.kind_word,
            r.local,
            value(r.orig),
            value(r.new),
            r.outcome,
            why(r),
        )
        for r in relocations
    ]
    widths = [max(len(row[column]) for row in rows) for column in range(len(_TABLE_HEAD))]
    for row in rows:
        cells = (f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True))
        yield "    " + "  ".join(cells).rstrip()
    yield ""


def _listing(
    function: FunctionResult, jumps: Sequence[JumpCheck], byte_order: ByteOrder
) -> Iterator[str]:
    """Show before and after side by side; `*` marks what changed, `!` a jump that went astray."""
    known: dict[tuple[Insn, ...], str] = {}
    before = _texts(function.before, byte_order, known)
    after = {} if function.after is None else _texts(function.after, byte_order, known)
    width = max([len(text) for text in before.values()], default=0)
    changed = set(changed_slots(function))
    astray = {jump.slot_before: jump for jump in jumps if jump.landing != "fine"}
    for slot in range(len(function.before)):
        new = function.slot_map[slot]
        right = "(slot lost)" if new is None else after.get(new, "")
        if slot not in before and not right:
            continue  # the second slot of a load on both sides
        if function.after is None:
            right = ""
        mark = "!" if slot in astray else "*" if slot in changed else " "
        yield f"  {mark} {before.get(slot, ''):<{width}}   {right}".rstrip()
        if slot in astray:
            jump = astray[slot]
            yield (
                f"  {'':{width + 5}}meant for slot {jump.intended}, "
                f"lands on {jump.actual} ({jump.landing})"
            )


def _texts(
    insns: tuple[Insn, ...], byte_order: ByteOrder, known: dict[tuple[Insn, ...], str]
) -> dict[int, str]:
    """Give `slot  bytes  text` by slot; `known` keeps the latter two by instruction."""
    found: dict[int, str] = {}
    slot = 0
    while slot < len(insns):
        piece = insns[slot : slot + (2 if insns[slot].is_ld_imm64 else 1)]
        text = known.get(piece)
        if text is None:
            line = disassemble(piece, byte_order=byte_order)[0]
            text = known[piece] = f"{encode_insn(piece[0], byte_order).hex()}  {line.text}"
        found[slot] = f"{slot:4}  {text}"
        slot += len(piece)
    return found
