"""What becomes of a program, in a browser: outcomes, what cannot run, graphs, stories, fixes."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from engine.core.kinds import CoreReloKind
from tests.support.asm import exit_, jmp, ld_imm64, mov_imm
from tests.support.btf_writer import values
from tests.support.relocating import ObjectWriter, relo


def asking(*parts: tuple, slot: int) -> ObjectWriter:
    """A program that asks for an enumerator that no kernel has, without a guard."""
    writer = ObjectWriter()
    enum = writer.btf.add_enum("cgroup_subsys_id", values(nowhere_cgrp_id=1))
    writer.function("prog", sum(parts, ()), relo(enum, "0", CoreReloKind.ENUMVAL_VALUE, slot))
    return writer


def opened(open_page, writer: ObjectWriter, folder: Path) -> Page:
    path = folder / "made.bpf.o"
    path.write_bytes(writer.build())
    page = open_page()
    page.set_input_files("#object", path)
    expect(page.locator(".verdict")).to_have_count(2)
    return page


@pytest.mark.parametrize(
    ("example", "outcome", "says"),
    [
        ("enum-1348", "jump broken", "R0 !read_ok"),
        ("guard-at-end", "jump broken", "jump out of range from insn 3 to 7"),
        ("guard-then-code", "silently different", "It loads, and never runs slot 7."),
    ],
)
def test_issue_1348_and_its_siblings(open_page, example, outcome, says):
    page = open_page(f"/analyse?example={example}&cpu=v2")
    cilium, libbpf = page.locator(".verdict").all()
    expect(cilium.locator("strong")).to_have_text(outcome)
    expect(cilium).to_contain_text(says)
    expect(libbpf.locator("strong")).to_have_text("poison unreachable")
    expect(libbpf).to_contain_text("1 value is missing; its two slots cannot run.")
    expect(page.locator(".cause")).to_contain_text("(nearest: cpuset_cgrp_id)")


def test_what_cannot_run_says_so_in_a_word(open_page):
    page = open_page("/analyse?example=enum-1348&cpu=v2")
    dead = page.locator("#libbpf-1\\.7\\.0-5")
    expect(dead.locator(".badge.dead")).to_have_text("dead")
    expect(page.locator("td.c1.is-dead")).to_have_count(3)
    expect(page.locator("td.old.is-dead")).to_have_count(0)


def test_reached_poison_shows_its_path(open_page, tmp_path):
    code = (mov_imm(0, 0), jmp("==", 0, 0, 1), mov_imm(0, 1), ld_imm64(1, 1), exit_())
    page = opened(open_page, asking(*code, slot=3), tmp_path)
    reached = page.locator(".verdict.poison-reachable")
    expect(reached).to_have_count(2)
    expect(reached.last).to_contain_text("is reached by slots 0 to 1 → 3")
    expect(page.locator("td.c1.on-path")).to_have_count(3)
    expect(page.locator("#libbpf-1\\.7\\.0-3 .badge.runs")).to_have_text("reached")
    page.locator(".story summary").click()
    expect(page.locator("pre.fix").first).to_contain_text("bpf_core_enum_value_exists")


def test_graphs_open_without_scripts(open_page):
    page = open_page("/analyse?example=enum-1348&cpu=v2", java_script_enabled=False)
    expect(page.locator("svg.cfg").first).to_be_hidden()
    page.locator(".graphs > summary").click()
    expect(page.locator("svg.cfg")).to_have_count(3)
    expect(page.locator("svg.cfg .is-dead.is-poison").first).to_be_visible()
    expect(page.locator("svg.cfg .is-stray").first).to_be_visible()


def test_a_large_graph_is_drawn_on_demand(open_page, tmp_path):
    branches = sum((jmp("==", 0, n, 1) + mov_imm(0, n) for n in range(60)), ())
    writer = asking(mov_imm(0, 0), branches, ld_imm64(1, 1), exit_(), slot=121)
    page = opened(open_page, writer, tmp_path)
    page.locator(".graphs > summary").click()
    expect(page.locator(".graphs")).to_contain_text("a large graph is drawn when asked for")
    page.get_by_role("button", name="Draw it").first.click()
    expect(page.locator("svg.cfg").first).to_be_visible()
    expect(page.get_by_role("button", name="Draw it")).to_have_count(0)


def test_a_story_is_read_by_keyboard_and_ends_with_what_to_do(open_page):
    page = open_page("/analyse?example=enum-1348&cpu=v2")
    page.locator("#reloc-1 + .why-row summary").focus()
    page.keyboard.press("Enter")
    story = page.locator("#reloc-1 + .why-row .story")
    expect(story.locator("li").first).to_contain_text("asks for the value of")
    expect(story).to_contain_text("it has no enumerator cpuset_cgrp_id_lublub")
    expect(story.locator(".advice")).to_contain_text("0.13.1 keeps both slots")
    expect(story.locator("pre.fix")).to_contain_text("cpuset_cgrp_id___now")
    assert "#" not in page.url


@pytest.mark.parametrize("width", [390, 1440])
def test_opened_graphs_and_stories_never_widen_the_page(open_page, width):
    page = open_page("/analyse?example=renamed-field", viewport={"width": width, "height": 900})
    page.evaluate("document.querySelectorAll('.graphs, .story').forEach((d) => (d.open = true))")
    assert page.evaluate("document.documentElement.scrollWidth") <= width
