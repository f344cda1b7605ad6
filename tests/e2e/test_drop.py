"""Files dropped anywhere on the page, or chosen: C, objects, logs, BTF, and what is neither."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.e2e.editing import drop, drop_path, editor, source, write

LOG = b"""libbpf: prog 'prog': BPF program load failed: -EINVAL
libbpf: prog 'prog': -- BEGIN PROG LOAD LOG --
0: R1=ctx() R10=fp0
; val = bpf_core_enum_value(enum cgroup_subsys_id, cpuset_cgrp_id_lublub); @ prog.bpf.c:23
0: <invalid CO-RE relocation>
failed to resolve CO-RE relocation <enumval_value> [9] enum \
cgroup_subsys_id::cpuset_cgrp_id_lublub = 1
processed 1 insns (limit 1000000) max_states_per_insn 0
-- END PROG LOAD LOG --
"""
WHAT = "Drop C (.c, .h), a compiled BPF object (.o)"
VMLINUX = b"\x7fELF\x02\x01\x01" + bytes(11) + struct.pack("<H", 62) + bytes(64)


def tabs_are(page, *names: str) -> None:
    expect(page.locator(".tab")).to_have_text(names)


def test_c_takes_the_place_of_an_example_and_is_not_sent(open_page):
    page = open_page()
    sent: list[str] = []
    page.on("request", lambda request: sent.append(request.method))
    drop(page, ("mine.bpf.c", b"int dropped;\r\n"))
    expect(page.locator("#source-note")).to_have_text("not run yet")
    tabs_are(page, "mine.bpf.c main")
    assert source(page) == "int dropped;\n"
    assert "POST" not in sent


def test_c_stands_beside_ones_own_work(open_page):
    page = open_page()
    write(page, "int mine;\n")
    drop(page, ("a.h", b"#define A\n"), ("b.h", b"#define B\n"))
    tabs_are(page, "enum-1348.bpf.c main", "a.h", "b.h")
    drop(page, ("other.c", b"int other;\n"))
    tabs_are(page, "enum-1348.bpf.c", "a.h", "b.h", "other.c main")
    assert source(page) == "int other;\n"


def test_a_name_that_no_compiler_would_see_is_mended(open_page):
    page = open_page()
    drop(page, ("my prog (1).c", b"int a;\n"))
    tabs_are(page, "my_prog__1_.c main")


def test_an_object_is_shown_at_once(open_page, issue_object: Path):
    page = open_page()
    drop_path(page, issue_object)
    expect(page.locator(".verdict.jump-broken")).to_have_count(1)
    expect(page.locator("#object-chip")).to_contain_text("issue1348.bpf.o")


def test_an_object_is_told_by_its_bytes_and_not_by_its_name(open_page, issue_object: Path):
    page = open_page()
    drop(page, ("prog.txt", issue_object.read_bytes()))
    expect(page.locator(".verdict")).to_have_count(2)


def test_a_log_is_read(open_page):
    page = open_page()
    drop(page, ("verifier.log", LOG))
    fact = page.locator(".log-fact.error").first
    expect(fact).to_contain_text("cpuset_cgrp_id_lublub")
    expect(fact).to_contain_text("enumval_value")
    expect(page.locator("#announcer")).not_to_be_empty()
    page.get_by_role("button", name="Look it up in the program here").click()
    expect(page.locator(".log-fact.error dt", has_text="Place")).to_be_visible()
    expect(page.locator(".log-fact.error .fix").first).to_contain_text("enum cgroup_subsys_id")


def test_a_log_and_its_object_together(open_page, issue_object: Path):
    page = open_page()
    drop(page, ("v.log", LOG), (issue_object.name, issue_object.read_bytes()))
    expect(page.locator(".log-fact.error dt", has_text="Place")).to_be_visible()


def test_btf_says_where_it_goes(open_page):
    page = open_page()
    drop(page, ("vmlinux.btf", b"\x9f\xeb\x01\0" + bytes(20)))
    expect(page.locator("#drop-problem")).to_contain_text("coreplay kernels add vmlinux.btf")


@pytest.mark.parametrize(
    ("name", "data", "says"),
    [
        ("x.bin", bytes(range(256)), WHAT),
        ("x.c", b"\x89PNG\r\n\x1a\n\0\0", WHAT),
        ("<img onerror=alert(1)>.png", b"\0\1\2\3", WHAT),
        ("empty.c", b"", "empty.c is empty."),
        ("vmlinux", VMLINUX, "not for BPF"),
        ("huge.c", b"// " + b"x" * 600_000, "at most"),
    ],
)
def test_what_is_neither_gets_a_sentence(open_page, name, data, says):
    page = open_page()
    before = source_of(page)
    drop(page, (name, data))
    expect(page.locator("#drop-problem")).to_contain_text(says)
    assert page.locator("img").count() == 0
    assert source_of(page) == before


def source_of(page) -> str:
    editor(page)
    return source(page)


def test_a_broken_object_is_an_error_and_no_crash(open_page, issue_object: Path):
    page = open_page(expect=("422",))
    drop(page, ("cut.o", issue_object.read_bytes()[:200]))
    expect(page.locator(".failure")).to_be_visible()


def test_files_are_chosen_by_keyboard(open_page, tmp_path: Path):
    page = open_page()
    editor(page).focus()
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.id") == "object"
    (tmp_path / "a.c").write_text("int a;\n")
    (tmp_path / "b.h").write_text("int b;\n")
    with page.expect_file_chooser() as chooser:
        page.keyboard.press("Space")
    chooser.value.set_files([tmp_path / "a.c", tmp_path / "b.h"])
    expect(page.get_by_role("tab")).to_have_count(2)
    assert source(page) == "int a;\n"


def test_the_log_page_without_scripts(open_page, issue_object: Path):
    page = open_page("/log", java_script_enabled=False)
    page.get_by_label("Log", exact=True).fill(LOG.decode())
    page.get_by_role("button", name="Explain").click()
    expect(page.locator(".log-fact.error")).to_have_count(1)
    assert page.get_by_label("Log", exact=True).input_value().startswith("libbpf: prog")
    page.set_input_files("input[name=object]", issue_object)
    page.get_by_role("button", name="Explain").click()
    expect(page.locator("dt", has_text="Place")).to_be_visible()


def test_the_log_page_by_keyboard(open_page):
    page = open_page("/log", expect=("422",))
    page.get_by_label("Log", exact=True).focus()
    page.keyboard.press("Control+Enter")
    expect(page.locator(".failure")).to_contain_text("There is no log")
    page.get_by_label("Log", exact=True).focus()
    page.keyboard.insert_text("invalid func unknown#195896080\n")
    page.keyboard.press("Control+Enter")
    expect(page.locator(".log-fact")).to_contain_text("poison-call")
