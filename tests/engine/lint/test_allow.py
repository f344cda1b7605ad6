"""Comments that allow findings: on the line, on the line before, from the object alone."""

from __future__ import annotations

import pytest

from engine.lint.allow import allowed_in
from engine.lint.examine import examine
from engine.lint.rules import RULES
from engine.loaders import policy_of
from tests.support.lint import kernels, prepared, source

RULE = next(rule for rule in RULES if rule.id == "reachable-poison")
READ = "\tout = BPF_CORE_READ(task, state);\n"


@pytest.mark.parametrize(
    ("line", "rules"),
    [
        ("x = y; // coreplay: allow guard-lost", {"guard-lost"}),
        ("x = y; /* coreplay:allow guard-lost, silent-zero */", {"guard-lost", "silent-zero"}),
        ("// coreplay: allow guard_lost", {"guard-lost"}),
        ("// because of old kernels; coreplay: allow all", {"all"}),
        ("coreplay: allow guard-lost", set()),
        ("// coreplay: allow", set()),
        ("// coreplay: allowed guard-lost", set()),
        ("x = y;", set()),
    ],
)
def test_comments(line, rules):
    assert allowed_in(line) == rules


def findings(text: str) -> list[str]:
    found = examine(
        prepared(RULE.id, "example"),
        kernels(),
        [policy_of("libbpf@1.7.0")],
        sources={"prog.bpf.c": text},
    )
    return [finding.rule for report in found for finding in report.findings]


def with_line(line: str) -> str:
    """The example with a comment in the line before the read; lines stay where they were."""
    text = source(RULE, "example")
    assert f"\n\n{READ}" in text
    return text.replace(f"\n\n{READ}", f"\n{line}\n{READ}")


def test_without_a_comment_it_is_found():
    assert RULE.id in findings(source(RULE, "example"))


@pytest.mark.parametrize("rule", [RULE.id, "all", f"guard-lost, {RULE.id}"])
def test_the_line_before(rule):
    assert findings(with_line(f"\t// coreplay: allow {rule}")) == []


def test_the_line_itself():
    text = source(RULE, "example")
    assert (
        findings(text.replace(READ, READ.rstrip() + " // coreplay: allow reachable-poison\n")) == []
    )


@pytest.mark.parametrize(
    "line", ["\t// coreplay: allow guard-lost", "\tint x; // coreplay: allow reachable-poison"]
)
def test_what_does_not_allow_it(line):
    assert RULE.id in findings(with_line(line))


def test_a_file_of_another_name_says_nothing():
    text = with_line("\t// coreplay: allow all")
    found = examine(
        prepared(RULE.id, "example"),
        kernels(),
        [policy_of("libbpf@1.7.0")],
        sources={"other.c": text},
    )
    assert any(report.findings for report in found)
    assert all(report.allowed == 0 for report in found)


def test_allowed_findings_are_counted():
    (old, *new) = examine(
        prepared(RULE.id, "example"),
        kernels(),
        [policy_of("libbpf@1.7.0")],
        sources={"a/prog.bpf.c": with_line("\t// coreplay: allow all")},
    )
    assert old.allowed == 0
    assert [report.allowed for report in new] == [1, 1]
    assert {report.verdict.kind for report in new} == {"poison-reachable"}


def test_a_name_that_is_no_rule_is_a_note_of_its_own():
    text = with_line("\t// coreplay: allow reachable-poisson, all")
    found = examine(
        prepared(RULE.id, "example"),
        kernels(),
        [policy_of("libbpf@1.7.0")],
        sources={"prog.bpf.c": text},
    )
    (note,) = {finding for report in found for finding in report.findings}
    assert (note.rule, note.severity, note.file) == ("unknown-rule", "note", "prog.bpf.c")
    assert text.split("\n")[note.line - 1] == "\t// coreplay: allow reachable-poisson, all"
    assert note.hint == "Perhaps reachable-poison was meant."


def test_a_name_that_is_like_no_rule():
    assert findings(with_line("\t// coreplay: allow x, all")) == ["unknown-rule"] * len(kernels())
