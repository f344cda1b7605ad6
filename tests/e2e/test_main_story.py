"""The founding example in a browser: by mouse, by keyboard, without scripts, on a telephone."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Page, expect

from tests.e2e.editing import editor, write
from tests.support.asm import exit_, mov_imm
from tests.support.issue1348 import program

REFUSED = ("422", "413")


def answered(page: Page) -> Page:
    expect(page.locator(".verdict")).to_have_count(2)
    return page


def run_by_mouse(page: Page) -> Page:
    page.get_by_role("button", name="Run").click()
    return answered(page)


def test_the_answer_is_seen_without_scrolling(open_page):
    page = run_by_mouse(open_page())
    for part in (
        page.get_by_text("jump broken", exact=True),
        page.locator(".verdict.poison-unreachable"),
        page.locator(".cause").get_by_text("cpuset_cgrp_id_lublub"),
        page.locator(".cause").get_by_text("6.1.0-56-amd64"),
        page.get_by_text("stale jump: meant 5"),
        page.get_by_text("2 lands here"),
        page.get_by_text("2 was meant for this"),
        page.get_by_text("slot lost", exact=True),
        page.locator("#row-3 td.c0").get_by_text("0xbad2310"),
        page.locator("#libbpf-1\\.7\\.0-4").get_by_text("0xbad2310"),
        page.locator("#reloc-1"),
    ):
        box = part.bounding_box()
        assert box is not None
        assert 0 <= box["y"] <= 900 - box["height"], part
        assert 0 <= box["x"] <= 1440 - box["width"], part


def test_the_bytes_are_those_of_the_specification(open_page):
    page = run_by_mouse(open_page())
    shown = page.locator("td.c0 .hex").all_inner_texts()
    jump, poison, store = shown[2:5]
    assert (jump, poison) == ("15 01 03 00 00 00 00 00", "85 00 00 00 10 23 ad 0b")
    assert store == "63 1a fc ff 00 00 00 00"
    assert page.locator("td.c1 .hex").all_inner_texts()[3:5] == ["85 00 00 00 10 23 ad 0b"] * 2


def test_by_keyboard_alone(open_page):
    page = open_page()
    editor(page).focus()
    page.keyboard.press("Control+Enter")
    answered(page)
    expect(editor(page)).to_be_focused()
    expect(page.locator("#announcer")).to_contain_text("cilium 0.13.0: jump broken")


def test_tab_leaves_the_editor(open_page):
    page = open_page()
    editor(page).focus()
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.id") == "object"


def test_the_first_tab_stop_skips_to_the_editor(open_page):
    page = open_page()
    editor(page)
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    assert page.evaluate("location.hash") == "#source"


def test_the_address_shows_the_same_page_again(open_page):
    page = run_by_mouse(open_page())
    page.wait_for_url("**example=enum-1348*")
    page.reload()
    answered(page)
    assert "jump broken" in page.title()


def test_back_and_forward(open_page):
    page = run_by_mouse(open_page())
    page.select_option("select[name=loader] >> nth=0", "cilium@0.13.1")
    page.get_by_role("button", name="Run").click()
    expect(page.locator(".verdict.poison-unreachable")).to_have_count(2)
    page.go_back()
    expect(page.locator(".verdict.jump-broken")).to_have_count(1)
    expect(page.locator("select[name=loader]").first).to_have_value("cilium@0.13.0")
    page.go_back()
    expect(page.locator(".start")).to_be_visible()
    page.go_forward()
    expect(page.locator(".verdict.jump-broken")).to_have_count(1)


def test_source_of_ones_own_survives_reload_and_back(open_page):
    page = open_page()
    source = page.locator("#source").input_value().replace("lublub", "mine")
    write(page, source)
    run_by_mouse(page)
    page.wait_for_url("**draft=*")
    page.reload()
    answered(page)
    assert page.locator("#source").input_value() == source
    expect(page.locator(".cause")).to_contain_text("cpuset_cgrp_id_mine")
    page.go_back()
    expect(page.locator(".start")).to_be_visible()
    page.go_forward()
    answered(page)
    assert page.locator("#source").input_value() == source


def test_a_draft_that_this_browser_does_not_have(open_page):
    page = open_page("/analyse?draft=0123456789ab&kernel=6.1.0-56-amd64&loader=libbpf@1.7.0")
    expect(page.locator("#absent")).to_contain_text("in the browser that ran it")


def test_without_scripts_the_same_form_gives_a_whole_page(open_page):
    page = open_page(java_script_enabled=False)
    run_by_mouse(page)
    assert "cpuset_cgrp_id_lublub" in page.locator("#source").input_value()
    assert page.locator("#row-7").count() == 1


def test_without_scripts_an_object_stays_with_the_page(open_page, issue_object):
    page = open_page(java_script_enabled=False)
    page.set_input_files("#object", issue_object)
    run_by_mouse(page)
    expect(page.locator(".verdict.jump-broken")).to_have_count(1)
    page.select_option("select[name=loader] >> nth=0", "cilium@0.13.1")
    page.get_by_role("button", name="Run").click()
    expect(page.locator(".verdict.poison-unreachable")).to_have_count(2)


def test_an_object_is_shown_as_soon_as_it_is_chosen(open_page, issue_object):
    page = open_page()
    page.set_input_files("#object", issue_object)
    answered(page)
    expect(page.locator("#object-chip")).to_contain_text("issue1348.bpf.o")
    expect(page.locator(".source-row.foreign").first).to_contain_text("int prog(void *ctx)")
    page.get_by_role("button", name="Use the source").click()
    run_by_mouse(page)
    # The object's result still stands there, so only the address tells that the answer came.
    page.wait_for_url("**/analyse?*example=enum-1348*")


def test_a_compile_error_stands_on_its_line(open_page):
    page = open_page(expect=REFUSED)
    write(page, "int a;\nint b = missing;\nint c;\n")
    page.keyboard.press("Control+Enter")
    expect(page.locator(".failure h2")).to_have_text("The source does not compile")
    expect(page.locator("c-editor .cm-gutterElement.cm-has-error")).to_have_text("2")
    page.get_by_role("link", name="line 2:9").click()
    page.keyboard.type("X")
    assert "int b = Xmissing;" in page.locator("#source").input_value()


def test_one_hover_lights_line_slots_and_relocation(open_page):
    page = run_by_mouse(open_page())
    page.locator("#reloc-1").hover()
    lit = page.evaluate("[...document.querySelectorAll('.lit')].map(e => e.id || e.dataset.key)")
    named = {key for key in lit if not key.startswith("cfg-")}
    assert named == {"reloc-1", "row-3", "row-4", "l18"}
    assert "cfg-old-b1" in lit
    page.locator("#row-3 a.slot").focus()
    assert "reloc-1" in page.evaluate("[...document.querySelectorAll('.lit')].map(e => e.id)")


def test_enter_pins_and_escape_unpins(open_page):
    page = run_by_mouse(open_page())
    page.locator("#row-2 a.slot").focus()
    page.keyboard.press("Enter")
    assert page.url.endswith("#row-2")
    expect(page.locator("#row-2")).to_have_class(re.compile("pinned"))
    page.keyboard.press("Escape")
    assert "#" not in page.url
    assert page.locator(".pinned").count() == 0


def test_an_address_with_a_fragment_opens_pinned(open_page):
    page = run_by_mouse(open_page())
    page.locator("#reloc-1 td").first.click()
    page.goto("about:blank")
    page.go_back()
    expect(page.locator("#reloc-1")).to_have_class(re.compile("pinned"))


def test_kernels_are_switched_by_links(open_page):
    page = open_page("/?example=renamed-field")
    run_by_mouse(page)
    expect(page.locator(".cause")).to_contain_text("before_5_14")
    page.get_by_role("link", name="5.10.0-46-amd64", exact=True).click()
    expect(page.locator(".cause")).to_contain_text("no member __state")
    page.wait_for_url("**show=5.10.0-46-amd64*")
    page.reload()
    expect(page.locator(".cause")).to_contain_text("no member __state")


@pytest.mark.parametrize("path", ["/", "/analyse?example=enum-1348"])
def test_a_narrow_screen_never_scrolls_sideways(open_page, path):
    page = open_page(path, viewport={"width": 390, "height": 844})
    width = page.evaluate("document.documentElement.scrollWidth")
    assert width <= 390


def test_a_narrow_screen_shows_the_verdict_then_one_column_at_a_time(open_page):
    page = run_by_mouse(open_page(viewport={"width": 390, "height": 844}))
    tops = [page.locator(part).bounding_box()["y"] for part in (".verdicts", ".program", "#editor")]
    assert tops == sorted(tops)
    expect(page.locator("#row-3 td.c0")).to_be_visible()
    expect(page.locator("#row-3 td.c1")).to_be_hidden()
    page.get_by_role("radio", name="libbpf 1.7.0").check()
    expect(page.locator("#row-3 td.c0")).to_be_hidden()
    expect(page.locator("#row-3 td.c1")).to_be_visible()


def test_a_server_that_went_away(open_page):
    page = open_page(expect=("ERR_FAILED", "Failed to fetch"))
    page.route("**/analyse", lambda route: route.abort())
    page.get_by_role("button", name="Run").click()
    expect(page.locator(".failure h2")).to_have_text("The server did not answer")


def test_the_theme_is_kept(open_page):
    page = open_page()
    page.get_by_role("button", name="Dark").click()
    page.reload()
    assert page.evaluate("getComputedStyle(document.documentElement).colorScheme") == "dark"
    page.get_by_role("button", name="As the system").click()
    assert page.evaluate("document.documentElement.dataset.theme") is None


def test_an_edit_says_that_the_result_is_of_other_source(open_page):
    page = run_by_mouse(open_page())
    editor(page).press_sequentially("/")
    expect(page.locator("#source-note")).to_have_text("edited since this run")


def test_a_program_is_chosen_among_many(open_page, tmp_path):
    writer = program()
    for number in range(14):
        writer.function(f"other_{number}", mov_imm(0, 0) + exit_(), section=f"kprobe/{number}")
    path = tmp_path / "many.bpf.o"
    path.write_bytes(writer.build())
    page = open_page()
    page.set_input_files("#object", path)
    answered(page)
    expect(page.locator("#program-name .fn")).to_have_text("prog")
    page.get_by_role("button", name=re.compile("^other_3 ?, clear")).click()
    expect(page.locator("#program-name .fn")).to_have_text("other_3")
    page.wait_for_url("**prog=other_3*")
