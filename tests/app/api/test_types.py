"""/api/v1/types and /api/v1/kernels/{kernel}/types."""

from __future__ import annotations

import pytest
from starlette.testclient import TestClient

KERNEL = "6.1.0-56-amd64"


def test_search_in_one_kernel(client: TestClient) -> None:
    answer = client.get(f"/api/v1/kernels/{KERNEL}/types?search=struct+task_s&limit=2").json()
    assert [hit["name"] for hit in answer["hits"]] == ["task_struct", "task_security_struct"]
    assert answer["hits"][0]["kinds"] == ["struct"]
    assert answer["hits"][0]["kernels"] == [KERNEL]
    assert answer["more"]


def test_search_in_all_kernels(client: TestClient) -> None:
    answer = client.get("/api/v1/types?search=cpuset_cgrp_id").json()
    (hit,) = answer["hits"]
    assert hit["kinds"] == ["enumerator"]
    assert len(hit["kernels"]) >= 6
    assert client.get("/api/v1/types?search=task_strukt").json()["near"][0] == "task_struct"
    assert client.get("/api/v1/types").json()["hits"] == []


def test_one_type(client: TestClient) -> None:
    (found,) = client.get(f"/api/v1/kernels/{KERNEL}/types/list_head").json()
    assert found["bytes"] == 16
    assert [part["name"] for part in found["members"]] == ["next", "prev"]
    assert "struct list_head {" in found["c"]


def test_a_type_over_time(client: TestClient) -> None:
    steps = client.get("/api/v1/types/task_struct?kind=struct").json()
    assert {step["arch"] for step in steps} == {"amd64", "arm64", "s390x"}
    changed = next(step for step in steps if step["kernel"] == KERNEL)["changed"]
    assert any(c["name"] == "__state" for diff in changed for c in diff["changes"])


@pytest.mark.parametrize(
    ("path", "status", "code"),
    [
        (f"/api/v1/kernels/{KERNEL}/types/task_strukt", 404, "type-unknown"),
        ("/api/v1/kernels/9.9/types/file", 404, "kernel-unknown"),
        ("/api/v1/kernels/9.9/types", 404, "kernel-unknown"),
        ("/api/v1/types/task_strukt", 404, "type-unknown"),
        ("/api/v1/types?limit=0", 422, "bad-request"),
    ],
)
def test_mistakes(client: TestClient, path: str, status: int, code: str) -> None:
    answer = client.get(path)
    assert (answer.status_code, answer.json()["error"]["code"]) == (status, code)
