"""A relocation step by step: drawer and page, by mouse, by keyboard, without scripts."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Page, expect

from tests.e2e.test_accessible import findings

EXAMPLE = "/analyse?example=enum-1348"
FIELDS = "/analyse?example=bitfield"


def opened(page: Page) -> Page:
    expect(page.locator("dialog.drawer .walk")).to_be_visible()
    return page


def step_number(page: Page) -> str:
    return page.locator(".walk-count").inner_text()


def test_by_mouse_from_the_table_to_the_instruction(open_page):
    page = open_page(EXAMPLE)
    page.locator("#why-1").click()
    opened(page)
    assert page.evaluate("location.hash") == "#why-1"
    expect(page.locator(".walk h2")).to_be_focused()
    for _ in range(3):
        page.get_by_role("button", name="Next step").click()
    expect(page.locator(".stage[aria-current] h3")).to_contain_text("refused")
    expect(page.locator(".type.is-looked-at")).to_contain_text("cpuset_cgrp_id = 0")
    for _ in range(3):
        page.get_by_role("button", name="Next step").click()
    expect(page.locator(".code-change.is-looked-at")).to_contain_text("call 0xbad2310")
    last = page.get_by_role("button", name="Next step")
    expect(last).to_have_attribute("aria-disabled", "true")
    page.get_by_role("button", name="Close").click()
    expect(page.locator("dialog.drawer")).to_be_hidden()
    expect(page.locator("#why-1")).to_be_focused()
    assert page.evaluate("location.hash") == ""


def test_by_keyboard_alone(open_page):
    page = open_page(FIELDS)
    page.locator("#why-1").focus()
    page.keyboard.press("Enter")
    opened(page)
    assert step_number(page).startswith("Step 1 of 7")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowLeft")
    assert step_number(page).startswith("Step 2 of 7: The accessor")
    page.keyboard.press("]")
    expect(page.locator(".walk h2")).to_contain_text("Relocation 2")
    page.keyboard.press("[")
    expect(page.locator(".walk h2")).to_contain_text("Relocation 1")
    page.keyboard.press("Escape")
    expect(page.locator("dialog.drawer")).to_be_hidden()
    expect(page.locator("#why-1")).to_be_focused()


def test_back_closes_and_forward_opens_again(open_page):
    page = open_page(EXAMPLE)
    page.locator("#why-0").click()
    opened(page)
    page.go_back()
    expect(page.locator("dialog.drawer")).to_be_hidden()
    page.go_forward()
    opened(page)


def test_an_address_opens_the_drawer(open_page):
    page = opened(open_page(f"{EXAMPLE}#why-1"))
    expect(page.locator(".walk h2")).to_contain_text("Relocation 1")
    page.keyboard.press("Escape")
    assert page.evaluate("location.hash") == ""


def test_the_next_relocation_keeps_the_focus_on_its_button(open_page):
    page = open_page(f"{FIELDS}#why-1")
    opened(page).locator("[data-way=next]").click()
    expect(page.locator(".walk h2")).to_contain_text("Relocation 2")
    expect(page.locator("[data-way=next]")).to_be_focused()
    assert page.evaluate("location.hash") == "#why-2"
    page.locator("[data-way='as-libbpf@1.7.0']").click()
    expect(page.locator(".stage.name")).to_contain_text("of kind struct")


def test_source_of_ones_own_is_walked_too(open_page):
    page = open_page("/?example=bitfield")
    page.locator("#source").evaluate(
        "(area) => { area.value = area.value.replace('sk_type : 16', 'sk_kind : 16');"
        " area.dispatchEvent(new Event('input', { bubbles: true })); }"
    )
    page.get_by_role("button", name="Run").click()
    expect(page.locator("button#why-1")).to_be_visible()
    page.locator("#why-1").click()
    opened(page)
    page.locator("[data-way=next]").click()
    expect(page.locator(".walk h2")).to_contain_text("Relocation 2")
    assert "draft=" in page.url


def test_a_long_type_is_folded_and_opens(open_page):
    page = open_page("/relocation?example=bitfield&relo=0")
    kernel = page.locator(".type[data-view=candidate-0]")
    expect(kernel.locator("tr.mark-end")).to_contain_text("u16 sk_protocol")
    expect(kernel.get_by_text("sk_socket;")).to_be_hidden()
    kernel.get_by_role("checkbox").check()
    expect(kernel.get_by_text("sk_socket;")).to_be_visible()


def test_the_text_grows_for_a_projector(open_page):
    page = open_page("/relocation?example=enum-1348&relo=1")

    def height() -> float:
        box = page.get_by_role("button", name="Next step").bounding_box()
        assert box is not None
        return box["height"]

    before = height()
    for _ in range(3):
        page.get_by_role("button", name="Larger text").click()
    assert height() > 1.8 * before
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    page.reload()
    assert height() > 1.8 * before


def test_fix_code_is_copied(open_page):
    page = open_page(
        "/relocation?example=enum-1348&relo=1", permissions=["clipboard-read", "clipboard-write"]
    )
    page.get_by_role("button", name="Copy").first.click()
    expect(page.get_by_role("button", name="Copied")).to_be_visible()
    assert "bpf_core_enum_value_exists" in page.evaluate("navigator.clipboard.readText()")


def test_without_scripts_all_of_it_is_a_page(open_page):
    page = open_page(EXAMPLE, java_script_enabled=False)
    page.locator("#why-0").click()
    page.wait_for_url(re.compile("/relocation"))
    expect(page.locator(".stage")).to_have_count(7)
    expect(page.locator(".stage p").last).to_be_visible()
    page.locator("[data-way=next]").click()
    expect(page.locator("h2")).to_contain_text("Relocation 1")
    page.get_by_role("link", name="Back to the result").click()
    expect(page.locator(".verdict")).to_have_count(2)


def test_without_scripts_an_object_is_carried_along(open_page, issue_object):
    page = open_page(java_script_enabled=False)
    page.locator("#object").set_input_files(issue_object)
    page.get_by_role("button", name="Run").click()
    page.locator("#why-1").click()
    expect(page.locator("h2")).to_contain_text("Relocation 1")
    page.locator("[data-way=previous]").click()
    expect(page.locator("h2")).to_contain_text("Relocation 0")
    page.get_by_role("button", name="Back to the result").click()
    expect(page.locator(".verdict")).to_have_count(2)


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize(
    "path", [f"{FIELDS}#why-1", "/relocation?example=renamed-field&relo=2", "/relocation?relo=1"]
)
def test_axe_finds_nothing(open_page, path, scheme):
    page = open_page(path, color_scheme=scheme, reduced_motion="reduce")
    if "#" in path:
        opened(page)
    if page.locator("[data-step='1']").count():
        page.keyboard.press("ArrowRight")
    assert findings(page) == []


def test_a_telephone_shows_it_without_scrolling_sideways(open_page):
    page = opened(open_page(f"{FIELDS}#why-1", viewport={"width": 390, "height": 844}))
    page.get_by_role("button", name="Next step").click()
    assert page.evaluate("document.querySelector('dialog').scrollWidth <= 390")
    assert findings(page) == []
