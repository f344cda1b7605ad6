"""Verifications over HTTP: a job, its events with resumption, logs, cancellation, mistakes."""

from __future__ import annotations

import base64
import json
import re
import time
from collections.abc import Iterator
from typing import Any

import pytest
from starlette.testclient import TestClient

from app.api.jobs import JobOut
from app.main import create_app
from app.settings import load_settings
from tests.support.fake_guests import FakeGuests, loaded
from tests.support.tree import ROOT

URL = "/api/v1/verifications"
BROKEN = ROOT / "tests" / "golden" / "gallery" / "enum-1348" / "broken.o"
OBJECT = base64.b64encode(BROKEN.read_bytes()).decode()
BODY = {"object_base64": OBJECT, "kernels": ["6.1"], "loaders": ["libbpf@1.7.0", "cilium@0.13.0"]}


@pytest.fixture(scope="module")
def served() -> Iterator[tuple[TestClient, FakeGuests]]:
    app = create_app(load_settings(workers=1))
    with TestClient(app, base_url="http://127.0.0.1") as client:
        guests = FakeGuests()
        app.state.verifications.guests = guests
        yield client, guests


@pytest.fixture
def client(served: tuple[TestClient, FakeGuests]) -> TestClient:
    client, guests = served
    guests.endless = False
    guests.decide = FakeGuests().decide
    return client


def ended(client: TestClient, url: str) -> dict[str, Any]:
    for _ in range(300):
        job = client.get(url).json()
        if job["state"] in ("done", "failed", "cancelled"):
            return job
        time.sleep(0.05)
    raise AssertionError("the job does not end")


def events(text: str) -> list[tuple[int, str, dict[str, Any]]]:
    found = re.findall(r"event: (\w+)\ndata: (.*)\nid: (\d+)\n", text)
    return [(int(number), kind, json.loads(data)) for kind, data, number in found]


def test_a_job_ends_with_its_results(client: TestClient) -> None:
    response = client.post(URL, json=BODY)
    assert response.status_code == 202, response.text
    url = response.headers["location"]
    assert url == f"/api/v1/jobs/{response.json()['id']}"
    job = ended(client, url)
    assert JobOut.model_validate(job).model_dump() == job
    assert job["state"] == "done"
    assert [(row["loader"], row["loaded"], row["errno"]) for row in job["results"]] == [
        ("libbpf@1.7.0", True, 0),
        ("cilium@0.13.0", False, 22),
    ]
    assert job["results"][1]["verdict"] == "jump-broken"


def test_events_are_sent_and_sent_again_from_where_one_was(client: TestClient) -> None:
    url = client.post(URL, json=BODY).headers["location"] + "/events"
    answer = client.get(url)
    assert answer.headers["content-type"].startswith("text/event-stream")
    all_of_them = events(answer.text)
    kinds = [kind for _, kind, _ in all_of_them]
    assert kinds[:2] == ["queued", "planned"]
    assert kinds[-1] == "done"
    assert {"place", "started", "result"} <= set(kinds)
    assert [number for number, _, _ in all_of_them] == list(range(1, len(kinds) + 1))
    rest = client.get(url, headers={"Last-Event-ID": "3"})
    assert events(rest.text) == all_of_them[3:]
    results = [data for _, kind, data in all_of_them if kind == "result"]
    assert sorted(data["index"] for data in results) == [0, 1]
    assert results[0]["of"] == 2


def test_a_long_log_is_fetched_by_itself(
    client: TestClient, served: tuple[TestClient, FakeGuests]
) -> None:
    text = b"0: R1=ctx() R10=fp0\n" * 5000
    served[1].decide = lambda program: loaded(program, log=text)
    url = client.post(URL, json={**BODY, "log_level": 2}).headers["location"]
    sent = [data for _, kind, data in events(client.get(f"{url}/events").text) if kind == "result"]
    assert "log" not in sent[0]
    assert sent[0]["log_bytes"] == len(text)
    log = client.get(f"{url}/results/1/log")
    assert log.content == text
    assert "prog-6.1.0-56-amd64-cilium_0.13.0.log" in log.headers["content-disposition"]
    assert client.get(f"{url}/results/9/log").status_code == 404


def test_a_job_is_cancelled(client: TestClient, served: tuple[TestClient, FakeGuests]) -> None:
    served[1].endless = True
    url = client.post(URL, json=BODY).headers["location"]
    assert client.delete(url).status_code == 204
    job = ended(client, url)
    assert job["state"] == "cancelled"


def test_what_a_compiler_says_is_the_jobs_error(client: TestClient) -> None:
    body = {"source": "int main(void) { return nothing; }", "kernels": ["6.1"]}
    job = ended(client, client.post(URL, json=body).headers["location"])
    assert job["state"] == "failed"
    assert job["error"]["code"] in ("compile-failed", "clang-missing", "jail-unavailable")


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"kernels": ["7.3"]}, "guest-missing"),
        ({"kernels": ["nonsense"]}, "kernel-unknown"),
        ({"input_base64": "?"}, "bad-request"),
        ({"log_level": 3}, "bad-request"),
        ({"input_base64": base64.b64encode(bytes(70_000)).decode()}, "bad-request"),
    ],
)
def test_mistakes_are_answered_at_once(
    client: TestClient, body: dict[str, object], code: str
) -> None:
    response = client.post(URL, json={**BODY, **body})
    assert response.status_code == 422
    assert response.json()["error"]["code"] == code


@pytest.mark.parametrize("path", ["", "/events", "/results/0/log"])
def test_a_job_that_is_not_there(client: TestClient, path: str) -> None:
    response = client.get(f"/api/v1/jobs/nobody{path}")
    assert response.status_code == 404
    assert response.json()["error"]["code"] == "job-unknown"


def test_without_guests_one_sentence_says_what_to_do(
    client: TestClient, served: tuple[TestClient, FakeGuests], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(served[1], "kernels", ())
    error = client.post(URL, json=BODY).json()["error"]
    assert error["code"] == "guest-missing"
    assert "coreplay vm add 6.1" in error["hint"]
