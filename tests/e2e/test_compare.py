"""Any two side by side: loaders, kernels, compilers; with scripts and without."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, expect

from app.sandbox import clang
from tests.support.issue1348 import CILIUM, FIXED, KERNEL, LIBBPF

FOUNDING = "/analyse?example=enum-1348&cpu=v2"
OLD = "5.10.0-46-amd64"


def compared(page: Page, left: tuple[str, ...], right: tuple[str, ...]) -> Page:
    page.get_by_text("Compare any two").click()
    for side, wanted in (("left", left), ("right", right)):
        for what, value in zip(("kernel", "loader", "clang"), wanted, strict=False):
            page.get_by_label(f"{side} {what}").select_option(value)
    page.get_by_role("button", name="Compare").click()
    expect(page.locator("th .side")).to_have_text(["left", "right"])
    return page


def test_two_kernels_of_one_loader(open_page):
    page = compared(open_page(FOUNDING), (KERNEL, LIBBPF), (OLD, LIBBPF))
    expect(page.locator(".parting")).to_contain_text(
        f"libbpf 1.7.0 on {KERNEL} and libbpf 1.7.0 on {OLD} both write the same 8 slots"
    )
    page.wait_for_url(f"**left={KERNEL}/{LIBBPF}**right={OLD}/{LIBBPF}**")
    page.reload()
    expect(page.locator(".verdict .who")).to_have_text(
        [f"libbpf 1.7.0 on {KERNEL}", f"libbpf 1.7.0 on {OLD}"]
    )
    page.get_by_role("link", name="Back to all").click()
    expect(page.locator(".verdict .who")).to_have_text(["cilium 0.13.0", "libbpf 1.7.0"])
    page.go_back()
    expect(page.locator("th .side")).to_have_count(2)


def test_two_versions_of_a_loader_part_at_the_poison(open_page):
    page = compared(open_page(FOUNDING), (KERNEL, CILIUM), (KERNEL, FIXED))
    expect(page.locator(".parting")).to_contain_text("part at slot 3: 2 slots differ of 8")
    page.keyboard.press("n")
    expect(page.locator("#row-3")).to_be_focused()


def test_without_scripts(open_page):
    page = open_page(FOUNDING, java_script_enabled=False)
    compared(page, (KERNEL, CILIUM), (OLD, FIXED))
    expect(page.locator(".parting")).to_contain_text("part at slot 3")
    page.get_by_role("button", name="Run").click()
    expect(page.locator("th .side")).to_have_count(2)


def test_two_compilers(open_page):
    majors = [str(found.major) for found in clang.installed()]
    if len(majors) < 2:
        pytest.skip("one clang is installed")
    new, old = majors[0], majors[-1]
    page = open_page("/analyse?example=renamed-field")
    compared(page, (KERNEL, LIBBPF, old), (KERNEL, LIBBPF, new))
    expect(page.locator("th.new").first).to_contain_text(f"libbpf 1.7.0, clang {old}")
    expect(page.locator("#bytes .half .slot").first).to_be_visible()
    says = page.locator(".parting").inner_text()
    assert ("give the same" in says) or ("They part at row" in says)


def test_a_kernel_that_does_not_exist_is_named(open_page):
    page = open_page(f"{FOUNDING}&left=nowhere/{LIBBPF}&right={OLD}/{LIBBPF}", expect=("422",))
    expect(page.locator(".failure")).to_contain_text("nowhere")
