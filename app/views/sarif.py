"""A check as SARIF 2.1.0, which code hosts turn into alerts.

Follows: OASIS, Static Analysis Results Interchange Format (SARIF) Version 2.1.0.
"""

from __future__ import annotations

import hashlib
import json
import os
from typing import Any, Final

from app.services.gate import Check, Merged
from app.version import version
from app.views.check_words import file_of, where
from engine.lint.rule import Finding, Rule
from engine.lint.rules import RULES

Json = dict[str, Any]
SCHEMA: Final = "https://json.schemastore.org/sarif-2.1.0.json"
_POSITIONS: Final = {rule.id: number for number, rule in enumerate(RULES)}


def sarif(check: Check) -> Json:
    """Give the log: one run with all rules, and one result for each different finding."""
    return {
        "$schema": SCHEMA,
        "version": "2.1.0",
        "runs": [
            {
                "tool": {
                    "driver": {
                        "name": "coreplay",
                        "version": version(),
                        "rules": [_rule(rule) for rule in RULES],
                    }
                },
                "columnKind": "utf16CodeUnits",
                "invocations": [
                    {
                        "executionSuccessful": True,
                        "toolExecutionNotifications": [
                            {
                                "level": "note",
                                "message": {"text": f"skipped {skip.kernel}: {skip.reason}"},
                            }
                            for skip in check.skipped
                        ],
                    }
                ],
                "results": [_result(merged, check) for merged in check.merged()],
            }
        ],
    }


def sarif_text(check: Check) -> str:
    """Give the same as text."""
    return json.dumps(sarif(check), indent=1, ensure_ascii=False) + "\n"


def _rule(rule: Rule) -> Json:
    return {
        "id": rule.id,
        "shortDescription": {"text": rule.sentence},
        "help": {
            "text": f"{rule.sentence}\n\nFound in:\n\n{rule.example}\nNot in:\n\n"
            f"{rule.counter_example}"
        },
        "defaultConfiguration": {"level": rule.severity},
    }


def _result(merged: Merged, check: Check) -> Json:
    finding = merged.finding
    text = f"{finding.message} ({where(merged, check)})"
    if finding.hint:
        text += f"\n{finding.hint}"
    return {
        "ruleId": finding.rule,
        **({"ruleIndex": _POSITIONS[finding.rule]} if finding.rule in _POSITIONS else {}),
        "level": finding.severity,
        "message": {"text": text},
        "locations": [_location(finding, check)],
        "partialFingerprints": {"coreplay/v1": _fingerprint(finding)},
        "properties": {
            "program": finding.program,
            "relocation": finding.relocation,
            "slot": finding.slot,
            "runs": [{"kernel": kernel, "loader": loader} for kernel, loader in merged.runs],
        },
    }


def _location(finding: Finding, check: Check) -> Json:
    uri = file_of(finding) or check.name
    physical: Json = {
        "artifactLocation": {"uri": _uri(uri)},
        "region": {"startLine": finding.line or 1},  # code hosts drop results without one
    }
    return {
        "physicalLocation": physical,
        "logicalLocations": [
            {"name": finding.function or finding.program, "kind": "function"},
        ],
    }


def _uri(path: str) -> str:
    """A path below the working directory is told from there, as code hosts need it."""
    from urllib.parse import quote  # late: only this form needs it

    folder = os.getcwd().rstrip("/") + "/"
    path = path.removeprefix(folder)
    return f"file://{quote(path)}" if path.startswith("/") else quote(path)


def _fingerprint(finding: Finding) -> str:
    """What stays when lines move: rule, function, what is asked for, and the slot."""
    place = "" if finding.slot is None else str(finding.slot)
    names = (finding.rule, finding.program, finding.function, finding.relocation)
    known = "\0".join((*names, place, "" if place else finding.message))
    return hashlib.sha256(known.encode()).hexdigest()[:32]
