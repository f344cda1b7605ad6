"""Every rule speaks in its example and is silent in its counter-example, on whatever kernel."""

from __future__ import annotations

import importlib
import re

import pytest

from engine.lint.rule import PREAMBLE
from engine.lint.rules import RULES
from tests.support.lint import SIDES, compile_example, pairs, prepared, reports, source
from tests.support.tree import ROOT

DOCS = ROOT / "docs"


MORE = [row for row in pairs() if "." in row[1]]


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.id)
def test_the_example_is_found(rule):
    found = [f for r in reports(rule.id, "example") for f in r.findings if f.rule == rule.id]
    assert rule.severity in {finding.severity for finding in found}
    assert all(finding.program == "prog" and finding.message for finding in found)
    assert any(finding.line > PREAMBLE.count("\n") for finding in found)


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.id)
def test_the_counter_example_is_not_found(rule):
    found = [f for r in reports(rule.id, "counter") for f in r.findings if f.rule == rule.id]
    assert found == []


@pytest.mark.parametrize(("rule", "name", "found", "not_found"), MORE, ids=lambda x: str(x)[:40])
def test_further_examples_are_found_and_stand_on_the_page(rule, name, found, not_found):
    words = {"unsigned": "2^31 or more", "levels": "types within types", "flexible": "no length"}
    said = [words[name.partition(".")[2]] in text for text in messages(rule.id, name, "example")]
    assert any(said)
    page = (DOCS / "lint" / f"{rule.id}.md").read_text()
    assert f"```c\n{found}```" in page
    assert f"```c\n{not_found}```" in page
    assert not any(words[name.partition(".")[2]] in m for m in messages(rule.id, name, "counter"))


def messages(rule: str, name: str, side: str) -> list[str]:
    return [f.message for r in reports(name, side) for f in r.findings if f.rule == rule]


def test_there_are_fifteen_rules_with_a_module_each():
    assert len(RULES) == len({rule.id for rule in RULES}) == 15
    for rule in RULES:
        module = importlib.import_module(f"engine.lint.rules.{rule.id.replace('-', '_')}")
        assert module.RULE is rule
        assert re.fullmatch(r"[a-z]+(-[a-z]+)+|ambiguity", rule.id)
        assert rule.sentence.endswith(".")


def test_every_rule_has_a_heading_and_a_page():
    headings = re.findall(r"^## `([^`]+)`$", (DOCS / "lint.md").read_text(), re.MULTILINE)
    assert headings == [rule.id for rule in RULES]
    assert {path.stem for path in (DOCS / "lint").glob("*.md")} == set(headings)
    assert PREAMBLE.strip() in (DOCS / "lint.md").read_text()


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.id)
def test_the_page_shows_what_the_module_holds(rule):
    page = (DOCS / "lint" / f"{rule.id}.md").read_text()
    assert f"Severity: {rule.severity}. {rule.sentence}\n" in page
    assert f"```c\n{rule.example}```" in page
    assert f"```c\n{rule.counter_example}```" in page


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.id)
@pytest.mark.parametrize("side", SIDES)
def test_the_object_was_compiled_from_the_example(rule, side):
    lines = source(rule, side).split("\n")
    infos = [i for infos in prepared(rule.id, side).ext.line_infos.values() for i in infos]
    assert infos
    for info in infos:
        assert info.file_name == "./prog.bpf.c"
        assert info.line.strip() == lines[info.line_number - 1].strip()


@pytest.mark.slow
@pytest.mark.parametrize("side", SIDES)
def test_examples_compile(side):
    from tests.support.clang import clang, libbpf_headers

    clang(19)
    libbpf_headers()
    for _, _, *texts in pairs():
        text = PREAMBLE + texts[SIDES.index(side)]
        assert compile_example(text).startswith(b"\x7fELF")
