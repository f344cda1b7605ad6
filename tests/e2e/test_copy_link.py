"""Copy link: the whole state in the address, back again, and what hostile addresses do."""

from __future__ import annotations

import base64
import json
import re
import zlib
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.e2e.editing import drop, drop_path, editor, source, work_is_kept, write

GRANTED = ["clipboard-read", "clipboard-write"]
STATE = {"v": 1, "main": "a.c", "files": [["a.c", "int a;\n"]], "fields": [], "hash": ""}


def link_of(page: Page) -> str:
    editor(page)
    page.get_by_role("button", name="Copy link").click()
    link = page.get_by_label("Link", exact=True).input_value()
    page.keyboard.press("Escape")
    return link


def letters(data: bytes) -> str:
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    packed = packer.compress(data) + packer.flush()
    return base64.urlsafe_b64encode(packed).decode().rstrip("=")


def made(**changes: Any) -> str:
    return letters(json.dumps({**STATE, **changes}).encode())


def test_the_link_is_copied_and_its_length_shown(open_page):
    page = open_page(permissions=GRANTED)
    editor(page)
    page.get_by_role("button", name="Copy link").click()
    status = page.locator("#link-status")
    expect(status).to_contain_text("Copied: ")
    link = page.get_by_label("Link", exact=True).input_value()
    assert page.evaluate("navigator.clipboard.readText()") == link
    expect(status).to_contain_text(f"{len(link):,} characters")
    assert len(link) < 1200
    expect(page.get_by_label("Link", exact=True)).to_be_focused()


def test_where_the_clipboard_is_refused_the_field_is_there(open_page):
    page = open_page()
    page.evaluate("navigator.clipboard.writeText = () => Promise.reject(new Error('no')); 0")
    editor(page)
    page.get_by_role("button", name="Copy link").click()
    expect(page.locator("#link-status")).to_contain_text("Copy it with Ctrl+C")
    assert page.evaluate("document.activeElement.value").startswith("http")


def test_a_long_link_says_so(open_page):
    page = open_page()
    noise = "".join(f"int v{n * 7919 % 100003}_{n * 104729 % 999983};\n" for n in range(3000))
    write(page, noise)
    page.get_by_role("button", name="Copy link").click()
    expect(page.locator("#link-status")).to_contain_text("attach the files")


def test_everything_comes_back(open_page):
    page = open_page()
    write(page, source(page).replace("lublub", "linked"))
    drop(page, ("mine.h", b"#define MINE\n"))
    page.get_by_role("tab").first.click()
    page.locator(".kernels summary").click()
    page.locator("input[name=kernel]").nth(1).check()
    chosen = page.locator("input[name=kernel]:checked").evaluate_all("b => b.map((x) => x.value)")
    page.keyboard.press("Escape")
    page.select_option("select[name=loader] >> nth=1", "cilium@0.13.1")
    page.select_option("select[name=cpu]", "v2")
    page.select_option("select[name=opt]", "O1")
    page.keyboard.press("Control+Enter")
    page.wait_for_url("**draft=*")
    page.locator("#row-3 a.slot").first.click()
    assert page.url.endswith("#row-3")
    link = link_of(page)
    other = open_page(link)
    editor(other)
    expect(other.locator("#from-link")).to_contain_text("enum-1348.bpf.c, mine.h")
    assert other.locator(".verdict").count() == 0, "nothing runs by itself"
    assert "cpuset_cgrp_id_linked" in source(other)
    assert other.locator(".tab").all_inner_texts() == ["enum-1348.bpf.c main", "mine.h"]
    kept = other.locator("input[name=kernel]:checked").evaluate_all("b => b.map((x) => x.value)")
    assert kept == chosen
    expect(other.locator("select[name=loader]").nth(1)).to_have_value("cilium@0.13.1")
    expect(other.locator("select[name=cpu]")).to_have_value("v2")
    expect(other.locator("select[name=opt]")).to_have_value("O1")
    other.keyboard.press("Enter")  # the offer has the focus
    expect(other.locator(".cause")).to_contain_text("cpuset_cgrp_id_linked")
    expect(other.locator("#row-3")).to_have_class(re.compile("pinned"))
    assert other.url.split("#")[0].split("?")[1] == page.url.split("#")[0].split("?")[1]


def test_an_object_travels_along(open_page, issue_object: Path):
    page = open_page()
    drop_path(page, issue_object)
    expect(page.locator(".verdict")).to_have_count(2)
    other = open_page(link_of(page))
    expect(other.locator("#object-chip")).to_contain_text("issue1348.bpf.o")
    other.get_by_role("button", name="Run").first.click()
    expect(other.locator(".verdict.jump-broken")).to_have_count(1)


