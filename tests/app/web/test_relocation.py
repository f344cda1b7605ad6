"""One relocation over HTTP: page and part, by address and by form, hostile names."""

from __future__ import annotations

import re

import pytest
from starlette.testclient import TestClient

from engine.core.kinds import CoreReloKind
from tests.support.asm import exit_, ld_imm64, mov_imm
from tests.support.btf_writer import values
from tests.support.issue1348 import CILIUM, KERNEL, LIBBPF
from tests.support.relocating import ObjectWriter, relo

PARTIAL = {"HX-Request": "true", "HX-Request-Type": "partial"}
FORM = {"kernel": ["", KERNEL], "loader": [CILIUM, LIBBPF]}
HOSTILE = "</script><img src=x onerror=alert(1)>"


def post(client: TestClient, obj: bytes, query: str = "relo=1", *, headers=None, **fields):
    files = {"object": ("prog.o", obj)}
    data = {**FORM, **fields}
    return client.post(f"/relocation?{query}", data=data, files=files, headers=headers)


def text_of(html: str) -> str:
    return re.sub(r"\s+", " ", re.sub(r"<[^>]*>", " ", html))


def test_an_object_is_walked_on_a_page_that_can_ask_again(client: TestClient, issue_object: bytes):
    page = post(client, issue_object)
    assert page.status_code == 200
    assert "<html" in page.text
    said = text_of(page.text)
    assert "is refused: it has no enumerator cpuset_cgrp_id_lublub" in said
    assert "one slot is lost" in said
    assert "1 of 2" not in said
    assert "2 of 2" in said
    assert '<textarea name="kept" hidden' in page.text
    assert 'formaction="/relocation?prog=prog&amp;show=6.1.0-56-amd64&amp;as=' in page.text


def test_a_script_gets_the_part_which_posts_the_form_of_the_result(client, issue_object):
    part = post(client, issue_object, headers=PARTIAL)
    assert "<html" not in part.text
    assert 'form="run-form"' in part.text
    assert 'id="again"' not in part.text


def test_the_page_can_be_asked_again_with_what_it_carries(client, issue_object):
    page = post(client, issue_object).text
    kept = re.search(r'<textarea name="kept"[^>]*>\n([^<]+)</textarea>', page)
    assert kept
    data = {**FORM, "kept": kept[1], "kept_name": "prog.o"}
    again = client.post(f"/relocation?relo=0&as={LIBBPF}", data=data)
    assert again.status_code == 200
    assert "enumval_exists" in again.text
    assert "libbpf 1.7.0 looks for types of kind enum" in text_of(again.text)


def test_the_address_of_an_example_is_a_page_with_links(client: TestClient):
    page = client.get(f"/relocation?example=enum-1348&relo=1&as={LIBBPF}")
    assert page.status_code == 200
    assert "<form" not in page.text
    assert 'data-way="previous"' in page.text
    assert f'href="/kernels/{KERNEL}/types/cgroup_subsys_id"' in page.text


def test_the_address_of_a_draft_says_where_its_source_is(client: TestClient):
    page = client.get("/relocation?draft=0123456789ab&relo=1")
    assert page.status_code == 200
    assert "in the browser that ran it" in page.text


@pytest.mark.parametrize("query", ["relo=77", "relo=1&prog=none&relo=99"])
def test_a_relocation_that_is_not_there(client, issue_object, query):
    page = post(client, issue_object, query)
    assert page.status_code == 404
    assert "relocation-unknown" in page.text
    assert "It has: 0, 1." in page.text
    assert "<html" not in post(client, issue_object, query, headers=PARTIAL).text


def test_source_that_does_not_compile_is_told_with_its_remarks(client: TestClient):
    answer = client.post("/relocation?relo=0", data={**FORM, "source": "int a = b;\n"})
    assert answer.status_code in (422, 503)
    assert 'class="failure"' in answer.text


def test_hostile_names_are_text(client: TestClient):
    writer = ObjectWriter()
    enum = writer.btf.add_enum("cgroup_subsys_id", values(**{HOSTILE: 1}))
    record = relo(enum, "0", CoreReloKind.ENUMVAL_VALUE, 1)
    writer.function("prog", mov_imm(0, 0) + ld_imm64(1, 1) + exit_(), record)
    page = post(client, writer.build(), "relo=0")
    assert page.status_code == 200
    assert "<img src=x" not in page.text
    assert "&lt;img src=x onerror=alert(1)&gt;" in page.text


def test_a_very_long_name_is_cut_and_can_be_opened(client: TestClient):
    writer = ObjectWriter()
    enum = writer.btf.add_enum("cgroup_subsys_id", values(**{"x" * 10_000: 1}))
    record = relo(enum, "0", CoreReloKind.ENUMVAL_VALUE, 1)
    writer.function("prog", mov_imm(0, 0) + ld_imm64(1, 1) + exit_(), record)
    page = post(client, writer.build(), "relo=0").text
    assert page.count("x" * 10_000) == 1
    assert re.search(r"<details class=\"whole\"><summary>whole name, 10,\d+ characters", page)
