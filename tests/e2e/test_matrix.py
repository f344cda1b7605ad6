"""The matrix: from the form and from the result, by mouse, by keyboard, without scripts."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.e2e.test_accessible import findings, findings_in_both

PAGE = "/matrix?example=renamed-field"


def test_from_the_result_to_the_matrix_and_back(open_page):
    page = open_page("/analyse?example=renamed-field")
    page.get_by_role("link", name="Matrix: every relocation").click()
    rows = page.locator(".matrix tbody tr")
    expect(rows).to_have_count(3)
    step = rows.nth(1).locator("td.is-step").first
    expect(step).to_contain_text("≠ was poison on 5.10.0-46-amd64; now")
    expect(rows.nth(2).locator("td.first")).to_contain_text("6.1.0-56-amd64: 16 → poison")
    page.get_by_role("link", name="Back to the result").click()
    expect(page.locator(".verdict")).to_have_count(2)


def test_from_the_form_with_source_of_ones_own(open_page, issue_object):
    page = open_page()
    page.locator("#object").set_input_files(issue_object)
    expect(page.locator(".verdict")).to_have_count(2)
    page.get_by_role("button", name="Matrix", exact=True).click()
    expect(page.locator("h1")).to_contain_text("issue1348.bpf.o")
    page.get_by_role("button", name="libbpf 1.7.0").click()
    expect(page.locator(".choose .shown")).to_contain_text("libbpf 1.7.0")
    expect(page.locator(".matrix thead tr")).to_have_count(1)
    page.get_by_role("button", name="enum cgroup_subsys_id::").first.click()
    expect(page.locator(".walk h2")).to_contain_text("Relocation 0")


def test_the_filter_and_the_address(open_page):
    page = open_page("/matrix?example=enum-1348")
    page.get_by_role("checkbox", name="only what differs").check()
    expect(page.get_by_text("All of them say the same")).to_be_visible()
    assert "differs=1" in page.url
    page.go_back()
    expect(page.locator(".matrix tbody tr")).to_have_count(2)


def test_by_keyboard_alone(open_page):
    page = open_page(PAGE, viewport={"width": 700, "height": 900})
    box = page.get_by_role("checkbox", name="6.1.0-56-amd64")
    box.focus()
    page.keyboard.press("Space")
    page.keyboard.press("Enter")
    expect(page.locator(".matrix thead .kernel").first).to_be_visible()
    expect(page.locator(".matrix thead")).not_to_contain_text("6.1.0-56-amd64")
    page.locator(".matrix-scroll").focus()
    page.keyboard.press("ArrowRight")
    page.wait_for_function("() => document.querySelector('.matrix-scroll').scrollLeft > 0")


def test_no_more_loaders_than_are_compared(open_page):
    page = open_page(PAGE)
    for name in ("aya 0.14.0", "kernel 6.12"):
        page.get_by_role("checkbox", name=name).check()
    expect(page.get_by_role("checkbox", name="aya 0.11.0")).to_be_disabled()
    page.get_by_role("button", name="Show").click()
    expect(page.locator(".matrix thead tr").nth(1)).to_contain_text("kernel 6.12")


def test_csv_is_saved(open_page, tmp_path: Path):
    page = open_page(PAGE)
    with page.expect_download() as waiting:
        page.get_by_role("button", name="CSV").click()
    file = tmp_path / "matrix.csv"
    waiting.value.save_as(file)
    rows = list(csv.reader(file.read_text().splitlines()))
    assert len(rows) == 4
    assert rows[3][-1] == "6.1.0-56-amd64: 16 → poison"


def test_without_scripts(open_page, issue_object):
    page = open_page(java_script_enabled=False)
    page.locator("#object").set_input_files(issue_object)
    page.get_by_role("button", name="Matrix", exact=True).click()
    expect(page.locator(".matrix tbody tr")).to_have_count(2)
    page.get_by_role("checkbox", name="only what differs").check()
    page.get_by_role("button", name="Show").click()
    expect(page.get_by_text("All of them say the same")).to_be_visible()
    page.get_by_role("button", name="Back to the result").click()
    expect(page.locator(".verdict")).to_have_count(2)


@pytest.mark.parametrize("path", [PAGE, "/matrix?example=enum-1348&differs=1"])
def test_axe_finds_nothing(open_page, path):
    assert findings_in_both(open_page(path)) == []


def test_a_telephone_scrolls_the_table_alone(open_page):
    page = open_page(PAGE, viewport={"width": 390, "height": 844})
    assert page.evaluate("document.documentElement.scrollWidth <= 390")
    assert findings(page) == []
