"""POST /api/v1/checks: the answer of `coreplay check`, from a server."""

from __future__ import annotations

import base64
import json

import pytest
from starlette.testclient import TestClient

from app.api.checks import CheckOut
from app.cli import main
from tests.support.tree import ROOT

URL = "/api/v1/checks"
BROKEN = ROOT / "tests" / "golden" / "gallery" / "task-state-3658" / "broken.o"
OBJECT = base64.b64encode(BROKEN.read_bytes()).decode()


def test_it_says_what_the_command_line_says(
    client: TestClient, capsys: pytest.CaptureFixture[str]
) -> None:
    response = client.post(URL, json={"object_base64": OBJECT, "object_name": "broken.o"})
    assert response.status_code == 200, response.text
    answer = response.json()
    assert CheckOut.model_validate(answer).model_dump() == answer
    assert main(["check", str(BROKEN), "--format", "json"]) == 1
    assert json.loads(capsys.readouterr().out) == answer
    assert {row["verdict"] for row in answer["results"]} == {"clear", "poison-reachable"}


def test_c_is_compiled_and_its_comments_count(client: TestClient) -> None:
    text = BROKEN.with_suffix(".bpf.c").read_text()
    line = next(line for line in text.split("\n") if "READ" in line)
    source = text.replace(line, f"\t// coreplay: allow all\n{line}")
    body = {"kernels": ["6.1.0-56-amd64"], "loaders": ["aya"]}
    found = client.post(URL, json={"source": text, **body}).json()["results"]
    allowed = client.post(URL, json={"source": source, **body}).json()["results"]
    assert [row["verdict"] for row in found + allowed] == ["poison-reachable"] * 2
    assert found[0]["findings"]
    assert not allowed[0]["findings"]


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"kernels": ["9.9"]}, "kernel-unknown"),
        ({"kernels": ["6.12.107+deb13-s390x"]}, "byte-order-mismatch"),
        ({"loaders": ["nobody"]}, "loader-unknown"),
        ({"loaders": ["all"]}, "too-many-runs"),
        ({"kernels": ["../../etc/passwd"]}, "kernel-unknown"),
        ({"object_base64": "AAAA"}, "elf-malformed"),
        ({"surprise": 1}, "bad-request"),
    ],
)
def test_mistakes(client: TestClient, body: dict[str, object], code: str) -> None:
    response = client.post(URL, json={"object_base64": OBJECT, **body})
    assert 400 <= response.status_code < 500
    assert response.json()["error"]["code"] == code
