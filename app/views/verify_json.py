"""Verification results as JSON: nine keys for `coreplay verify --json`, more for the API."""

from __future__ import annotations

import json
from collections.abc import Iterable

from app.services.verification import VerifyResult

Row = dict[str, object]


def verify_json_text(results: Iterable[VerifyResult]) -> str:
    """Give `{"results": [...]}`, indented, with a newline at the end."""
    return json.dumps({"results": [result_row(result) for result in results]}, indent=2) + "\n"


def result_row(result: VerifyResult) -> Row:
    """Give one result; `errno` is the kernel's number, 0 when loaded, null when not asked."""
    subject = result.subject
    return {
        "program": subject.program,
        "kernel": subject.judge.guest.id,
        "loader": subject.loader,
        "by": subject.by,
        "loaded": result.loaded,
        "errno": result.errno,
        "retval": result.retval,
        "log": result.log,
        "ms": result.ms,
    }


def api_row(result: VerifyResult, *, log: bool = True) -> Row:
    """Give one result with all that is known of it; without `log`, only the log's length."""
    subject = result.subject
    row = result_row(result) | {
        "section": subject.section,
        "asked": subject.judge.asked,
        "note": subject.judge.note,
        "code": result.code,
        "verdict": subject.verdict,
        "headline": subject.headline,
        "log_bytes": len(result.log),
        "log_truncated": result.log_truncated,
        "run_error": result.run_error,
        "verified_instructions": result.verified_instructions,
        "peak_states": result.peak_states,
        "total_states": result.total_states,
        "same_bytes": result.same_bytes,
        "remarks": list(subject.remarks),
    }
    if not log:
        del row["log"]
    return row
