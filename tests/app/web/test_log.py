"""/log: a log alone, with an object, and what is no log."""

from __future__ import annotations

import html
import re

import pytest
from starlette.testclient import TestClient

from tests.support.issue1348 import CILIUM, KERNEL

PARTIAL = {"HX-Request": "true", "HX-Request-Type": "partial"}
LOG = (
    "libbpf: prog 'prog': -- BEGIN PROG LOAD LOG --\n"
    "3: (85) call unknown#195896080\ninvalid func unknown#195896080\n"
)


def text_of(answer) -> str:
    return re.sub(r"\s+", " ", html.unescape(re.sub(r"<[^>]*>", "", answer.text)))


def test_the_page_has_a_form_that_needs_no_scripts(client: TestClient):
    page = client.get("/log")
    assert page.status_code == 200
    assert 'method="post" action="/log"' in page.text
    assert "log-fact" not in page.text


def test_a_log_alone(client: TestClient):
    answer = client.post("/log", data={"log": LOG}, headers=PARTIAL)
    assert "<html" not in answer.text
    assert "poison-call" in text_of(answer)
    assert "Instruction 3" not in text_of(answer)
    assert "data-log-again" in answer.text


def test_a_log_with_its_object_and_kernel(client: TestClient, issue_object: bytes):
    answer = client.post(
        "/log",
        data={"kernel": KERNEL, "loader": CILIUM},
        files={"log": ("v.log", LOG.encode()), "object": ("prog.o", issue_object)},
        headers=PARTIAL,
    )
    said = text_of(answer)
    assert "cpuset_cgrp_id_lublub" in said
    assert "Place" in said
    assert "data-log-again" not in answer.text


def test_an_object_without_a_kernel(client: TestClient, issue_object: bytes):
    answer = client.post(
        "/log",
        data={"log": LOG, "kernel": "", "loader": ""},
        files={"object": ("prog.o", issue_object)},
        headers=PARTIAL,
    )
    assert answer.status_code == 200
    assert "Place" in text_of(answer)


def test_the_whole_page_keeps_the_log(client: TestClient):
    page = client.post("/log", data={"log": "<script>alert(1)</script>\n" + LOG})
    assert "<html" in page.text
    assert "&lt;script&gt;alert(1)" in page.text
    assert "<script>alert" not in page.text


@pytest.mark.parametrize(
    ("fields", "files", "status", "says"),
    [
        ({"log": " \n"}, {}, 422, "There is no log"),
        ({}, {}, 422, "There is no log"),
        ({"log": LOG, "kernel": "0-none"}, {"object": ("a.o", b"\x7fELF")}, 422, "no kernel"),
        ({"log": LOG, "kernel": KERNEL}, {"object": ("a.o", b"\x7fELF")}, 422, "elf"),
        ({"log": LOG, "loader": "nobody@1"}, {"object": ("a.o", b"\x7fELF")}, 422, "nobody@1"),
        ({"log": "\0\1\2\3" * 500}, {}, 200, "This is not text"),
        ({"log": "hello\n"}, {}, 200, "No line of this is known"),
    ],
)
def test_what_cannot_be_read(client: TestClient, fields, files, status, says):
    answer = client.post("/log", data=fields, files=files or None, headers=PARTIAL)
    assert answer.status_code == status
    assert says.lower() in text_of(answer).lower()
