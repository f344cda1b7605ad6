"""Verification results as text for a terminal: verdict, the verifier's last words, and where."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from app.services.verification import SlotSource, Subject, VerifyResult
from app.services.verify_answer import errno_name
from app.views.check_text import Paint
from engine.explain.logs import read_log

_LAST: Final = 6
"""Lines of a log that are shown where nobody asked for all of it."""
STATISTICS: Final = ("processed ", "verification time", "stack depth", "subprog ", "insns_")
"""How lines begin that follow what the verifier had to say."""
_REPORT: Final = "Verification failed:"
_AGREES: Final = {
    "clear": True,
    "poison-unreachable": True,
    "silently-different": True,
    "poison-reachable": False,
    "jump-broken": False,
    "refused": False,
}
"""Whether a verdict of the engine says that the kernel loads the program."""


def agrees(result: VerifyResult) -> bool | None:
    """Whether engine and kernel say the same; None where one of them does not know."""
    expected = _AGREES.get(result.subject.verdict)
    if expected is None or result.loaded is None or result.code:
        return None
    return expected is result.loaded


def verify_text(
    results: Sequence[VerifyResult], *, whole_logs: bool = False, colour: bool = False
) -> str:
    """Give all results, program by program, and a line that counts them."""
    paint = Paint(on=colour)
    lines: list[str] = []
    notes = dict.fromkeys(r.subject.judge.note for r in results if r.subject.judge.note)
    lines += [f"note: {note}" for note in notes]
    programs: dict[tuple[str, str], list[VerifyResult]] = {}
    for result in results:
        key = result.subject.program, result.subject.section
        programs.setdefault(key, []).append(result)
    for (name, section), rows in programs.items():
        lines += ["", f"{name} ({section})"] if lines else [f"{name} ({section})"]
        width = max(len(_whom(row.subject)) for row in rows)
        for row in rows:
            lines += _result(row, width, paint, whole_logs=whole_logs)
        lines += _different(rows)
    lines += ["", _summary(results)]
    return "\n".join(lines) + "\n"


def _whom(subject: Subject) -> str:
    real = " (the loader itself)" if subject.by == "real" else ""
    return f"{subject.judge.guest.id}  {subject.loader}{real}"


def _result(result: VerifyResult, width: int, paint: Paint, *, whole_logs: bool) -> Iterator[str]:
    subject = result.subject
    yield f"  {_whom(subject).ljust(width)}  {_verdict(result, paint)}"
    if agrees(result) is False:
        yield f"      the engine said {subject.verdict}: {subject.headline}"
    if result.same_bytes is False:
        yield "      its instructions differ from those that the engine makes"
    if result.run_error:
        yield f"      {result.run_error}"
    for remark in subject.remarks:
        yield f"      {remark}"
    log = result.log.splitlines()
    if whole_logs and log:
        yield from (f"      | {line}" for line in log)
    elif not result.loaded:
        yield from (f"      | {line}" for line in _last(log))
    if not result.loaded and not result.code:
        yield from _place(result)


def _verdict(result: VerifyResult, paint: Paint) -> str:
    if result.loaded:
        word = paint("loaded", "good")
    elif result.loaded is None:
        word = paint("not asked", "warning")
    elif result.code == "loader-refused":
        word = paint("refused by the loader", "error")
    else:
        word = paint(f"refused, {errno_name(result.errno or 0)}", "error")
    parts = [word]
    if result.retval is not None:
        parts.append(f"returned {result.retval}")
    if result.verified_instructions is not None:
        parts.append(f"{result.verified_instructions} instructions verified")
    if result.same_bytes:
        parts.append("the engine's bytes")
    if result.ms is not None:
        parts.append(f"{result.ms:.1f} ms")
    if result.log_truncated:
        parts.append("log truncated")
    return ", ".join(parts)


def _last(log: Sequence[str]) -> Sequence[str]:
    """The verifier's last words, without the statistics behind them."""
    said = [line for line in log if line.strip() and not line.startswith(STATISTICS)]
    for number, line in enumerate(said):
        if line.startswith(_REPORT):  # since 7.3, and nothing behind it is new
            return said[max(number + 1 - _LAST, 0) : number + 1]
    return said[-_LAST:]


def _place(result: VerifyResult) -> Iterator[str]:
    """Instruction -> source line -> relocation of the first error that names an instruction."""
    report = read_log(result.log.encode())
    fact = next((fact for fact in report.errors if fact.insn is not None), None)
    if fact is None or fact.insn is None:
        return
    place = f"insn {fact.insn}"
    line = source_at(result.subject.sources, fact.insn)
    if line is not None:
        place += f" -> {line.function}, {line.file.rpartition('/')[2]}:{line.line}: {line.text}"
    row = relocation_at(result.subject.sources, fact.insn)
    if row is not None:
        place += f" -> relocation #{row.relocation} {row.asked} ({row.outcome})"
    yield f"      at {place}"


def source_at(sources: Sequence[SlotSource], slot: int) -> SlotSource | None:
    """The source line in force at a slot of the linked program."""
    at = bisect_right(sources, slot, key=lambda source: source.slot) - 1
    while at >= 0 and not sources[at].line:
        at -= 1
    return sources[at] if at >= 0 else None


def relocation_at(sources: Sequence[SlotSource], slot: int) -> SlotSource | None:
    """The relocation whose instruction stands in a slot, or whose second slot it is."""
    rows = [source for source in sources if source.relocation is not None]
    return next((row for row in rows if row.slot in (slot, slot - 1)), None)


def _different(rows: Sequence[VerifyResult]) -> Iterator[str]:
    """Tell of the same input that gave different values on one kernel: a silent miscompile."""
    kernels: dict[str, dict[int, list[str]]] = {}
    for row in rows:
        if row.retval is not None:
            values = kernels.setdefault(row.subject.judge.guest.id, {})
            values.setdefault(row.retval, []).append(row.subject.loader)
    for kernel, values in kernels.items():
        if len(values) > 1:
            said = "; ".join(f"{', '.join(who)}: {value}" for value, who in values.items())
            yield f"  DIFFERENT ANSWERS to the same input on {kernel}: {said}"


def _summary(results: Iterable[VerifyResult]) -> str:
    rows = list(results)
    loaded = sum(row.loaded is True for row in rows)
    refused = sum(row.loaded is False for row in rows)
    rest = len(rows) - loaded - refused
    text = f"{loaded} loaded, {refused} refused"
    return text + (f", {rest} not asked" if rest else "")
