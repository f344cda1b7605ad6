"""Kernels and types in a browser: found by keyboard alone, compared, and nothing for axe."""

from __future__ import annotations

import re
import urllib.request

import pytest
from playwright.sync_api import Page, expect

from tests.e2e.test_accessible import findings_in_both

KERNEL = "6.1.0-56-amd64"
OLDER = "5.10.0-46-amd64"
PAGES = {
    "kernels": "/kernels",
    "kernel": f"/kernels/{KERNEL}?q=task_s",
    "listing": f"/kernels/{KERNEL}?kind=union",
    "struct": f"/kernels/{KERNEL}/types/sk_buff",
    "enum": f"/kernels/{KERNEL}/types/cgroup_subsys_id",
    "function": f"/kernels/{KERNEL}/types/vfs_read",
    "types": "/types?q=task_strukt",
    "found": "/types?q=task",
    "timeline": "/types/task_struct",
    "two kernels": f"/kernels/{OLDER}/diff/{KERNEL}",
    "two types": f"/kernels/{OLDER}/diff/{KERNEL}/types/file",
    "documentation": "/docs",
    "doc": "/docs/opcodes",
    "helper": "/docs/helpers/bpf_map_lookup_elem",
}
ERRORS = {
    "no type": f"/kernels/{KERNEL}/types/task_strukt",
    "no kernel": "/kernels/9.9",
    "no doc": "/docs/nothing-of-the-kind",
}


@pytest.fixture(scope="module", autouse=True)
def _indexes(server: str) -> None:
    """Have the indexes built: seconds on the first visit, more on a busy machine."""
    for path in ("/types?q=a", PAGES["struct"], f"/kernels/{KERNEL}/health"):
        with urllib.request.urlopen(server + path, timeout=300) as answer:
            assert answer.status == 200


def pressed(page: Page, *keys: str) -> None:
    for key in keys:
        page.keyboard.press(key)


def test_a_type_is_found_by_keyboard_alone(open_page):
    page = open_page("/")
    page.get_by_role("navigation", name="Site").get_by_role("link", name="Types").focus()
    page.keyboard.press("Enter")
    page.wait_for_url("**/types")
    page.get_by_role("searchbox").focus()
    page.keyboard.type("sk_buff_f")
    expect(page.locator(".hits a").first).to_have_text("sk_buff_fclones")
    pressed(page, "ArrowDown")
    expect(page.locator(".hits a").first).to_be_focused()
    pressed(page, "ArrowUp")
    expect(page.get_by_role("searchbox")).to_be_focused()
    pressed(page, "ArrowDown", "Enter")
    page.wait_for_url("**/types/sk_buff_fclones")
    expect(page.locator("h1")).to_have_text("struct sk_buff_fclones")


def test_enter_on_an_exact_name_goes_there(open_page):
    page = open_page("/types")
    page.get_by_role("searchbox").fill("task_struct")
    expect(page.locator(".hits a").first).to_have_text("task_struct")
    page.keyboard.press("Enter")
    page.wait_for_url("**/types/task_struct")


def test_back_finds_what_was_typed(open_page):
    page = open_page("/types")
    page.get_by_role("searchbox").fill("list_head")
    expect(page.locator(".hits a").first).to_have_text("list_head")
    expect(page).to_have_url(re.compile(r"/types\?q=list_head$"))
    page.locator(".hits a").first.click()
    page.wait_for_url("**/types/list_head")
    page.go_back()
    expect(page.get_by_role("searchbox")).to_have_value("list_head")
    expect(page.locator(".hits a").first).to_have_text("list_head")


def test_a_member_is_addressed_and_lit(open_page):
    page = open_page(f"/kernels/{KERNEL}/types/task_struct#mm")
    row = page.locator("tr#mm")
    expect(row).to_be_in_viewport()
    assert row.evaluate("e => e.matches(':target')")
    row.get_by_role("link", name="mm_struct").click()
    page.wait_for_url(f"**/kernels/{KERNEL}/types/mm_struct")


def test_two_kernels_are_compared_without_jumps(open_page):
    page = open_page(f"/kernels/{KERNEL}/diff/{OLDER}")
    expect(page.locator("#diff-body table").first).to_be_visible(timeout=180_000)
    top = page.locator("#diff-body").bounding_box()
    assert top is not None
    assert top["height"] >= 400
    page.get_by_label("Name, or a part of it").fill("task_struct")
    page.get_by_role("button", name="Filter").click()
    page.get_by_role("link", name="side by side task_struct").first.click()
    expect(page.locator(".two-sides .type-block").first).to_be_visible()


def test_everything_works_without_scripts(open_page):
    page = open_page("/types", java_script_enabled=False)
    page.get_by_role("searchbox").fill("task_struct")
    page.get_by_role("button", name="Search").click()
    page.locator(".hits a").first.click()
    expect(page.locator("h1")).to_have_text("struct task_struct")
    page.get_by_role("link", name=KERNEL).first.click()
    expect(page.locator(".layout")).to_be_visible()


@pytest.mark.parametrize("name", [*PAGES, *ERRORS])
def test_axe_finds_nothing(open_page, name):
    address = PAGES.get(name) or ERRORS[name]
    page = open_page(address, expect=("404",) if name in ERRORS else ())
    if name == "two kernels":
        expect(page.locator("#diff-body table").first).to_be_visible(timeout=180_000)
    assert findings_in_both(page) == []


@pytest.mark.parametrize("name", PAGES)
def test_nothing_is_wider_than_a_narrow_screen(open_page, name):
    page = open_page(PAGES[name], viewport={"width": 390, "height": 844})
    if name == "two kernels":
        expect(page.locator("#diff-body table").first).to_be_visible(timeout=180_000)
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
