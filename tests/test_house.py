"""The rules of the house that no linter holds: sizes, templates without scripts, clean text."""

from __future__ import annotations

import ast
import re
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.tree import ROOT, files, is_generated, relative, text_of

MODULE_LINES = 400
FUNCTION_LINES = 60
ROUTE_LINES = 25
TEMPLATE_LINES = 120
ROUTE_DECORATORS = frozenset({"get", "post", "put", "patch", "delete", "head", "route"})

FORBIDDEN_IN_TEMPLATES = {
    "an inline script": r"<script(?![^>]*\bsrc=)[^>]*>",
    "an inline style": r"<style\b|\sstyle\s*=",
    "an inline event handler": r"\son[a-z]+\s*=",
    "hx-on": r"\bhx-on\b",
    "a script value": r"""["']\s*(?:js|javascript):""",
    "text that is not escaped": r"\|\s*safe\b|autoescape\s+false",
}
# Written in pieces, so that this file keeps the rule, too.
PRIVATE = {
    "a path of the machine it was written on": r"(?<![\w.])/(?:wo" r"rk|ro" r"ot|ho" r"me)/",
    "a folder outside the repository": r"\.\./sha" r"red\b",
    "where packages were fetched from": r"--(?:extra-)?index-" r"url|find-" r"links[= ]",
}
MAY_MENTION_FLAGS = {"run"}
"""Files that pass such an option on purpose."""


def python_files() -> list[Path]:
    return [p for p in files(".py") if not is_generated(p)]


def line_count(path: Path) -> int:
    return len(path.read_text().splitlines())


def too_long(paths: list[Path], limit: int) -> list[str]:
    return [f"{relative(p)}: {n} lines" for p in paths if (n := line_count(p)) > limit]


def python_functions() -> Iterator[tuple[Path, ast.FunctionDef | ast.AsyncFunctionDef]]:
    for path in python_files():
        for node in ast.walk(ast.parse(path.read_bytes(), str(path))):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                yield path, node


def is_route(node: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    return any(
        isinstance(d, ast.Call)
        and isinstance(d.func, ast.Attribute)
        and d.func.attr in ROUTE_DECORATORS
        and bool(d.args)
        for d in node.decorator_list
    )


def test_modules_are_short():
    assert too_long(python_files(), MODULE_LINES) == []


def test_scripts_and_styles_are_short():
    own = [*files(".js", ".css", under="static"), ROOT / "run"]
    assert too_long([p for p in own if not is_generated(p) and "dist" not in p.parts], 400) == []


def test_functions_are_short():
    found = list(python_functions())
    assert len(found) > 100, "the walk finds the code"
    long = [
        f"{relative(path)}:{node.lineno} {node.name}: {lines} lines"
        for path, node in found
        if (lines := (node.end_lineno or 0) - node.lineno + 1)
        > (ROUTE_LINES if "app" in path.parts and is_route(node) else FUNCTION_LINES)
    ]
    assert long == []


def test_templates_are_short():
    assert too_long(list(files(under="templates")), TEMPLATE_LINES) == []


@pytest.mark.parametrize("what", FORBIDDEN_IN_TEMPLATES)
def test_templates_work_under_a_strict_csp(what):
    pattern = re.compile(FORBIDDEN_IN_TEMPLATES[what], re.IGNORECASE)
    found = [
        f"{relative(path)}: {match.group().strip()}"
        for path in files(under="templates")
        for match in pattern.finditer(path.read_text())
    ]
    assert found == []


@pytest.mark.parametrize(
    ("what", "bad"),
    [
        ("an inline script", "<script>alert(1)</script>"),
        ("an inline style", '<p style="color: red">'),
        ("an inline event handler", '<button onclick="go()">'),
        ("hx-on", '<div hx-on:click="go()">'),
        ("a script value", """<a href="javascript:go()">"""),
        ("text that is not escaped", "{{ text | safe }}"),
    ],
)
def test_the_csp_rules_see_what_they_forbid(what, bad):
    pattern = FORBIDDEN_IN_TEMPLATES[what]
    assert re.search(pattern, bad, re.IGNORECASE)
    assert not re.search(pattern, '<script src="/a.js" type="module"></script> <a href="/">')


@pytest.mark.parametrize("what", PRIVATE)
def test_nothing_private_is_written_down(what):
    pattern = re.compile(PRIVATE[what])
    found = [
        f"{relative(path)}:{number}: {line.strip()[:80]}"
        for path in files()
        if relative(path) not in MAY_MENTION_FLAGS and (text := text_of(path)) is not None
        for number, line in enumerate(text.splitlines(), 1)
        if pattern.search(line)
    ]
    assert found == []


@pytest.mark.parametrize("name", ["runtime", "dev"])
def test_requirements_are_pinned_and_hashed(name):
    text = (ROOT / "requirements" / f"{name}.txt").read_text().replace("\\\n", " ")
    lines = [line for line in text.splitlines() if line.strip() and line.strip()[0] != "#"]
    assert [x for x in lines if not re.match(r"[\w.-]+==[\w.]+ .*--hash=sha256:", x)] == []
    assert "://" not in text


def test_dev_requirements_contain_the_runtime_ones():
    def pins(name: str) -> set[str]:
        text = (ROOT / "requirements" / f"{name}.txt").read_text()
        return set(re.findall(r"^([\w.-]+==[\w.]+)", text, re.MULTILINE))

    assert pins("runtime") <= pins("dev")


def direct_requirements() -> set[str]:
    lines = (ROOT / "requirements/runtime.in").read_text().splitlines()
    return {re.split(r"[<>=\[]", line)[0].strip() for line in lines if line and line[0] != "#"}


def imported_names() -> set[str]:
    trees = [
        ast.parse(p.read_bytes()) for top in ("app", "engine") for p in files(".py", under=top)
    ]
    nodes = [node for tree in trees for node in ast.walk(tree)]
    found = {a.name for node in nodes if isinstance(node, ast.Import) for a in node.names}
    found |= {node.module or "" for node in nodes if isinstance(node, ast.ImportFrom)}
    tops = {name.partition(".")[0] for name in found}
    return tops - sys.stdlib_module_names - {"app", "engine", ""}


def test_direct_requirements_are_what_is_imported():
    """One that nothing imports is one that nobody audits; one that is not listed may vanish."""
    by_import = {"elftools": "pyelftools", "markdown_it": "markdown-it-py"}
    needed = {by_import.get(name, name) for name in imported_names()}
    needed.add("python-multipart")  # FastAPI imports it to read forms
    assert direct_requirements() == needed


def test_each_package_is_in_the_distribution():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    assert project["project"]["scripts"] == {"coreplay": "app.cli:main"}
    missing = {
        relative(path.parent)
        for top in ("app", "engine")
        for path in files(".py", under=top)
        if not (path.parent / "__init__.py").exists()
    }
    assert missing == set()
