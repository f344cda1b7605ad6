"""No finding of axe (WCAG 2.2 AA) on any state of the page, in light and in dark."""

from __future__ import annotations

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from tests.e2e.editing import drop, editor, write

TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
OPTIONS = {"runOnly": {"type": "tag", "values": TAGS}, "resultTypes": ["violations"]}
COMPARED = "&left=6.1.0-56-amd64/cilium@0.13.0{}&right=5.10.0-46-amd64/libbpf@1.7.0{}"
STATES = (
    "empty",
    "result",
    "kernels",
    "error",
    "absent",
    "not-found",
    "api",
    "log",
    "files",
    "refused",
)
STATES += ("dropped-log", "compare", "clangs")


def open_state(open_page, state: str, **options: object) -> Page:
    if state == "not-found":
        return open_page("/nowhere", expect=("404",), **options)
    if state == "api":
        return open_page("/api/docs", **options)
    if state == "absent":
        return open_page("/analyse?draft=0123456789ab", **options)
    if state == "kernels":
        return open_page("/analyse?example=renamed-field", **options)
    if state == "compare":
        return open_page("/analyse?example=enum-1348" + COMPARED.format("", ""), **options)
    if state == "clangs":
        return open_page("/analyse?example=enum-1348" + COMPARED.format("/14", "/19"), **options)
    if state == "log":
        return open_page("/log", **options)
    page = open_page(expect=("422",), **options)
    editor(page)
    if state == "files":
        drop(page, ("a.h", b"#define A\n"), ("b.h", b"#define B\n"))
        return page
    if state == "refused":
        drop(page, ("x.bin", b"\0\1\2"))
        return page
    if state == "dropped-log":
        drop(page, ("v.log", b"0: (85) call unknown#195896080\ninvalid func unknown#195896080\n"))
        expect(page.locator(".log-answer")).to_be_visible()
        return page
    if state == "error":
        write(page, "int a = b;\n")
    if state != "empty":
        page.keyboard.press("Control+Enter")
        expect(page.locator(".verdicts, .failure")).to_be_visible()
    return page


def findings(page: Page) -> list[str]:
    answer = Axe().run(page, options=OPTIONS).response
    return [
        f"{rule['id']}: {node['target']} {node['failureSummary']}"
        for rule in answer["violations"]
        for node in rule["nodes"]
    ]


def findings_in_both(page: Page) -> list[str]:
    """What axe finds in light and in dark colours on one page that is loaded once."""
    found = []
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
        found += [f"{scheme}: {finding}" for finding in findings(page)]
    return found


@pytest.mark.parametrize("state", STATES)
def test_axe_finds_nothing(open_page, state):
    assert findings_in_both(open_state(open_page, state)) == []


def test_axe_finds_nothing_on_a_narrow_screen(open_page):
    page = open_state(open_page, "result", viewport={"width": 390, "height": 844})
    assert findings(page) == []


@pytest.mark.parametrize("example", ["enum-1348", "guard-then-code", "renamed-field"])
def test_axe_finds_nothing_with_graphs_and_stories_open(open_page, example):
    page = open_page(f"/analyse?example={example}")
    page.evaluate("document.querySelectorAll('.graphs, .story').forEach((d) => (d.open = true))")
    assert findings_in_both(page) == []


def test_axe_finds_nothing_with_menus_open_and_a_row_pinned(open_page):
    page = open_state(open_page, "result")
    page.locator("#row-3 a.slot").click()
    page.locator(".examples summary").click()
    assert findings_in_both(page) == []
    page.locator(".kernels summary").click()
    page.locator("#reloc-1").hover()
    assert findings(page) == []


def test_every_target_is_large_enough(open_page):
    page = open_state(open_page, "result")
    small = page.evaluate(
        """[...document.querySelectorAll("button, select, summary, .turn, input[type=checkbox]")]
        .filter((e) => e.checkVisibility() && !e.closest("label"))
        .map((e) => [e.outerHTML.slice(0, 80), e.getBoundingClientRect()])
        .filter(([, box]) => box.width < 24 || box.height < 24)
        .map(([text]) => text)"""
    )
    assert small == []


@pytest.mark.parametrize("opener", ["#help", "#copy-link", "[data-action=add]"])
def test_axe_finds_nothing_in_a_dialog(open_page, opener):
    page = open_state(open_page, "empty")
    page.locator(opener).click()
    expect(page.locator("dialog[open]")).to_be_visible()
    assert findings_in_both(page) == []
