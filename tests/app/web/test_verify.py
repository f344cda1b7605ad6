"""The real verifier on the page: asked, followed, cancelled, its verdicts beside the engine's."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from dataclasses import replace

import pytest
from starlette.testclient import TestClient

from app.errors import AppError
from app.main import create_app
from app.settings import load_settings
from tests.support.fake_guests import GUEST_61, FakeGuests, loaded
from tests.support.issue1348 import CILIUM, KERNEL, LIBBPF

FORM = {"kernel": ["", KERNEL], "loader": [CILIUM, LIBBPF]}
PART = {"HX-Request": "true", "HX-Request-Type": "partial"}


@pytest.fixture(scope="module")
def app_client() -> Iterator[TestClient]:
    with TestClient(create_app(load_settings(workers=1)), base_url="http://127.0.0.1") as client:
        yield client


@pytest.fixture
def guests(app_client: TestClient, monkeypatch: pytest.MonkeyPatch) -> FakeGuests:
    fake = FakeGuests()
    monkeypatch.setattr(app_client.app.state.verifications, "guests", fake)  # type: ignore[attr-defined]
    return fake


@pytest.fixture
def asking(app_client: TestClient, guests: FakeGuests) -> TestClient:
    """A client whose server asks made-up guests."""
    return app_client


def post(client: TestClient, obj: bytes, path: str = "/verify", **fields: object):
    return client.post(path, data={**FORM, **fields}, files={"object": ("prog.o", obj)})


def finished(client: TestClient, address: str) -> str:
    """The page once nothing runs any more."""
    for _ in range(200):
        html = client.get(address).text
        if "data-running" not in html:
            return html
        time.sleep(0.05)
    pytest.fail("it does not end")


def asked(client: TestClient, obj: bytes, path: str = "/verify", **fields: object) -> str:
    answer = post(client, obj, path, **fields)
    assert answer.status_code == 200, answer.text
    return finished(client, str(answer.url))


def test_without_guests_the_result_says_how_to_add_one(client: TestClient):
    page = client.get("/analyse?example=enum-1348").text
    section = page[page.index('id="verify"') : page.index('class="provenance"')]
    assert "No guest kernel is installed" in section
    assert "coreplay vm add 6.1" in section
    assert "<button" not in section


def test_a_result_offers_what_can_be_asked(asking: TestClient, issue_object: bytes):
    answer = asking.post("/analyse", data=FORM, files={"object": ("prog.o", issue_object)})
    section = answer.text[answer.text.index('id="verify"') :]
    assert 'formaction="/verify"' in section
    assert "All 2 kernels" in section
    assert f'<option value="{KERNEL}" selected>{GUEST_61.id}' in section


def test_verdicts_stand_beside_the_engines(asking: TestClient, issue_object: bytes):
    page = asked(asking, issue_object)
    assert "1 loads, 1 refused" in page
    assert page.count("as predicted") == 2
    assert "EINVAL" in page
    assert "invalid func unknown#195896080" in page
    assert "7 instructions verified, 1 peak state, 1.5 ms" in page


def test_the_page_refreshes_itself_until_it_is_done(asking, guests, issue_object):
    guests.endless = True
    answer = post(asking, issue_object)
    assert '<noscript><meta http-equiv="refresh"' in answer.text
    assert "Cancel" in answer.text
    for _ in range(100):
        html = asking.get(answer.url).text
        if "a guest has it" in html:
            break
        time.sleep(0.05)
    assert f"{GUEST_61.id}, libbpf 1.7.0: a guest has it" in html
    after = asking.post(f"{answer.url.path}/cancel")
    page = finished(asking, str(after.url))
    assert "Cancelled before anything was answered" in page
    assert "http-equiv" not in page


def test_all_kernels(asking: TestClient, issue_object: bytes):
    page = asked(asking, issue_object, "/verify?all=1")
    assert "2 load, 2 refused" in page
    assert "5.10.0-46-amd64" in page


def test_another_build_of_the_series_is_said(asking, guests, issue_object):
    name = "6.1.0-99-cloud-amd64"
    guests.kernels = (replace(GUEST_61, id=name, release=name, catalog="5.10.0-46-amd64"),)
    page = asked(asking, issue_object)
    assert f"{KERNEL} was chosen; the kernel that judges is {name}" in page
    assert f"chosen was {KERNEL}" in page


def test_where_engine_and_kernel_part_it_is_said(asking, guests, issue_object):
    guests.decide = loaded
    page = asked(asking, issue_object, **{"v-run": "1", "v-input": "zeros:64"})
    assert "differs: the engine said" in page
    assert "a defect of ours" in page
    assert "returned <b>0</b>" in page


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"v-run": "1", "v-input": "zeros:99999999"}, "bad-request"),
        ({"v-run": "1", "v-input": "xyz"}, "bad-request"),
        ({"v-guest": "9.9"}, "guest-missing"),
        ({"v-guest": "nonsense"}, "kernel-unknown"),
        ({"v-loader": "libbpf@9"}, "loader-unknown"),
        ({"v-program": "nobody"}, "program-unknown"),
    ],
)
def test_what_cannot_be_asked(asking: TestClient, issue_object: bytes, fields, code):
    answer = post(asking, issue_object, **fields)
    page = finished(asking, str(answer.url)) if answer.status_code == 200 else answer.text
    assert code in page


def test_unknown_jobs_are_pages_of_errors(asking: TestClient):
    for path in ("/verify/nothing", "/verify/nothing/log/0", "/verify/nothing/log/0/state/1"):
        answer = asking.get(path)
        assert answer.status_code == 404
        assert "job-unknown" in answer.text


def test_a_part_for_scripts(asking: TestClient, issue_object: bytes):
    answer = asking.post(
        "/verify",
        data={**FORM, "v-fn": "prog"},
        files={"object": ("prog.o", issue_object)},
        headers=PART,
    )
    assert "<html" not in answer.text
    job = re.search(r'data-job="([\w-]+)"', answer.text)[1]
    assert f'data-url="/verify/{job}?fn=prog"' in answer.text
    part = asking.get(f"/verify/{job}?fn=prog", headers=PART).text
    assert "<html" not in part


def test_once_more_with_another_log(asking, guests, issue_object):
    page = asked(asking, issue_object)
    job = re.search(r'data-job="([\w-]+)"', page)[1]
    answer = asking.post(f"/verify/{job}/again", data={"number": "0", "level": "2"})
    assert answer.status_code == 200
    assert answer.url.path.endswith("/log/0")
    finished(asking, str(answer.url))
    assert [p.log_level for p in guests.asked[-1][1].programs] == [2]
    assert len(guests.asked[-1][1].programs) == 1


def test_a_guest_that_fails_is_a_row_and_not_a_page(asking, guests, issue_object):
    guests.fails = lambda request: AppError("The guest died", code="vm-guest-died")
    page = asked(asking, issue_object)
    assert "2 not asked" in page
    assert "The guest died." in page
