"""A check as Markdown, for a comment or an issue."""

from __future__ import annotations

from collections.abc import Iterator

from app.services.gate import Check, Merged
from app.views.check_words import place, summary, where


def check_markdown(check: Check) -> str:
    """Give a table of verdicts and a list of findings."""
    lines = [f"### coreplay check: {_plain(check.name)}", "", f"{summary(check)}.", ""]
    lines += _table(check)
    merged = check.merged()
    if merged:
        lines += ["", "| | where | what |", "|---|---|---|"]
        lines += [_row(row, check) for row in merged]
    if check.skipped:
        lines.append("")
        lines += [f"Skipped {_plain(s.kernel)}: {s.reason}." for s in check.skipped]
    return "\n".join(lines) + "\n"


def _table(check: Check) -> Iterator[str]:
    verdicts = {
        (report.program, report.kernel, report.loader): report.verdict.kind
        for report in check.reports
    }
    yield f"| program | kernel | {' | '.join(check.loaders)} |"
    yield "|---" * (2 + len(check.loaders)) + "|"
    for program in dict.fromkeys(report.program for report in check.reports):
        for kernel in check.kernels:
            cells = [verdicts.get((program, kernel, loader), "") for loader in check.loaders]
            yield f"| {_code(program)} | {_code(kernel)} | {' | '.join(cells)} |"


def _row(merged: Merged, check: Check) -> str:
    finding = merged.finding
    hint = f"<br>{_plain(finding.hint)}" if finding.hint else ""
    return (
        f"| {finding.severity} {_code(finding.rule)} "
        f"| {_code(place(finding, check.name) or finding.program)} "
        f"| {_plain(finding.message)}<br>{_plain(where(merged, check))}{hint} |"
    )


def _plain(text: str) -> str:
    for character in "\\`*_[]<>|":
        text = text.replace(character, f"\\{character}")
    return text.replace("\n", " ")


def _code(text: str) -> str:
    return f"`{text.replace('`', chr(39)).replace('|', '/')}`"
