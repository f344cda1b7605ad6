"""Several files in the form, and addresses that make no step in the history."""

from __future__ import annotations

import re
from urllib.parse import parse_qs, urlsplit

import pytest
from starlette.testclient import TestClient

from app.errors import AppError
from app.learn.example import examples
from app.views.failure import failure
from app.web.reading import draft_id
from tests.support.issue1348 import CILIUM, KERNEL, LIBBPF

PARTIAL = {"HX-Request": "true", "HX-Request-Type": "partial"}
FORM = {"kernel": ["", KERNEL], "loader": [CILIUM, LIBBPF]}
FILES = {"source": "int a;\n", "main": "my.c", "file": ["a.h", "b.h"], "text": ["int b;", "int c;"]}


def post(client: TestClient, *, headers: dict[str, str] = PARTIAL, **fields: object):
    return client.post(
        "/analyse", data={**FORM, **fields}, files={"object": ("", b"")}, headers=headers
    )


def draft(answer) -> str:
    return parse_qs(urlsplit(answer.headers["hx-push-url"]).query).get("draft", [""])[0]


def test_a_draft_is_named_by_all_files_and_their_names(client: TestClient):
    names = {
        draft(post(client, **{**FILES, **change}))
        for change in (
            {},
            {"main": "other.c"},
            {"file": ["a.h", "c.h"]},
            {"text": ["int b;", "int d;"]},
            {"file": [], "text": []},
            {"source": "int z;\n"},
        )
    }
    assert len(names) == 6
    assert draft(post(client, **FILES)) in names


def test_one_file_of_the_usual_name_keeps_its_draft():
    assert draft_id("x", "main.bpf.c") == draft_id("x")
    assert draft_id("x", "my.c") != draft_id("x")


def test_an_example_with_another_file_is_no_example(client: TestClient):
    example = examples()["enum-1348"]
    asked = {"source": example.source, "main": example.file}
    assert "example=enum-1348" in post(client, **asked).headers["hx-push-url"]
    assert draft(post(client, **asked, file="a.h", text="int a;"))
    assert draft(post(client, **{**asked, "main": "mine.c"}))


def test_without_scripts_the_files_stay_in_the_form(client: TestClient):
    page = post(client, headers={}, **FILES).text
    assert re.findall(r'name="file" value="([^"]+)"', page) == ["a.h", "b.h"]
    assert 'name="main" value="my.c"' in page
    assert page.count("<textarea") == 3


@pytest.mark.parametrize("name", ["../up.h", "/etc/passwd", "a b.h", "<img>.h", "x" * 300])
def test_a_name_that_is_no_file_name(client: TestClient, name: str):
    answer = post(client, **{**FILES, "file": [name], "text": ["int b;"]})
    assert answer.status_code == 422
    assert "file-name-invalid" in answer.text
    assert "<img>" not in answer.text


def test_what_runs_by_itself_makes_no_step(client: TestClient):
    headers = post(client, **FILES, auto="1").headers
    assert "draft=" in headers["hx-replace-url"]
    assert "hx-push-url" not in headers


def test_a_diagnostic_belongs_to_its_file():
    rows = [
        {"file": file, "line": line, "column": 1, "severity": "error", "text": "wrong"}
        for file, line in (("my.c", 1), ("lib/a.h", 2), ("<stdio.h>", 1), ("a.h", 9))
    ]
    error = AppError("no", code="compile-failed", details={"diagnostics": rows})
    shown = failure(error, {"my.c": "int a;\n", "lib/a.h": "int b;\nint c;\n", "a.h": "int d;\n"})
    assert [remark.in_editor for remark in shown.remarks] == [True, True, False, False]
    assert shown.remarks[1].file == "lib/a.h"
