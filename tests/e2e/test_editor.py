"""The editor in a browser: edit and run, several files, diagnostics, unsaved work."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Page, expect

from tests.e2e.editing import editor, source, work_is_kept, write

REFUSED = ("422",)
BROKEN = "int a;\nint b = missing;\nint c;\n"
WITH_HEADER = '#include "mine.h"\nint b = ONE;\n'


def verdicts(page: Page) -> Page:
    expect(page.locator(".verdict")).to_have_count(2)
    return page


def tabs(page: Page) -> list[str]:
    return page.locator(".tab").all_inner_texts()


def test_edit_and_run_by_mouse(open_page):
    page = open_page()
    write(page, source(page).replace("lublub", "mine"))
    page.get_by_role("button", name="Run").click()
    verdicts(page)
    expect(page.locator(".cause")).to_contain_text("cpuset_cgrp_id_mine")


def test_edit_and_run_by_keyboard_alone(open_page):
    page = open_page()
    editor(page)
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(editor(page)).to_be_focused()
    page.keyboard.press("Control+End")
    page.keyboard.type("/* typed */")
    page.keyboard.press("Control+Enter")
    verdicts(page)
    assert source(page).endswith("/* typed */")
    assert "\n\n/* typed" not in source(page), "Ctrl+Enter opens no line"
    page.keyboard.press("Escape")
    assert page.evaluate("document.activeElement.id") == "result"


def test_tab_is_not_bound(open_page):
    page = open_page()
    editor(page).focus()
    before = source(page)
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.id") == "object"
    assert source(page) == before


def test_c_is_highlighted_and_nothing_is_styled_inline_by_a_tag(open_page):
    page = open_page()
    keyword = editor(page).get_by_text("enum", exact=True).first
    colour = keyword.evaluate("e => getComputedStyle(e).color")
    plain = editor(page).evaluate("e => getComputedStyle(e).color")
    assert colour != plain
    assert page.evaluate("document.querySelectorAll('style').length") == 0
    assert page.evaluate("document.querySelector('c-editor').shadowRoot.adoptedStyleSheets.length")


COLOURS = {
    "word": "enum",
    "number": "0x1fUL",
    "string": '"a \\" b"',
    "comment": "/* over",
}


def test_each_part_of_c_has_its_colour(open_page):
    page = open_page()
    write(
        page,
        '#include <x.h>\nenum a; long b = 0x1fUL; // c\nchar *d = "a \\" b";\n/* over\ntwo */\n',
    )
    root = page.evaluate(
        """(names) => { const probe = document.createElement("i"); document.body.append(probe);
        const found = names.map((name) => { probe.className = name;
          return getComputedStyle(probe).color; }); probe.remove(); return found; }""",
        ["c-key", "c-num", "c-str", "c-com"],
    )
    for colour, text in zip(root, COLOURS.values(), strict=True):
        part = editor(page).get_by_text(text, exact=True)
        assert part.evaluate("e => getComputedStyle(e).color") == colour, text
    for text in ("// c", "two */"):
        part = editor(page).get_by_text(text, exact=True)
        assert part.evaluate("e => getComputedStyle(e).color") == root[3], text


def test_a_new_line_is_indented_as_the_file_is(open_page):
    page = open_page()
    write(page, "int f(void)\n{\n    return 0;\n}\n")
    page.keyboard.press("Control+Home")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("End")
    page.keyboard.press("Enter")
    page.keyboard.type("if (x) {")
    page.keyboard.press("Enter")
    page.keyboard.type("y();")
    page.keyboard.press("Enter")
    page.keyboard.type("}")
    text = "int f(void)\n{\n    if (x) {\n        y();\n    }\n    return 0;\n}\n"
    assert source(page) == text


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_editor_follows_the_theme(open_page, scheme):
    page = open_page(color_scheme=scheme)
    editor(page)
    surface = "document.querySelector('c-editor').shadowRoot.querySelector('.cm-editor')"
    colour = f"getComputedStyle({surface}).backgroundColor"
    expected = {"light": "rgb(255, 255, 255)", "dark": "rgb(26, 30, 36)"}
    assert page.evaluate(colour) == expected[scheme]
    other = "dark" if scheme == "light" else "light"
    page.get_by_role("button", name=other.capitalize(), exact=True).click()
    assert page.evaluate(colour) == expected[other]


def test_diagnostics_stand_on_their_lines(open_page):
    page = open_page(expect=REFUSED)
    write(page, BROKEN)
    page.keyboard.press("Control+Enter")
    expect(page.locator(".failure h2")).to_have_text("The source does not compile")
    line = page.locator("c-editor .cm-line.cm-has-error")
    expect(line).to_have_count(1)
    expect(line).to_contain_text("use of undeclared identifier 'missing'")
    expect(line.locator(".cm-under-error")).to_have_text("missing")
    expect(page.locator("c-editor .cm-gutterElement.cm-has-error")).to_have_text("2")
    page.get_by_role("link", name="line 2:9").click()
    page.keyboard.type("X")
    assert "int b = Xmissing;" in source(page)


def test_f8_goes_to_the_next_diagnostic(open_page):
    page = open_page(expect=REFUSED)
    write(page, "int a = one;\nint b;\nint c = two;\n")
    page.keyboard.press("Control+Enter")
    expect(page.locator("c-editor .cm-has-error.cm-line")).to_have_count(2)
    page.keyboard.press("Control+Home")
    for _ in range(2):
        page.keyboard.press("F8")
    page.keyboard.type("X")
    assert "int c = Xtwo;" in source(page)


def test_files_by_mouse(open_page):
    page = open_page(expect=REFUSED)
    write(page, WITH_HEADER)
    page.get_by_role("button", name="New file").click()
    page.get_by_label("Name", exact=True).fill("mine.h")
    page.get_by_role("button", name="Add").click()
    expect(page.get_by_role("tab", name="mine.h")).to_have_attribute("aria-selected", "true")
    write(page, "#define ONE two\n")
    page.get_by_role("button", name="Run").click()
    mark = page.locator(".diagnostics a").first
    expect(mark).to_be_visible()
    page.locator('.diagnostics a[data-file="mine.h"]').first.click()
    expect(page.get_by_role("tab", name="mine.h")).to_have_attribute("aria-selected", "true")
    write(page, "#define ONE 1\n")
    page.get_by_role("tab", name="enum-1348.bpf.c").click()
    assert source(page) == WITH_HEADER
    page.get_by_role("button", name="Run").click()
    expect(page.locator(".failure")).not_to_contain_text("two")


def test_files_by_keyboard_alone(open_page):
    page = open_page()
    editor(page)
    page.locator(".tab").first.focus()
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    page.keyboard.press("Control+a")
    page.keyboard.type("vmlinux")
    page.keyboard.press("Enter")
    expect(page.locator("#dialog-problem")).to_have_text("A name ends in .c or .h.")
    page.keyboard.type(".h")
    page.keyboard.press("Enter")
    expect(page.locator(".tab").nth(1)).to_contain_text("vmlinux.h")
    assert tabs(page) == ["enum-1348.bpf.c main", "vmlinux.h"]
    expect(editor(page)).to_be_focused()
    page.keyboard.type("#define HERE")
    page.keyboard.press("Shift+Tab")
    for _ in range(5):
        if page.evaluate("document.activeElement.role") == "tab":
            break
        page.keyboard.press("Shift+Tab")
    expect(page.locator(".tab").nth(1)).to_be_focused()
    page.keyboard.press("F2")
    expect(page.locator("dialog[open] input")).to_be_focused()
    page.keyboard.press("Control+a")
    page.keyboard.type("other.h")
    page.keyboard.press("Enter")
    expect(page.locator(".tab").nth(1)).to_contain_text("other.h")
    assert tabs(page) == ["enum-1348.bpf.c main", "other.h"]
    page.keyboard.press("ArrowLeft")
    expect(page.locator(".tab").first).to_be_focused()
    expect(page.locator(".tab").first).to_have_attribute("aria-selected", "true")
    page.keyboard.press("Delete")
    assert len(tabs(page)) == 2, "the main file stays"
    page.keyboard.press("End")
    page.keyboard.press("Delete")
    expect(page.locator(".tab")).to_have_count(1)
    assert tabs(page) == ["enum-1348.bpf.c main"]
    page.get_by_role("button", name="Undo").press("Enter")
    assert tabs(page) == ["enum-1348.bpf.c main", "other.h"]
    expect(editor(page)).to_have_text("#define HERE")


def test_another_file_is_made_the_main_one(open_page):
    page = open_page(expect=REFUSED)
    page.get_by_role("button", name="New file").click()
    page.get_by_label("Name", exact=True).fill("second.c")
    page.get_by_role("button", name="Add").click()
    write(page, "int x = nothing_here;\n")
    page.locator(".file-menu summary").click()
    page.get_by_role("button", name="Make it the main file").click()
    assert tabs(page) == ["enum-1348.bpf.c", "second.c main"]
    page.keyboard.press("Control+Enter")
    expect(page.locator(".failure")).to_contain_text("nothing_here")


def test_files_survive_a_run_a_reload_and_back(open_page):
    page = open_page()
    text = source(page).replace("cpuset_cgrp_id_lublub = 1,", "NAME = 1,")
    write(page, '#include "name.h"\n' + text.replace("cpuset_cgrp_id_lublub", "NAME"))
    page.get_by_role("button", name="New file").click()
    page.get_by_label("Name", exact=True).fill("name.h")
    page.get_by_role("button", name="Add").click()
    write(page, "#define NAME cpuset_cgrp_id_other\n")
    page.keyboard.press("Control+Enter")
    expect(page.locator(".cause")).to_contain_text("cpuset_cgrp_id_other")
    page.wait_for_url("**draft=*")
    page.reload()
    verdicts(page)
    editor(page)
    assert tabs(page) == ["enum-1348.bpf.c main", "name.h"]
    expect(page.locator(".cause")).to_contain_text("cpuset_cgrp_id_other")
    page.go_back()
    expect(page.locator(".start")).to_be_visible()
    page.go_forward()
    verdicts(page)
    expect(page.get_by_role("tab", name="name.h")).to_be_visible()


def test_unsaved_work_is_found_after_a_reload_and_never_sent(open_page):
    page = open_page()
    sent: list[str] = []
    page.on("request", lambda request: sent.append(request.method))
    write(page, "int unsaved;\n")
    work_is_kept(page)
    page.reload()
    expect(page.locator("#source-note")).to_contain_text("unsaved work")
    expect(editor(page)).to_have_text("int unsaved;")
    assert "POST" not in sent
    page.get_by_role("button", name="Discard").click()
    assert "cpuset_cgrp_id_lublub" in source(page)
    page.reload()
    assert "cpuset_cgrp_id_lublub" in source(page)


def test_work_after_a_run_is_found_beside_its_result(open_page):
    page = open_page()
    write(page, source(page).replace("lublub", "first"))
    page.keyboard.press("Control+Enter")
    verdicts(page)
    page.wait_for_url("**draft=*")
    write(page, source(page).replace("first", "second"))
    expect(page.locator("#source-note")).to_have_text("edited since this run")
    page.reload()
    verdicts(page)
    expect(page.locator("#source-note")).to_contain_text("unsaved work")
    expect(page.locator(".cause")).to_contain_text("cpuset_cgrp_id_first")
    assert "cpuset_cgrp_id_second" in source(page)


def test_two_tabs_do_not_write_over_each_other(open_page):
    first = open_page()
    second = first.context.new_page()
    second.goto("/")
    for page, text in ((first, "int first;\n"), (second, "int second;\n")):
        write(page, text)
    work_is_kept(first, tabs=2)
    for page, text in ((first, "int first;"), (second, "int second;")):
        page.reload()
        expect(editor(page)).to_have_text(text)


def test_work_of_a_closed_tab_is_offered_in_a_new_one(open_page):
    first = open_page()
    write(first, "int lost;\n")
    work_is_kept(first)
    second = first.context.new_page()
    first.close()
    second.goto("/")
    second.get_by_role("button", name=re.compile("Open unsaved work")).click()
    expect(editor(second)).to_have_text("int lost;")


def test_running_while_one_types_is_off_until_asked_for_and_remembered(open_page):
    page = open_page()
    expect(page.get_by_label("run as I type")).not_to_be_checked()
    page.get_by_label("run as I type").check()
    write(page, source(page).replace("lublub", "auto"))
    verdicts(page)
    expect(page.locator(".cause")).to_contain_text("cpuset_cgrp_id_auto")
    page.wait_for_url("**draft=*")
    assert page.evaluate("history.length") == 2, "about:blank, and one page"
    page.reload()
    expect(page.get_by_label("run as I type")).to_be_checked()


def test_question_mark_shows_the_keys_but_not_in_the_editor(open_page):
    page = open_page()
    editor(page).focus()
    page.keyboard.type("?")
    expect(page.locator("#keys")).to_be_hidden()
    page.keyboard.press("Escape")
    page.keyboard.press("?")
    expect(page.locator("#keys")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.locator("#keys")).to_be_hidden()


def test_hostile_text_is_text_in_the_editor_and_its_marks(open_page):
    page = open_page(expect=REFUSED)
    write(page, 'int a = "</script><img src=x onerror=alert(1)>" + nope;\n')
    page.keyboard.press("Control+Enter")
    expect(page.locator("c-editor .cm-said").first).to_be_visible()
    assert page.locator("c-editor img[src=x]").count() == 0


def test_the_editor_that_does_not_load_leaves_a_textarea(open_page):
    page = open_page("/log", expect=("ERR_FAILED",))
    page.route("**/vendor/editor-*", lambda route: route.abort())
    page.goto("/")
    expect(page.locator("html.ready")).to_be_attached()
    page.locator("#source").fill("int plain;\n")
    assert source(page) == "int plain;\n"
    expect(page.locator("#gutter")).to_be_visible()
