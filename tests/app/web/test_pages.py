"""The pages over HTTP: whole page or part, addresses, errors, hostile names."""

from __future__ import annotations

import re
from urllib.parse import parse_qs, urlsplit

import pytest
from starlette.testclient import TestClient

from app.learn.example import examples
from app.web.reading import draft_id
from tests.support.issue1348 import CILIUM, KERNEL, LIBBPF, program

PARTIAL = {"HX-Request": "true", "HX-Request-Type": "partial"}
FORM = {"kernel": ["", KERNEL], "loader": [CILIUM, LIBBPF]}


def post(client, obj=None, *, headers=PARTIAL, name="prog.o", **fields):
    files = {"object": (name, obj)} if obj is not None else {"object": ("", b"")}
    return client.post("/analyse", data={**FORM, **fields}, files=files, headers=headers)


def text_of(html: str) -> str:
    return re.sub(r"\s+", " ", re.sub(r"<[^>]*>", "", html))


def test_the_start_page_has_the_founding_example_and_no_result(client: TestClient):
    page = client.get("/")
    assert page.status_code == 200
    assert "cpuset_cgrp_id_lublub" in page.text
    assert 'class="verdicts"' not in page.text
    assert f'value="{KERNEL}" checked' in page.text


def test_each_example_has_an_address_with_its_own_choices(client: TestClient):
    for example in examples().values():
        page = client.get(f"/?example={example.id}")
        assert page.status_code == 200
        assert f'class="file-name">{example.file}<' in page.text
        for kernel in example.choices.get("kernels", ()):
            assert f'value="{kernel}" checked' in page.text


def test_an_unknown_example_is_the_start_page(client: TestClient):
    assert "enum-1348.bpf.c" in client.get("/?example=<b>").text


def test_htmx_gets_the_part_and_a_browser_the_page(client: TestClient, issue_object: bytes):
    part = post(client, issue_object)
    page = post(client, issue_object, headers={})
    back = post(client, issue_object, headers={"HX-Request-Type": "full"})
    assert "<html" not in part.text
    assert "<html" in page.text
    assert "<html" in back.text
    for answer in (part, page, back):
        assert "jump at slot 2 was meant for slot 5 r0 = 0x0 and lands on slot 6 exit" in text_of(
            answer.text
        )
        assert {"HX-Request", "HX-Request-Type"} <= set(answer.headers["vary"].split(", "))


def test_the_address_follows_only_for_htmx(client: TestClient, issue_object: bytes):
    pushed = post(client, issue_object).headers["hx-push-url"]
    assert parse_qs(urlsplit(pushed).query)["loader"] == [CILIUM, LIBBPF]
    assert parse_qs(urlsplit(pushed).query)["object"] == ["prog.o"]
    assert "hx-push-url" not in post(client, issue_object, headers={}).headers


def test_the_same_address_again_is_no_new_step_in_the_history(client, issue_object):
    pushed = post(client, issue_object).headers["hx-push-url"]
    here = {**PARTIAL, "HX-Current-URL": f"http://127.0.0.1{pushed}"}
    again = post(client, issue_object, headers=here)
    assert again.headers["hx-replace-url"] == pushed
    assert "hx-push-url" not in again.headers


def test_source_that_is_no_example_is_named_by_its_content(client: TestClient):
    answer = post(client, source="int x;\r\n")
    address = answer.headers["hx-push-url"]
    assert parse_qs(urlsplit(address).query)["draft"] == [draft_id("int x;\n")]
    page = client.get(address)
    assert page.status_code == 200
    assert f'data-draft="{draft_id("int x;" + chr(10))}"' in page.text
    assert "in the browser that ran it" in page.text


def test_the_address_of_an_object_says_that_it_must_be_chosen_again(client: TestClient):
    page = client.get(f"/analyse?object=prog.o&kernel={KERNEL}&loader={LIBBPF}")
    assert "prog.o was read from a disk and is not kept here" in page.text


def test_without_scripts_the_page_carries_the_object_along(client, issue_object):
    page = post(client, issue_object, headers={}).text
    kept = re.search(r'name="kept" value="([^"]+)" checked', page)
    assert kept
    again = post(client, headers={}, kept=kept[1], kept_name="prog.o", show=KERNEL)
    assert again.status_code == 200
    assert "JUMP BROKEN".lower() in again.text


