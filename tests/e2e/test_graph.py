"""Control-flow graphs: pan and zoom by mouse, wheel, keys, buttons; lists; files; links."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.e2e.test_accessible import findings

RESULT = "/analyse?example=enum-1348"
ALONE = "/graph?example=guard-then-code"


def opened(page: Page) -> Page:
    page.get_by_text("Control flow", exact=True).click()
    expect(page.locator(".graph-view").first).to_be_visible()
    return page


def shown(view: Locator) -> list[float]:
    return [float(n) for n in (view.locator("svg").get_attribute("viewBox") or "").split()]


def test_buttons_zoom_and_fit(open_page):
    page = opened(open_page(RESULT))
    figure = page.locator(".graph").nth(1)
    view = figure.locator(".graph-view")
    before = shown(view)
    figure.get_by_role("button", name="Larger").click()
    assert shown(view)[2] < before[2]
    for _ in range(9):
        figure.get_by_role("button", name="Smaller").click()
    expect(view.locator("svg")).to_have_attribute("data-level", "number")
    expect(view.locator(".cfg-full").first).to_be_hidden()
    figure.get_by_role("button", name="fit").click()
    expect(view.locator("svg")).to_have_attribute("data-level", "full")
    figure.get_by_role("combobox").select_option("short")
    expect(view.locator(".cfg-short").first).to_be_visible()


def test_keys_zoom_and_pan_only_with_focus(open_page):
    page = open_page(ALONE)
    view = page.locator(".graph-view").first
    before = shown(view)
    page.keyboard.press("+")
    assert shown(view) == before
    view.focus()
    page.keyboard.press("+")
    larger = shown(view)
    assert larger[2] < before[2]
    page.keyboard.press("ArrowRight")
    assert shown(view)[0] > larger[0]
    page.keyboard.press("ArrowDown")
    assert shown(view)[1] > larger[1]
    page.keyboard.press("0")
    assert shown(view)[2] == pytest.approx(before[2], rel=0.6)


def test_the_wheel_needs_control_or_focus(open_page):
    page = open_page(ALONE)
    view = page.locator(".graph-view").first
    before = shown(view)
    view.hover()
    page.mouse.wheel(0, -100)
    assert shown(view) == before
    page.keyboard.down("Control")
    page.mouse.wheel(0, -100)
    page.keyboard.up("Control")
    page.wait_for_function(
        "w => +document.querySelector('.cfg').getAttribute('viewBox').split(' ')[2] < w",
        arg=before[2],
    )


def test_drag_moves_it(open_page):
    page = open_page(ALONE)
    view = page.locator(".graph-view").first
    before, box = shown(view), view.bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + 60, box["y"] + 60)
    page.mouse.down()
    page.mouse.move(box["x"] + 100, box["y"] + 90, steps=4)
    page.mouse.up()
    after = shown(view)
    assert after[0] < before[0]
    assert after[1] < before[1]


def test_two_fingers_zoom(open_page):
    page = open_page(ALONE, has_touch=True)
    view = page.locator(".graph-view").first
    before = shown(view)
    view.evaluate(
        """(box) => {
          const r = box.getBoundingClientRect();
          const send = (type, id, x) => box.dispatchEvent(new PointerEvent(type, {
            pointerId: id, pointerType: "touch", clientX: r.left + x, clientY: r.top + 80,
            bubbles: true }));
          box.setPointerCapture = () => {};
          send("pointerdown", 1, 80); send("pointerdown", 2, 120);
          send("pointermove", 1, 40); send("pointermove", 2, 160);
          send("pointerup", 1, 40); send("pointerup", 2, 160);
        }"""
    )
    assert shown(view)[2] < before[2] / 2


def test_a_row_lights_its_blocks_and_a_block_pins_its_rows(open_page):
    page = opened(open_page(RESULT))
    page.locator("#row-3 td.line").hover()
    expect(page.locator(".cfg-block.lit")).to_have_count(3)
    block = page.locator(".graph").nth(1).locator(".cfg-block").nth(1)
    block.hover()
    expect(page.locator("#row-5")).to_have_class("slot-row k3 lit")
    block.click(position={"x": 20, "y": 8})
    assert page.evaluate("location.hash") == "#cfg-cilium-0-13-0-6-1-0-56-amd64-b1"
    expect(page.locator("#row-3.pinned, #row-5.pinned")).to_have_count(2)
    page.reload()
    expect(page.locator(".cfg-block.pinned").first).to_be_visible()


def test_the_views_change_in_place(open_page):
    page = opened(open_page(RESULT))
    page.get_by_role("link", name="laid over the one before").click()
    expect(page.get_by_text("astray, to 7")).to_be_visible()
    expect(page.locator(".graph")).to_have_count(2)
    expect(page.locator(".graph-looks [aria-current]")).to_be_focused()
    expect(page.locator(".verdict")).to_have_count(2)
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(page.locator(".block-list[open]")).to_have_count(3)
    expect(page.get_by_text("cannot run").first).to_be_visible()


def test_files_are_saved(open_page, tmp_path: Path):
    page = opened(open_page(RESULT))
    figure = page.locator(".graph").nth(1)
    for name in ("SVG", "DOT", "PNG"):
        with page.expect_download() as waiting:
            figure.locator(".file", has_text=name).click()
        file = tmp_path / waiting.value.suggested_filename
        waiting.value.save_as(file)
        assert file.name == f"control-flow-cilium-0.13.0.{name.lower()}"
        data = file.read_bytes()
        starts = {"SVG": b"<?xml", "DOT": b"digraph", "PNG": b"\x89PNG"}[name]
        assert data.startswith(starts)
        assert len(data) > 400


def test_source_of_ones_own_has_files_and_views_too(open_page, issue_object):
    page = open_page()
    page.locator("#object").set_input_files(issue_object)
    expect(page.locator(".verdict")).to_have_count(2)
    opened(page)
    with page.expect_download() as waiting:
        page.locator(".graph").nth(1).get_by_text("PNG").click()
    assert waiting.value.suggested_filename == "control-flow-cilium-0.13.0.png"
    with page.expect_download() as waiting:
        page.locator(".graph").first.get_by_text("DOT").click()
    assert waiting.value.suggested_filename == "control-flow-before.dot"
    page.get_by_role("button", name="laid over").click()
    expect(page.get_by_text("astray, to 7")).to_be_visible()
    page.get_by_role("button", name="on a page of its own").click()
    expect(page.locator("h1")).to_contain_text("Control flow of prog")


def test_without_scripts_it_is_a_page_with_lists(open_page):
    page = open_page(RESULT, java_script_enabled=False)
    page.get_by_text("Control flow", exact=True).click()
    page.get_by_role("link", name="as a list").click()
    expect(page.locator("h1")).to_contain_text("Control flow of prog")
    expect(page.locator(".block-list[open] li").first).to_contain_text("slots 0 to 2")
    page.get_by_role("link", name="Back to the result").click()
    expect(page.locator(".verdict")).to_have_count(2)


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("view", ["side", "over", "list"])
def test_axe_finds_nothing(open_page, view, scheme):
    page = open_page(f"/graph?example=guard-then-code&view={view}", color_scheme=scheme)
    assert findings(page) == []


def test_a_telephone_has_one_graph_below_the_other(open_page):
    page = open_page(ALONE, viewport={"width": 390, "height": 844})
    assert page.evaluate("document.documentElement.scrollWidth <= 390")
    assert findings(page) == []
