"""Docs are held to the code: each code, setting, verb, route and kind has its heading, no more."""

from __future__ import annotations

import ast
import json
import lzma
import os
import re
import subprocess
import sys
from argparse import ArgumentParser, _SubParsersAction
from collections.abc import Iterator
from fnmatch import fnmatch
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from app import cli
from app.errors import STATUS
from app.main import create_app
from app.settings import Settings, load_settings, setting_names
from engine.core.kinds import CoreReloKind
from engine.errors import EngineError
from tests.support.tree import ROOT, files, relative

DOCS = ROOT / "docs"


def headings(name: str) -> list[str]:
    """Give the headings of docs/NAME.md that consist of one piece of code."""
    return re.findall(r"^#{2,} `([^`]+)`$", (DOCS / f"{name}.md").read_text(), re.MULTILINE)


def blocks(name: str, language: str) -> list[str]:
    pattern = rf"^```{language}\n(.*?)^```$"
    return re.findall(pattern, (DOCS / f"{name}.md").read_text(), re.MULTILINE | re.DOTALL)


def engine_codes(of: type[EngineError] = EngineError) -> Iterator[str]:
    yield of.code
    for below in of.__subclasses__():
        yield from engine_codes(below)


def raised_codes() -> Iterator[str]:
    """Give each `code="..."` passed to a call in app; a part that varies is given as `*`."""
    for path in files(".py", under="app"):
        for node in ast.walk(ast.parse(path.read_bytes())):
            for argument in node.keywords if isinstance(node, ast.Call) else ():
                if argument.arg == "code":
                    yield _pattern(argument.value)


def _pattern(value: ast.expr) -> str:
    if isinstance(value, ast.Constant) and isinstance(value.value, str):
        return value.value
    if isinstance(value, ast.JoinedStr):
        return "".join(_pattern(part) for part in value.values)
    return "*"


def verbs(parser: ArgumentParser, path: tuple[str, ...] = ("coreplay",)) -> Iterator[str]:
    groups = [a for a in parser._actions if isinstance(a, _SubParsersAction)]
    if not groups:
        yield " ".join(path)
    for name, below in groups[0].choices.items() if groups else ():
        yield from verbs(below, (*path, name))


def options(parser: ArgumentParser) -> Iterator[str]:
    for action in parser._actions:
        yield from action.option_strings[:1]
        if isinstance(action, _SubParsersAction):
            for below in action.choices.values():
                yield from options(below)


def test_every_error_code_is_explained():
    raised = {code for code in raised_codes() if "*" not in code}
    assert {*engine_codes(), *STATUS, *raised} - {*headings("errors")} == set()


def test_every_error_code_that_is_explained_exists():
    patterns = {*engine_codes(), *STATUS, *raised_codes()} - {"*"}
    assert [c for c in headings("errors") if not any(fnmatch(c, p) for p in patterns)] == []


def test_error_pages_give_the_right_status():
    text = (DOCS / "errors.md").read_text().partition("## The command line")[0]
    said = dict(re.findall(r"^### `([^`]+)`\nStatus (\d+)", text, re.MULTILINE))
    assert len(said) > 30
    assert {code: int(status) for code, status in said.items()} == {
        code: STATUS.get(code, 422) for code in said
    }


def test_every_setting_is_explained():
    assert sorted(headings("settings")) == sorted(setting_names())


def test_settings_that_docs_and_code_name_exist():
    named = {
        (name, relative(path))
        for path in [*files(".md"), *files(".py", under="app"), ROOT / "compose.yaml"]
        for name in re.findall(r"\bCOREPLAY_[A-Z_]+[A-Z]\b", path.read_text())
    }
    assert {where for where in named if where[0] not in setting_names()} == set()


def test_every_verb_of_the_command_line_is_explained():
    assert headings("cli") == list(verbs(cli._parser()))


def test_every_option_of_the_command_line_is_explained():
    text = (DOCS / "cli.md").read_text()
    assert {o for o in options(cli._parser()) if o not in text} - {"-h", "--version"} == set()


def test_every_route_of_the_api_is_explained():
    paths = create_app(Settings()).openapi()["paths"]
    routes = {f"{method.upper()} {path}" for path, methods in paths.items() for method in methods}
    assert set(headings("api")) == routes


def test_every_kind_of_relocation_is_explained():
    assert sorted(headings("relocations")) == sorted(kind.word for kind in CoreReloKind)


def test_docs_that_the_code_names_exist():
    named = {
        name
        for top in ("app", "engine", "templates", "static")
        for path in files(".py", ".html", ".js", under=top)
        for name in re.findall(r"\bdocs/[\w/-]+\.md\b", path.read_text())
    }
    assert {name for name in named if not (ROOT / name).exists()} == set()


@pytest.mark.parametrize("path", list(files(".md")), ids=relative)
def test_links_between_docs_lead_somewhere(path: Path):
    targets = re.findall(r"\]\((?!https?:)([^)#\s]*)", path.read_text())
    assert [t for t in targets if t and not (path.parent / t).exists()] == []


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with what the commands in the docs start from."""
    example = ROOT / "app/learn/examples/enum-1348.bpf.c"
    (tmp_path / "prog.bpf.c").write_bytes(example.read_bytes())
    packed = ROOT / "engine/kernels/data/6.1.0-56-amd64.btf.xz"
    (tmp_path / "kernel.btf").write_bytes(lzma.decompress(packed.read_bytes()))
    return tmp_path


def test_commands_in_the_docs_run(folder: Path):
    commands = [
        line.removeprefix("$ ")
        for block in blocks("cli", "console")
        for line in block.splitlines()
        if line.startswith("$ ")
    ]
    assert len(commands) > 6
    environment = os.environ | {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    for command in commands:
        done = subprocess.run(
            command, shell=True, cwd=folder, env=environment, capture_output=True, text=True
        )
        assert done.returncode == 0, f"{command}\n{done.stderr}"
    answer = json.loads(done.stdout)
    assert answer["error"] is None
    assert list(answer["programs"]) == ["prog"]


def test_the_request_in_the_docs_is_answered():
    (body,) = blocks("api", "json")
    with TestClient(create_app(load_settings()), base_url="http://127.0.0.1:8000") as client:
        answer = client.post("/api/v1/analyses", json=json.loads(body))
    assert answer.status_code == 200, answer.text
    assert [run["loader"] for run in answer.json()["runs"]] == ["libbpf@1.7.0", "cilium@0.13.0"]
