"""Large objects in a browser: 5,000 slots, 60 programs."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.support.large import long_program, many_programs


def opened(open_page, data: bytes, folder: Path, **options: object) -> Page:
    path = folder / "large.bpf.o"
    path.write_bytes(data)
    page = open_page(**options)
    page.set_input_files("#object", path)
    expect(page.locator(".verdict")).to_have_count(2)
    return page


@pytest.fixture(scope="module")
def long_object() -> bytes:
    return long_program()


def rows(page: Page) -> int:
    return page.locator("#rows .slot-row").count()


def test_rows_come_as_the_table_is_scrolled(open_page, long_object, tmp_path):
    page = opened(open_page, long_object, tmp_path)
    assert rows(page) == 200
    expect(page.locator(".pager")).to_contain_text("slots 0 to 199 of 5003")
    page.evaluate("document.getElementById('bytes').scrollTop = 1e6")
    expect(page.locator("#row-399")).to_be_attached()
    expect(page.locator(".pager")).to_contain_text("slots 0 to 399 of 5003")
    page.locator("#row-324").hover()
    assert "reloc-17" in page.evaluate("[...document.querySelectorAll('.lit')].map((e) => e.id)")


def test_keys_go_on_to_rows_that_were_not_there_yet(open_page, long_object, tmp_path):
    page = opened(open_page, long_object, tmp_path)
    page.keyboard.press("j")
    page.keyboard.press("End")
    page.keyboard.press("ArrowDown")
    expect(page.locator("#row-200")).to_be_focused()


def test_an_address_leads_to_a_slot_far_below(open_page, long_object, tmp_path):
    page = opened(open_page, long_object, tmp_path)
    page.evaluate("location.hash = '#row-4004'")
    expect(page.locator("#row-4004.pinned")).to_be_in_viewport()
    assert "at=4004" in page.url
    assert page.url.endswith("#row-4004")
    page.get_by_role("button", name="earlier slots").click()
    expect(page.locator("#row-3999")).to_be_attached()
    page.go_back()
    # The object is the reader's own: the server keeps nothing of it, and says so.
    expect(page.locator("#absent")).to_contain_text("large.bpf.o")


def test_the_next_difference_is_found_on_a_later_page(open_page, long_object, tmp_path):
    page = opened(open_page, long_object, tmp_path)
    for _ in range(6):
        page.keyboard.press("n")
    expect(page.locator("#row-205")).to_be_focused()
    page.keyboard.press("Shift+N")
    expect(page.locator("#row-165")).to_be_focused()


def test_without_scripts_the_pages_are_turned_by_buttons(open_page, long_object, tmp_path):
    path = tmp_path / "large.bpf.o"
    path.write_bytes(long_object)
    page = open_page(java_script_enabled=False)
    page.set_input_files("#object", path)
    page.get_by_role("button", name="Run").click()
    page.get_by_role("button", name="later slots").click()
    expect(page.locator("#row-200")).to_be_attached()
    expect(page.locator("#row-199")).to_have_count(0)


def test_a_program_is_found_among_sixty(open_page, tmp_path):
    page = opened(open_page, many_programs(), tmp_path)
    expect(page.locator("#programs li")).to_have_count(60)
    expect(page.locator("#program-name .fn")).to_have_text("program_9")
    page.get_by_label("60 programs").fill("poison reachable")
    expect(page.locator("[data-filtered]")).to_have_text("6 of 60")
    page.get_by_label("60 programs").fill("program_57")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(page.locator("#program-name .fn")).to_have_text("program_57")
    page.wait_for_url("**prog=program_57*")
    expect(page.locator("#programs .shown")).to_be_in_viewport()


def test_sixty_programs_on_a_narrow_screen_do_not_widen_it(open_page, tmp_path):
    page = opened(open_page, many_programs(), tmp_path, viewport={"width": 390, "height": 844})
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
