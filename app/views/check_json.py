"""A check as JSON: what `coreplay check --format json` and the API give. See docs/check.md."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any

from app.services.gate import Check

Json = dict[str, Any]


def check_json(check: Check) -> Json:
    """Give one result for each program, kernel and loader."""
    return {
        "results": [
            {
                "program": report.program,
                "kernel": report.kernel,
                "loader": report.loader,
                "verdict": report.verdict.kind,
                "headline": report.verdict.headline,
                "findings": [asdict(finding) for finding in report.findings],
            }
            for report in check.reports
        ],
        "skipped": [asdict(skip) for skip in check.skipped],
        "kconfig": [{"name": name, "given": given or None} for name, given in check.kconfig],
    }


def check_json_text(check: Check) -> str:
    """Give the same as text."""
    return json.dumps(check_json(check), indent=1, ensure_ascii=False) + "\n"