def test_the_server_never_hears_of_the_state(open_page):
    page = open_page()
    write(page, "int secret_name;\n")
    link = link_of(page)
    other = open_page("/log", expect=("422",))
    heard: list[str] = []
    other.on("request", lambda r: heard.append(f"{r.url} {r.headers} {r.post_data or ''}"))
    other.goto(link)
    expect(other.locator("#from-link")).to_be_visible()
    packed = link.split("#s=")[1]
    assert not any(packed in said or "secret_name" in said for said in heard)
    other.keyboard.press("Control+Enter")
    expect(other.locator(".failure")).to_be_visible()
    assert not any(packed in said.lower() for said in heard)


def test_back_and_forward_over_a_link(open_page):
    page = open_page(f"/#s={made(files=[['a.c', 'int a = nothing;']])}", expect=("422",))
    editor(page)
    page.keyboard.press("Control+Enter")
    expect(page.locator(".failure")).to_be_visible()
    page.wait_for_url("**draft=*")
    page.go_back()
    expect(page.locator("#from-link")).to_be_visible()
    assert source(page) == "int a = nothing;"
    page.go_forward()
    expect(page.locator(".failure")).to_be_visible()


def test_another_link_in_the_same_tab(open_page):
    page = open_page(f"/#s={made()}")
    expect(page.locator("#from-link")).to_be_visible()
    other = made(files=[["a.c", "int other;\n"]])
    page.evaluate(f"location.hash = 's={other}'")
    expect(editor(page)).to_have_text("int other;")


def test_work_on_a_link_survives_a_reload(open_page):
    page = open_page(f"/#s={made()}")
    expect(page.locator("#from-link")).to_be_visible()
    write(page, "int edited;\n")
    work_is_kept(page)
    page.reload()
    expect(editor(page)).to_have_text("int edited;")


def test_a_kernel_that_is_not_here_is_named(open_page):
    page = open_page(f"/#s={made(fields=[['kernel', '1.0-nowhere'], ['loader', 'x@1']])}")
    expect(page.locator("#from-link")).to_contain_text("does not have 1.0-nowhere, x@1")


BOMB = letters(b'{"v":1,"main":"a.c","files":[["a.c","' + b"x" * 50_000_000 + b'"]]}')
HOSTILE = {
    "empty": "",
    "not base64": "%%%%",
    "a percent sign that decodes to nothing": "%E0%A4%A",
    "not deflated": base64.urlsafe_b64encode(b"hello world").decode(),
    "cut": made()[:20],
    "not JSON": letters(b"{"),
    "not UTF-8": letters(b"\xff\xfe\xfd"),
    "null": letters(b"null"),
    "no files": made(files=[]),
    "files that are no pairs": made(files=[1, 2]),
    "a path": made(main="../a.c", files=[["../a.c", ""]]),
    "markup as a name": made(main="<img src=x>.c", files=[["<img src=x>.c", ""]]),
    "two of one name": made(files=[["a.c", ""], ["a.c", ""]]),
    "another main file": made(main="b.c"),
    "a header as main": made(main="a.h", files=[["a.h", ""]]),
    "fields of the wrong kind": made(fields=[["kernel", 7]]),
    "an object that is not there": made(object="x.o"),
    "from the future": made(v=99),
    "a bomb": BOMB,
    "too long": "A" * 500_000,
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_link_gets_one_sentence(open_page, name):
    page = open_page(f"/#s={HOSTILE[name]}")
    expect(page.locator(".failure h2")).to_have_text("This link cannot be opened")
    expect(page.locator(".failure p")).to_have_count(1)
    expect(page.locator(".failure p")).to_contain_text("This link")
    assert "cpuset_cgrp_id_lublub" in source(page), "the page is as it was"


def test_hostile_fields_become_no_others_of_the_form(open_page):
    fields = [["kept", "x"], ["source", "x"], ["auto", "1"], ["X<b>", "1"], ["prog", "<b>"]]
    page = open_page(f"/#s={made(fields=fields)}")
    expect(page.locator("#from-link")).to_be_visible()
    names = page.locator(".from-link").evaluate_all("e => e.map((x) => x.name)")
    assert names == ["prog"]


def test_without_scripts_there_is_no_button(open_page):
    page = open_page(java_script_enabled=False)
    assert page.get_by_text("Copy link").count() == 0