def test_the_chosen_program_is_shown(client: TestClient):
    writer = program("first")
    writer.function("second", writer_exit(), section="socket/2")
    answer = post(client, writer.build(), prog="second").text
    assert re.search(r'id="program-name"><span[^>]*>second<', answer)
    assert re.search(r'name="prog" value="first"', answer)


def writer_exit():
    from tests.support.asm import exit_, mov_imm

    return mov_imm(0, 0) + exit_()


@pytest.mark.parametrize(
    ("fields", "obj", "status", "code"),
    [
        ({"source": ""}, None, 422, "source-missing"),
        ({"source": "x" * (600 << 10)}, None, 413, "source-too-large"),
        ({"source": "int x;", "kernel": ["", "6.1.0-57-amd64"]}, None, 422, "kernel-unknown"),
        ({"source": "int x;", "kernel": [""]}, None, 422, "kernel-missing"),
        ({"source": "int x;", "loader": ["nobody@1"]}, None, 422, "loader-unknown"),
        ({"source": "int x;", "loader": ["", ""]}, None, 422, "loader-missing"),
        ({}, b"\x7fELF" + b"\0" * 40, 422, "elf-malformed"),
        ({}, b"not an object at all", 422, "elf-malformed"),
    ],
)
def test_bad_input_gives_one_clear_error_with_its_status(client, fields, obj, status, code):
    for headers in (PARTIAL, {}):
        answer = post(client, obj, headers=headers, **fields)
        assert answer.status_code == status
        assert f"<code>{code}</code>" in answer.text
        assert answer.text.count('class="failure"') == 1
    assert client.get("/").status_code == 200


def test_an_error_keeps_what_was_typed(client: TestClient):
    page = post(client, headers={}, source="int keep_me;", kernel=["", "nope"]).text
    assert "int keep_me;\n</textarea>" in page


def test_a_c_file_in_place_of_an_object_goes_into_the_editor(client: TestClient):
    page = post(client, b"int from_file;", name="x.bpf.c", headers={}, kernel=["", "nope"]).text
    assert "int from_file;\n</textarea>" in page


def test_a_page_that_is_not_there(client: TestClient):
    page = client.get("/nowhere", headers={"Accept": "text/html"})
    assert page.status_code == 404
    assert "<code>not-found</code>" in page.text
    assert "<html" in page.text
    assert "<html" not in client.get("/nowhere", headers=PARTIAL).text


HOSTILE = '<img src=x onerror="alert(1)">{{7*7}}'


def test_names_of_objects_are_only_text(client: TestClient):
    writer = program(missing=HOSTILE)
    answer = post(client, writer.build(), name=f"{HOSTILE}.o", headers={}).text
    assert "<img" not in answer
    assert "&lt;img src=x onerror=" in answer
    assert "{{7*7}}" in answer


def test_names_of_functions_are_only_text_in_drawings_too(client: TestClient):
    answer = post(client, program(HOSTILE).build()).text
    assert 'class="cfg"' in answer
    assert "<img" not in answer
    drawing = answer[answer.index("<svg xmlns") :]
    assert "Control flow of &lt;img src=x onerror=&quot;" in drawing


def test_a_result_has_graphs_and_stories_that_open_without_scripts(client, issue_object):
    answer = post(client, issue_object, headers={}).text
    assert answer.count('<details class="story">') == 2
    assert answer.count('<svg xmlns="http://www.w3.org/2000/svg" class="cfg"') == 3
    assert " style=" not in answer
    assert '<details class="graphs" id="graphs">' in answer
    assert '<details class="graphs" id="graphs" open>' in post(client, issue_object, graph="1").text


def test_source_and_choices_are_only_text(client: TestClient):
    hostile = "</textarea><script>alert(1)</script>"
    page = post(client, headers={}, source=hostile, kernel=["", hostile], loader=[hostile]).text
    assert "<script>alert" not in page
    got = client.get("/analyse", params={"object": hostile, "kernel": hostile, "prog": hostile})
    assert "<script>alert" not in got.text


def test_a_name_of_a_thousand_letters_is_cut_by_style_and_whole_in_the_page(client):
    long = "v" * 1000
    answer = post(client, program(missing=long).build()).text
    assert f"::{long}" in answer


def test_templates_name_every_file_that_exists(client: TestClient):
    page = client.get("/").text
    for url in re.findall(r'(?:href|src)="(/static/[^"]+)"', page):
        assert client.get(url).status_code == 200, url
