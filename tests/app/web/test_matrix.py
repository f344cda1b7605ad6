"""The matrix over HTTP: page and CSV, by address and by form, filters, hostile names."""

from __future__ import annotations

import csv
import io
import re

import pytest
from starlette.testclient import TestClient

from tests.support.issue1348 import CILIUM, KERNEL, LIBBPF, program

FORM = {"kernel": ["", KERNEL], "loader": [CILIUM, LIBBPF]}
LITTLE = ("5.10.0-46-amd64", KERNEL, "7.3.4+deb13-amd64")
HOSTILE = "=cmd|</td><img src=x onerror=alert(1)>"


def post(client: TestClient, path: str, obj: bytes, **fields):
    return client.post(path, data={**FORM, **fields}, files={"object": ("prog.o", obj)})


def kernels(html: str) -> list[str]:
    return re.findall(r'class="kernel">([\w.+-]+)', html)


def test_an_object_on_every_kernel_of_its_byte_order(client, issue_object):
    page = post(client, "/matrix", issue_object)
    assert page.status_code == 200
    assert set(LITTLE) <= set(kernels(page.text))
    assert not any("s390x" in kernel for kernel in kernels(page.text))
    assert page.text.count('<th scope="row"') == 2
    assert 'name="kept"' in page.text


def test_what_is_chosen_is_shown(client, issue_object):
    page = post(client, "/matrix", issue_object, on=list(LITTLE[:2]), by=LIBBPF)
    assert kernels(page.text) == list(LITTLE[:2])
    assert 'rowspan="2"' not in page.text
    filtered = post(client, f"/matrix?on={KERNEL}&by={LIBBPF}&differs=1", issue_object)
    assert "All of them say the same" in filtered.text


def test_a_kernel_of_the_other_byte_order_is_left_out(client, issue_object):
    big = "6.12.107+deb13-s390x"
    page = post(client, "/matrix", issue_object, on=[KERNEL, big])
    assert f"Left out, as the object has the other byte order: {big}." in page.text
    assert "byte-order-mismatch" in post(client, "/matrix", issue_object, on=big).text


def test_an_example_posted_gets_an_address(client: TestClient):
    from app.learn.example import examples

    source = examples()["renamed-field"].source
    answer = client.post("/matrix", data={**FORM, "source": source}, follow_redirects=False)
    assert answer.status_code == 303
    assert "example=renamed-field" in answer.headers["location"]


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"by": "libbpf@9"}, "loader-unknown"),
        ({"on": "9.9"}, "kernel-unknown"),
        ({"by": [LIBBPF, CILIUM, "libbpf@1.5.0", "aya@0.14.0", "aya@0.11.0"]}, "too-many-runs"),
    ],
)
def test_what_cannot_be_asked(client, issue_object, fields, code):
    page = post(client, "/matrix", issue_object, **fields)
    assert page.status_code == 422
    assert code in page.text


def test_csv_is_the_same_table(client, issue_object):
    answer = post(client, f"/matrix.csv?on={KERNEL}", issue_object)
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    assert "attachment" in answer.headers["content-disposition"]
    rows = list(csv.reader(io.StringIO(answer.text)))
    assert rows[1][-3:-1] == ["0", "0"]
    assert rows[2][-3:-1] == ["poison", "poison"]


def test_hostile_names_are_text(client: TestClient):
    obj = program(HOSTILE).build()
    assert "<img src=x" not in post(client, "/matrix", obj).text
    rows = list(csv.reader(io.StringIO(post(client, "/matrix.csv", obj).text)))
    assert rows[1][0] == f"'{HOSTILE}"


def test_the_address_of_a_draft_says_where_its_source_is(client: TestClient):
    assert "in the browser that ran it" in client.get("/matrix?draft=0123456789ab").text
    assert "in the browser that ran it" in client.get("/matrix.csv?draft=0123456789ab").text
