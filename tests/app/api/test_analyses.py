"""POST /api/v1/analyses against real kernels: right answers, and one clear error for the rest."""

from __future__ import annotations

import base64
import json

import pytest
from starlette.testclient import TestClient

from app.api.models import AnalysisOut
from tests.support.tree import ROOT

KERNEL = "6.1.0-56-amd64"
URL = "/api/v1/analyses"
EXAMPLE = (ROOT / "app" / "learn" / "examples" / "enum-1348.bpf.c").read_text()
OBJECTS = ROOT / "tests" / "golden" / "objects"


def object_named(name: str) -> str:
    return base64.b64encode((OBJECTS / name).read_bytes()).decode()


def ask(client: TestClient, **body: object) -> dict[str, object]:
    response = client.post(URL, json={"kernels": [KERNEL], "loaders": ["libbpf@1.7.0"], **body})
    assert response.status_code == 200, response.text
    answer: dict[str, object] = response.json()
    return answer


def test_issue_1348_from_c_for_three_loaders(client: TestClient) -> None:
    loaders = ["libbpf@1.7.0", "cilium@0.13.0", "cilium@0.13.1"]
    answer = ask(client, source=EXAMPLE, loaders=loaders)
    assert [run["loader"] for run in answer["runs"]] == loaders
    functions = {run["loader"]: run["functions"][0] for run in answer["runs"]}
    broken = functions["cilium@0.13.0"]
    lost = [slot for slot, after in enumerate(broken["slot_map"]) if after is None]
    assert len(lost) == 1
    astray = [jump for jump in broken["jumps"] if jump["landing"] == "wrong-slot"]
    assert [jump["actual"] - jump["intended"] for jump in astray] == [1]
    for loader in ("libbpf@1.7.0", "cilium@0.13.1"):
        assert None not in functions[loader]["slot_map"]
        assert {jump["landing"] for jump in functions[loader]["jumps"]} == {"fine"}
    exists, value = broken["relocations"][:2]
    assert (exists["kind"], exists["orig"], exists["new"], exists["outcome"]) == (
        "enumval_exists",
        1,
        0,
        "patched",
    )
    assert (value["kind"], value["new"], value["outcome"]) == ("enumval_value", None, "poisoned")
    assert value["local"] == "enum cgroup_subsys_id::cpuset_cgrp_id_lublub"
    assert EXAMPLE.splitlines()[value["line"] - 1].strip() in value["source"]["text"]
    assert exists["why"]
    assert value["why"]


EXISTS_0 = ["1801000000000000", "0000000000000000", "1501030000000000"]
STORE, RETURN_0 = ["631afcff00000000"], ["b700000000000000", "9500000000000000"]
CALL = "850000001023ad0b"
WORKED = {
    "libbpf@1.7.0": [*EXISTS_0, CALL, CALL, *STORE, *RETURN_0],
    "cilium@0.13.0": [*EXISTS_0, CALL, *STORE, *RETURN_0],
    "cilium@0.13.1": [*EXISTS_0, "180a00001023ad0b", "0000000000000000", *STORE, *RETURN_0],
}


def test_issue_1348_byte_for_byte(client: TestClient) -> None:
    """The bytes were observed with the real loaders."""
    answer = ask(client, source=EXAMPLE, loaders=list(WORKED), cpu="v2")
    for run in answer["runs"]:
        (function,) = run["functions"]
        before = [slot for insn in function["before"] for slot in insn["hex"]]
        assert before[:5] == [
            "1801000001000000",
            "0000000000000000",
            "1501030000000000",
            "1801000001000000",
            "0000000000000000",
        ]
        after = [slot for insn in function["after"] for slot in insn["hex"]]
        assert after == WORKED[run["loader"]]


def test_verdicts_of_issue_1348(client: TestClient) -> None:
    """What becomes of it with three loaders, and where its poison stands."""
    answer = ask(client, source=EXAMPLE, loaders=list(WORKED), cpu="v2")
    found = {run["loader"]: run["verdicts"] for run in answer["runs"]}
    assert {loader: [v["verdict"] for v in verdicts] for loader, verdicts in found.items()} == {
        "libbpf@1.7.0": ["poison-unreachable"],
        "cilium@0.13.0": ["jump-broken"],
        "cilium@0.13.1": ["poison-unreachable"],
    }
    (verdict,) = found["libbpf@1.7.0"]
    assert verdict["headline"] == "1 instruction is poisoned, and it cannot be reached."
    assert verdict["poisons"] == [
        {"slot": 3, "function": "prog", "reachable": "no", "why": "", "path": []}
    ]


def test_answer_is_what_the_models_describe(client: TestClient) -> None:
    answer = ask(client, source=EXAMPLE, loaders=["cilium@0.13.0"])
    assert AnalysisOut.model_validate(answer).model_dump() == answer


def test_object_for_the_other_byte_order(client: TestClient) -> None:
    answer = ask(
        client,
        object_base64=object_named("enum1348.clang19.v3.eb.o"),
        kernels=["6.12.107+deb13-s390x", KERNEL],
    )
    assert answer["compile"] is None
    assert answer["object"]["byte_order"] == "big"
    fitting, other = answer["runs"]
    assert fitting["error"] is None
    first = fitting["functions"][0]["before"][0]
    assert (first["hex"], first["text"]) == (["b400000000000007"], "w0 = 0x7")
    assert other["error"]["code"] == "byte-order-mismatch"
    assert other["functions"] == []


def test_c_for_a_big_endian_kernel_is_compiled_big_endian(client: TestClient) -> None:
    answer = ask(client, source=EXAMPLE, kernels=["6.12.107+deb13-s390x"])
    assert answer["object"]["byte_order"] == "big"
    assert answer["runs"][0]["error"] is None


