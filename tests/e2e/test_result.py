"""The result: switching kernels and loaders, panes that fold and widen, cards, long names."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from engine.core.kinds import CoreReloKind
from tests.support.asm import exit_, ld_imm64, mov_imm
from tests.support.btf_writer import values
from tests.support.issue1348 import program
from tests.support.relocating import ObjectWriter, relo

FOUNDING = "/analyse?example=enum-1348&cpu=v2"
TWO = "/analyse?example=renamed-field"
OLD, NEW = "5.10.0-46-amd64", "6.1.0-56-amd64"


def opened(open_page, data: bytes, folder: Path, *, verdicts: int = 2) -> Page:
    path = folder / "made.bpf.o"
    path.write_bytes(data)
    page = open_page()
    page.set_input_files("#object", path)
    expect(page.locator(".verdict")).to_have_count(verdicts)
    return page


def test_a_cell_of_the_strip_shows_one_loader_alone(open_page):
    page = open_page(TWO)
    page.get_by_role("link", name=f"with libbpf 1.7.0 on {OLD}").click()
    expect(page.locator(".verdict")).to_have_count(1)
    page.wait_for_url(f"**show={OLD}&one=libbpf@1.7.0")
    expect(page.locator("thead th.new")).to_have_count(1)
    page.reload()
    expect(page.locator(".verdict")).to_have_count(1)
    page.get_by_role("link", name=OLD, exact=True).click()
    expect(page.locator(".verdict")).to_have_count(2)
    page.go_back()
    expect(page.locator(".verdict")).to_have_count(1)
    page.go_forward()
    expect(page.locator(".verdict")).to_have_count(2)


def test_a_folded_pane_stands_in_the_address(open_page):
    page = open_page(TWO)
    page.locator("#panes summary").click()
    page.get_by_role("checkbox", name="before").uncheck()
    page.get_by_role("checkbox", name="C source").uncheck()
    expect(page.locator("td.old").first).to_be_hidden()
    expect(page.locator("#source-pane")).to_be_hidden()
    assert page.url.endswith("&hide=source,before")
    page.get_by_role("link", name=OLD, exact=True).click()
    page.wait_for_url(f"**show={OLD}*hide=source,before")
    page.reload()
    expect(page.locator("#row-0 td.c0")).to_be_visible()
    expect(page.locator("td.old").first).to_be_hidden()
    expect(page.locator("#source-pane")).to_be_hidden()


def test_without_scripts_an_address_folds_panes_too(open_page):
    page = open_page(f"{FOUNDING}&hide=before,c1,why", java_script_enabled=False)
    expect(page.locator("#row-0 td.c0")).to_be_visible()
    for name in ("old", "c1", "why"):
        expect(page.locator(f"#row-0 td.{name}")).to_be_hidden()


@pytest.mark.parametrize("which", ["before", "the C source"])
def test_a_pane_is_made_wider_by_keyboard_and_stays_so(open_page, which):
    page = open_page(FOUNDING)
    bar = page.get_by_role("separator", name=f"Width of {which}")
    bar.focus()
    width = int(bar.get_attribute("aria-valuenow"))
    for _ in range(3):
        page.keyboard.press("ArrowRight")
    assert int(bar.get_attribute("aria-valuenow")) == width + 48
    page.reload()
    expect(bar).to_have_attribute("aria-valuenow", re.compile(rf"{width + 47}|{width + 48}"))


def test_a_pane_is_made_wider_by_mouse(open_page):
    page = open_page(FOUNDING)
    bar = page.get_by_role("separator", name="Width of before")
    box = bar.bounding_box()
    page.mouse.move(box["x"] + 4, box["y"] + 5)
    page.mouse.down()
    page.mouse.move(box["x"] + 64, box["y"] + 5)
    page.mouse.up()
    assert bar.bounding_box()["x"] == pytest.approx(box["x"] + 60, abs=3)


def test_a_card_on_hover_stays_under_the_pointer_and_goes_with_escape(open_page):
    page = open_page(FOUNDING)
    page.locator("#row-0 td.old .register").hover()
    card = page.locator("#card")
    expect(card).to_contain_text("The first argument of a call")
    card.hover()
    page.wait_for_timeout(400)
    expect(card).to_be_visible()
    expect(card.get_by_role("link")).to_have_attribute("href", "/docs/registers#r1")
    page.keyboard.press("Escape")
    expect(card).to_be_hidden()


def test_cards_by_keyboard_alone(open_page):
    page = open_page(FOUNDING)
    page.keyboard.press("j")
    page.keyboard.press("ArrowRight")
    expect(page.locator("#card")).to_contain_text("first argument")
    page.keyboard.press("ArrowRight")
    expect(page.locator("#card")).to_contain_text("ld_imm64")
    page.keyboard.press("Tab")
    expect(page.locator("#card a")).to_be_focused()
    page.keyboard.press("Escape")
    expect(page.locator("#card")).to_be_hidden()
    expect(page.locator("#row-0 td.old .operator")).to_be_focused()


def test_the_helper_card_speaks_of_the_kernel_that_is_shown(open_page):
    page = open_page(f"{TWO}&show={OLD}")
    page.locator("#row-0 td.old .helper").hover()
    expect(page.locator("#card")).to_contain_text(f"{OLD} has it")


def test_a_waiting_answer_can_be_cancelled_and_nothing_jumps(open_page):
    page = open_page(FOUNDING, expect=("ERR_FAILED", "Failed"))
    held = []
    page.route("**/analyse", lambda route: held.append(route))
    top = page.locator("#program").bounding_box()
    page.get_by_role("button", name="Run").click()
    expect(page.locator("#result")).to_have_attribute("aria-busy", "true")
    assert page.locator("#program").bounding_box() == top
    page.get_by_role("button", name="Cancel").click()
    expect(page.locator("#result")).not_to_have_attribute("aria-busy", "true")
    expect(page.locator(".verdict")).to_have_count(2)


def test_two_tabs_do_not_disturb_each_other(open_page):
    page = open_page(TWO)
    other = page.context.new_page()
    other.goto(f"{TWO}&show={OLD}")
    expect(other.locator(".cause")).to_contain_text("no member __state")
    page.reload()
    expect(page.locator(".cause")).to_contain_text("before_5_14")


def test_a_deep_link_opens_on_its_slot(open_page):
    page = open_page(f"{TWO}#new-20")
    row = page.locator("#row-20")
    expect(row).to_have_class(re.compile("pinned"))
    page.keyboard.press("Escape")
    assert "#" not in page.url


def test_hostile_names_are_text_everywhere(open_page, tmp_path):
    name = "</script><img src=x onerror=alert(1)>"
    page = opened(open_page, program(missing=name).build(), tmp_path)
    expect(page.locator(".cause")).to_contain_text(name)
    page.evaluate("document.querySelectorAll('details').forEach((d) => (d.open = true))")
    assert page.locator("#result img").count() == 0


def test_a_very_long_name_is_cut_and_whole_on_focus(open_page, tmp_path):
    name = "x" * 10_000
    writer = ObjectWriter()
    enum = writer.btf.add_enum("cgroup_subsys_id", values(**{name: 1}))
    wanted = relo(enum, "0", CoreReloKind.ENUMVAL_VALUE, 0)
    writer.function("prog", ld_imm64(1, 1) + mov_imm(0, 0) + exit_(), wanted)
    page = opened(open_page, writer.build(), tmp_path)
    long = page.locator(".cause .long").first
    assert long.bounding_box()["height"] < 30
    long.focus()
    assert long.bounding_box()["height"] > 100
    assert name in long.inner_text()
    assert page.evaluate("document.documentElement.scrollWidth") <= 1440
