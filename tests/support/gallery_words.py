"""What the engine says about one run of a gallery program, as plain data for a golden."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from engine.explain.fixes import fixes
from engine.explain.narrate import why
from engine.explain.story import tell
from engine.lint.examine import examine
from engine.lint.scene import Kernel
from engine.loaders import policy_of

if TYPE_CHECKING:
    from tests.support.gallery import Case


def words_of(case: Case, side: str, kernel: str, loader: str) -> dict[str, Any]:
    """Verdict, and for each relocation its outcome, its story and the fixes that are offered."""
    prepared, target, policy = case.prepared(side), case.target(kernel), policy_of(loader)
    result = case.result(side, kernel, loader)
    rows = {}
    for function in result.functions:
        for relocation in function.relocations:
            story = tell(relocation, prepared, target, policy, function)
            offered = fixes(relocation, prepared, target, policy, function)
            rows[f"{function.name} #{relocation.number} {relocation.kind_word}"] = {
                "outcome": relocation.outcome,
                "why": why(relocation),
                "story": [f"{step.kind}: {step.plain}" for step in story.steps],
                "fixes": [f"{fix.kind}: {fix.title}" for fix in offered],
            }
    judged = case.judged(side, kernel, loader)
    return {
        "verdict": judged.kind,
        "findings": findings_of(case, side, kernel, loader),
        "error": None if result.error is None else result.error.text,
        "relocations": rows,
    }


def findings_of(case: Case, side: str, kernel: str, loader: str) -> list[dict[str, Any]]:
    """What lint has to say about `prog`, the worst first."""
    where = Kernel(kernel, case.release(kernel), case.target(kernel))
    reports = examine(case.prepared(side), [where], [policy_of(loader)])
    return [
        {"rule": finding.rule, "severity": finding.severity, "line": finding.line}
        for report in reports
        if report.program == "prog"
        for finding in report.findings
    ]
