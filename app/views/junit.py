"""A check as JUnit XML: a suite for each kernel and loader, a case for each program."""

from __future__ import annotations

import re
from typing import Final
from xml.sax.saxutils import escape, quoteattr

from app.services.gate import Check, FailOn, is_failing
from app.views.check_words import place
from engine.lint.examine import Report
from engine.lint.rule import Finding

_NOT_XML: Final = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def junit(check: Check, fail_on: FailOn) -> str:
    """Give the document; a case fails by the same findings that decide the exit code."""
    suites: dict[tuple[str, str], list[Report]] = {}
    for report in check.reports:
        suites.setdefault((report.kernel, report.loader), []).append(report)
    failed = sum(_fails(report, fail_on) for report in check.reports)
    lines = [
        '<?xml version="1.0" encoding="UTF-8"?>',
        f'<testsuites name="coreplay check" tests="{len(check.reports)}" failures="{failed}">',
    ]
    for (kernel, loader), reports in suites.items():
        failures = sum(_fails(report, fail_on) for report in reports)
        lines.append(
            f"<testsuite name={_attribute(f'{kernel} {loader}')} "
            f'tests="{len(reports)}" failures="{failures}">'
        )
        for report in reports:
            lines += _case(report, check, fail_on)
        lines.append("</testsuite>")
    for skip in check.skipped:
        lines += [
            f'<testsuite name={_attribute(skip.kernel)} tests="1" skipped="1">',
            f"<testcase name={_attribute(check.name)}><skipped message={_attribute(skip.reason)}/>"
            "</testcase>",
            "</testsuite>",
        ]
    return "\n".join([*lines, "</testsuites>"]) + "\n"


def _fails(report: Report, fail_on: FailOn) -> bool:
    return any(is_failing(finding, fail_on) for finding in report.findings)


def _case(report: Report, check: Check, fail_on: FailOn) -> list[str]:
    head = (
        f"<testcase name={_attribute(report.program)} "
        f"classname={_attribute(f'{report.kernel}.{report.loader}')}"
    )
    if not report.findings:
        return [f"{head}/>"]
    lines = [f"{head}>"]
    bad = [finding for finding in report.findings if is_failing(finding, fail_on)]
    if bad:
        text = "\n".join(_line(finding, check) for finding in bad)
        message = f"{report.verdict.kind}: {report.verdict.headline}"
        lines.append(
            f"<failure type={_attribute(bad[0].rule)} message={_attribute(message)}>"
            f"{escape(_clean(text))}</failure>"
        )
    rest = [finding for finding in report.findings if finding not in bad]
    if rest:
        text = "\n".join(_line(finding, check) for finding in rest)
        lines.append(f"<system-out>{escape(_clean(text))}</system-out>")
    return [*lines, "</testcase>"]


def _line(finding: Finding, check: Check) -> str:
    at = place(finding, check.name)
    hint = f" ({finding.hint})" if finding.hint else ""
    return f"{finding.severity}[{finding.rule}] {at}: {finding.message}{hint}"


def _attribute(text: str) -> str:
    return quoteattr(_clean(text).replace("\n", " "))


def _clean(text: str) -> str:
    return _NOT_XML.sub("?", text)
