"""A check as text for a terminal, at most 100 columns wide where names allow it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from textwrap import wrap
from typing import Final

from app.services.gate import Check, Merged
from app.views.check_words import BAD, GOOD, place, summary, where
from engine.lint.examine import Report

COLUMNS: Final = 100
_COLOURS: Final = {"error": "31", "warning": "33", "note": "36", "good": "32", "dim": "2"}
_INDENT: Final = "    "
_NOT_GIVEN: Final = "not given, see --kconfig"


class Paint:
    """Colours text with ANSI codes, or leaves it."""

    def __init__(self, *, on: bool) -> None:
        self.on = on

    def __call__(self, text: str, colour: str) -> str:
        return f"\x1b[{_COLOURS[colour]}m{text}\x1b[0m" if self.on and text.strip() else text

    def verdict(self, text: str) -> str:
        """Colour a verdict by what it means; spaces around it stay."""
        word = text.strip()
        return self(text, "error" if word in BAD else "good" if word in GOOD else "warning")


def check_text(check: Check, *, colour: bool = False) -> str:
    """Give the whole answer: verdicts by program, then findings, then a summary."""
    paint = Paint(on=colour)
    lines: list[str] = []
    programs: dict[tuple[str, str], list[Report]] = {}
    for report in check.reports:
        programs.setdefault((report.program, report.section), []).append(report)
    for (name, section), reports in programs.items():
        lines += _program(name, section, reports, check, paint)
    for merged in check.merged():
        lines += ["", *_finding(merged, check, paint)]
    if check.kconfig:
        lines.append("")
        lines += [f"kconfig {name}: {given or _NOT_GIVEN}" for name, given in check.kconfig]
    if check.skipped:
        lines.append("")
        lines += [f"skipped {skip.kernel}: {skip.reason}" for skip in check.skipped]
    lines += ["", summary(check)]
    return "\n".join(lines) + "\n"


def _program(
    name: str, section: str, reports: Sequence[Report], check: Check, paint: Paint
) -> Iterator[str]:
    kinds = {report.verdict.kind for report in reports}
    title = f"{name} ({section})"
    if len(kinds) == 1:
        runs = "" if len(reports) == 1 else f" in all {len(reports)} runs"
        yield f"{title}: {paint.verdict(kinds.pop())}{runs}"
    else:
        yield title
        yield from _table(reports, check, paint)
    for headline in dict.fromkeys(
        report.verdict.headline for report in reports if report.verdict.kind != "clear"
    ):
        yield from _wrapped(headline, "  ")


def _table(reports: Sequence[Report], check: Check, paint: Paint) -> Iterator[str]:
    """Kernels down, loaders across; as many loaders side by side as fit."""
    verdicts = {(report.kernel, report.loader): report.verdict.kind for report in reports}
    first = max(len(kernel) for kernel in check.kernels) + 4
    width = max(len(word) for word in (*check.loaders, *verdicts.values())) + 2
    fitting = max(1, (COLUMNS - first) // width)
    for start in range(0, len(check.loaders), fitting):
        loaders = check.loaders[start : start + fitting]
        yield (" " * first + "".join(f"{loader:<{width}}" for loader in loaders)).rstrip()
        for kernel in check.kernels:
            words = [verdicts.get((kernel, loader), "") for loader in loaders]
            cells = [paint.verdict(f"{word:<{width}}") for word in words]
            yield f"  {kernel:<{first - 2}}{''.join(cells)}".rstrip()


def _finding(merged: Merged, check: Check, paint: Paint) -> Iterator[str]:
    finding = merged.finding
    head = f"{paint(finding.severity, finding.severity)}[{finding.rule}] {finding.program}"
    at = place(finding, check.name)
    yield f"{head}: {at}" if at else head
    yield from _wrapped(finding.message, _INDENT)
    for line in _wrapped(where(merged, check), _INDENT):
        yield paint(line, "dim")
    if finding.hint:
        yield from _wrapped(f"hint: {finding.hint}", _INDENT)


def _wrapped(text: str, indent: str) -> list[str]:
    return wrap(
        text,
        COLUMNS,
        initial_indent=indent,
        subsequent_indent=indent,
        break_long_words=False,
        break_on_hyphens=False,
    )
