"""What the forms of a check share: places, where a finding holds, counts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from app.services.gate import Check, Merged
from app.views.prose import count
from engine.flow.verdict import VerdictKind
from engine.lint.rule import SEVERITIES, Finding

BAD: Final = frozenset({"poison-reachable", "refused", "jump-broken", "silently-different"})
"""Verdicts of programs that do not do on this kernel what they were written for."""
GOOD: Final[frozenset[VerdictKind]] = frozenset({"clear", "poison-unreachable"})


def file_of(finding: Finding) -> str:
    """The file as the compiler was given it, without `./`."""
    return finding.file.removeprefix("./")


def place(finding: Finding, name: str = "") -> str:
    """`prog.bpf.c:12, slot 3 of do_it`; `name` stands for a file that is not known."""
    parts = []
    if finding.file:
        parts.append(f"{file_of(finding)}:{finding.line}")
    elif name:
        parts.append(name)
    if finding.slot is not None:
        parts.append(f"slot {finding.slot} of {finding.function}")
    return ", ".join(parts)


def where(merged: Merged, check: Check) -> str:
    """On which kernels under which loaders a finding holds, as short as can be."""
    runs: dict[str, list[str]] = {}
    for kernel, loader in merged.runs:
        runs.setdefault(kernel, []).append(loader)
    groups: dict[tuple[str, ...], list[str]] = {}
    for kernel, loaders in runs.items():
        groups.setdefault(tuple(loaders), []).append(kernel)
    return "; ".join(
        f"on {_kernels(kernels, check)} with {_loaders(loaders, check)}"
        for loaders, kernels in groups.items()
    )


def _kernels(kernels: Sequence[str], check: Check) -> str:
    total = len(check.kernels)
    if len(kernels) == total and total > 1:
        return f"all {total} kernels"
    return ", ".join(kernels)


def _loaders(loaders: Sequence[str], check: Check) -> str:
    total = len(check.loaders)
    if len(loaders) == total and total > 1:
        return f"all {total} loaders"
    return ", ".join(loaders)


def summary(check: Check) -> str:
    """`1 error, 2 warnings, no notes`, and how many runs that took."""
    words = ", ".join(count(check.count(severity), severity) for severity in SEVERITIES)
    allowed = sum(report.allowed for report in check.reports)
    more = f"; {allowed} allowed by comments" if allowed else ""
    return f"{words} in {count(len(check.reports), 'run')}{more}"
