"""The bytecode by keyboard alone; nothing happens while typing."""

from __future__ import annotations

import re

from playwright.sync_api import Page, expect

FOUNDING = "/analyse?example=enum-1348&cpu=v2"


def presses(page: Page, *keys: str) -> None:
    for key in keys:
        page.keyboard.press(key)


def at(page: Page, slot: int) -> None:
    expect(page.locator(f"#row-{slot}")).to_be_focused()


def test_rows_relocations_and_differences(open_page):
    page = open_page(FOUNDING)
    presses(page, "j", "j")
    at(page, 1)
    presses(page, "k")
    at(page, 0)
    presses(page, "]")
    at(page, 3)
    presses(page, "[")
    at(page, 0)
    presses(page, "n")
    at(page, 4)
    presses(page, "j", "Shift+N")
    at(page, 4)
    presses(page, "End")
    at(page, 7)
    presses(page, "Home", "ArrowDown", "PageDown")
    at(page, 7)
    presses(page, "PageUp", "ArrowUp")
    at(page, 0)


def test_the_focused_row_lights_the_others_and_is_pinned_by_enter(open_page):
    page = open_page(FOUNDING)
    presses(page, "j", "]")
    assert "reloc-1" in page.evaluate("[...document.querySelectorAll('.lit')].map((e) => e.id)")
    presses(page, "Enter")
    assert page.url.endswith("#row-3")
    expect(page.locator("#reloc-1")).to_have_class(re.compile("pinned"))
    presses(page, "Enter")
    assert "#" not in page.url
    presses(page, "Enter", "Escape")
    assert page.locator(".pinned").count() == 0


def test_letters_are_letters_while_typing(open_page):
    page = open_page(FOUNDING)
    page.locator("c-editor .cm-content").click()
    presses(page, "j", "n")
    assert page.locator(".slot-row:focus").count() == 0


def test_single_letters_can_be_switched_off(open_page):
    page = open_page(FOUNDING)
    presses(page, "?")
    expect(page.locator("#keys")).to_contain_text("next difference between the columns")
    page.get_by_label("keys of a single letter").uncheck()
    presses(page, "Escape", "j")
    assert page.locator(".slot-row:focus").count() == 0
    page.reload()
    presses(page, "j")
    assert page.locator(".slot-row:focus").count() == 0
