"""A check as annotations of GitHub Actions: one workflow command a finding.

Follows: GitHub's "Workflow commands for GitHub Actions", `::error file={name},line={line}::`.
"""

from __future__ import annotations

from typing import Final

from app.services.gate import Check
from app.views.check_words import file_of, place, summary, where

_LEVELS: Final = {"error": "error", "warning": "warning", "note": "notice"}


def check_github(check: Check) -> str:
    """Give one line for each finding, and a summary for the log."""
    lines = []
    for merged in check.merged():
        finding = merged.finding
        fields = {"title": f"{finding.rule} in {finding.program}"}
        if finding.file:
            fields = {"file": file_of(finding), "line": str(finding.line), **fields}
        text = f"{finding.message} ({where(merged, check)})"
        if finding.hint:
            text += f"\n{finding.hint}"
        if not finding.file and finding.slot is not None:
            text = f"{place(finding, check.name)}: {text}"
        words = ",".join(f"{name}={_field(value)}" for name, value in fields.items())
        lines.append(f"::{_LEVELS[finding.severity]} {words}::{_text(text)}")
    lines += [f"skipped {skip.kernel}: {skip.reason}" for skip in check.skipped]
    lines.append(summary(check))
    return "\n".join(lines) + "\n"


def _text(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _field(text: str) -> str:
    return _text(text).replace(":", "%3A").replace(",", "%2C")