def test_same_request_is_answered_from_memory(client: TestClient) -> None:
    body = {"source": EXAMPLE + "\n", "defines": ["A=1"]}
    assert ask(client, **body)["milliseconds"] == ask(client, **body)["milliseconds"]
    other = ask(client, **{**body, "defines": ["A=2"]})
    assert other["milliseconds"] != ask(client, **body)["milliseconds"]


def refused(client: TestClient, body: object, *, raw: bytes | None = None) -> tuple[int, dict]:
    content = json.dumps(body).encode() if raw is None else raw
    headers = {"content-type": "application/json"}
    response = client.post(URL, content=content, headers=headers)
    assert 400 <= response.status_code < 500, response.text
    error = response.json()["error"]
    assert {"code", "message", "place", "hint"} <= set(error)
    assert client.get("/healthz").json()["status"] == "ok"
    return response.status_code, error


GOOD = {"kernels": [KERNEL], "loaders": ["libbpf@1.7.0"]}
ELF = bytes.fromhex("7f454c46")
BAD = [
    ("empty source", {**GOOD, "source": ""}, "source-missing", "files"),
    ("blank source", {**GOOD, "source": " \n\t"}, "source-missing", "files"),
    ("2 MB of source", {**GOOD, "source": "int x;\n" * 300_000}, "source-too-large", "files"),
    ("no input", GOOD, "source-missing", "body"),
    ("two inputs", {**GOOD, "source": "x", "object_base64": ""}, "bad-request", "body"),
    ("header alone", {**GOOD, "files": {"a.h": "int x;"}}, "source-missing", "files"),
    ("path as name", {**GOOD, "files": {"../a.c": "int x;"}}, "file-name-invalid", "../a.c"),
    ("half a character", {**GOOD, "source": "// \ud800"}, "bad-request", "main.bpf.c"),
    ("unknown kernel", {**GOOD, "source": "x", "kernels": ["6.1"]}, "kernel-unknown", "kernels[0]"),
    ("unknown loader", {**GOOD, "source": "x", "loaders": ["x"]}, "loader-unknown", "loaders[0]"),
    ("no kernel", {**GOOD, "source": "x", "kernels": []}, "kernel-missing", "kernels"),
    ("kernel twice", {**GOOD, "source": "x", "kernels": [KERNEL] * 2}, "bad-request", "kernels[1]"),
    ("too many", {**GOOD, "source": "x", "loaders": ["l"] * 9}, "too-many-runs", "loaders"),
    ("misspelt field", {**GOOD, "sauce": "x"}, "bad-request", "body.sauce"),
    ("wrong type", {**GOOD, "source": 7}, "bad-request", "body.source"),
    ("unknown clang", {**GOOD, "source": "int x;", "clang": 3}, "clang-unknown", "clang"),
    ("unknown cpu", {**GOOD, "source": "int x;", "cpu": "v9"}, "cpu-unknown", "cpu"),
    ("a flag as define", {**GOOD, "source": "int x;", "defines": ["A -I/"]}, "define-invalid", ""),
    ("no base64", {**GOOD, "object_base64": "%%"}, "object-not-base64", "object_base64"),
    ("empty object", {**GOOD, "object_base64": ""}, "elf-malformed", ""),
    ("text as object", {**GOOD, "object_base64": "aGVsbG8="}, "elf-malformed", ""),
    ("syntax error", {**GOOD, "source": "int x"}, "compile-failed", "main.bpf.c:1"),
    ("no BTF", {**GOOD, "source": "\n"}, "source-missing", "files"),
]


@pytest.mark.parametrize(("body", "code", "place"), [b[1:] for b in BAD], ids=[b[0] for b in BAD])
def test_bad_input_is_one_clear_error(
    client: TestClient, body: object, code: str, place: str
) -> None:
    _, error = refused(client, body)
    assert error["code"] == code
    assert error["place"].startswith(place)
    assert error["message"]


def test_nearest_names_are_told(client: TestClient) -> None:
    _, error = refused(client, {**GOOD, "source": "x", "kernels": ["6.1.0-55-amd64"]})
    assert KERNEL in error["hint"]


def test_compile_error_has_its_lines(client: TestClient) -> None:
    status, error = refused(client, {**GOOD, "source": "int f(void)\n{\n    return y;\n}\n"})
    assert status == 422
    first = error["diagnostics"][0]
    assert (first["file"], first["line"], first["severity"]) == ("main.bpf.c", 3, "error")
    assert "'y'" in first["text"]
    assert error["command"].startswith("clang-")


@pytest.mark.parametrize("raw", [b"", b"{", b"[1]", b"\xff\xfe", b"null", b"[" * 100_000])
def test_body_that_is_no_json_object(client: TestClient, raw: bytes) -> None:
    status, error = refused(client, None, raw=raw)
    assert status in (400, 422)
    assert error["code"] in ("bad-json", "bad-request")


@pytest.mark.parametrize("cut", [0, 4, 16, 63, 64, 100, 500, -1])
def test_truncated_object(client: TestClient, cut: int) -> None:
    data = (OBJECTS / "enum1348.clang19.v3.el.o").read_bytes()
    body = {**GOOD, "object_base64": base64.b64encode(data[:cut]).decode()}
    _, error = refused(client, body)
    assert error["code"].startswith("elf-")


def test_object_of_another_machine(client: TestClient) -> None:
    data = bytearray((OBJECTS / "enum1348.clang19.v3.el.o").read_bytes())
    data[18:20] = (62).to_bytes(2, "little")
    _, error = refused(client, {**GOOD, "object_base64": base64.b64encode(data).decode()})
    assert error["code"] == "elf-not-bpf"
