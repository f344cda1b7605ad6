"""Drawings: well-formed, nothing to run in them, names escaped, marks where they belong."""

from __future__ import annotations

import re
import time
import xml.etree.ElementTree as ET

import pytest

from engine.btf.ext import LineInfo
from engine.errors import LimitExceeded
from engine.flow.cfg import Block, build_cfg
from engine.flow.dot import to_dot
from engine.flow.layout import _laid_out, place
from engine.flow.picture import Marks, lines_text, marks_of
from engine.flow.standalone import standalone
from engine.flow.svg import draw, escape
from engine.flow.verifier import POLICIES
from tests.support.asm import exit_, goto, jmp, ld_imm64, mov_imm
from tests.support.poison import END, POISON, reached

SVG = "{http://www.w3.org/2000/svg}"
GUARD = ld_imm64(1, 0) + jmp("==", 1, 0, 1) + POISON + END


def parsed(text: str) -> ET.Element:
    return ET.fromstring(text)


def of_class(root: ET.Element, word: str) -> list[ET.Element]:
    return [each for each in root.iter() if word in each.get("class", "").split()]


def edges(root: ET.Element, word: str) -> list[ET.Element]:
    return [each for each in of_class(root, word) if each.tag == f"{SVG}polyline"]


def labels(root: ET.Element) -> list[str | None]:
    return [each.text for each in of_class(root, "cfg-label")]


def guard_drawing(prefix: str = "cfg") -> ET.Element:
    reach = reached(GUARD, POLICIES[0])
    marks = marks_of(reach, 0, len(GUARD), poisons=reach.poisons)
    return parsed(draw(build_cfg(GUARD, name="guard"), marks=marks, prefix=prefix))


def test_blocks_that_cannot_run_and_poison_are_marked():
    root = guard_drawing()
    (dead,) = of_class(root, "is-dead")[-1:]
    assert [block.get("id") for block in of_class(root, "cfg-block")] == [
        "cfg-b0", "cfg-b1", "cfg-b2",
    ]  # fmt: skip
    assert dead.get("id") == "cfg-b1"
    assert "is-poison" in dead.get("class", "")
    assert dead.get("aria-label") == "block 1, slots 3 to 3, cannot run, holds poison"
    rows = [row.text for row in of_class(root, "cfg-row") if "is-poison" in row.get("class", "")]
    assert rows == ["3: call 0xbad2310"]
    assert len([e for e in of_class(root, "cfg-edge") if "is-dead" in e.get("class", "")]) == 2


def test_a_drawing_has_a_title_and_its_own_ids():
    root = guard_drawing(prefix="after")
    assert root.get("aria-labelledby") == "after-title"
    assert root.findtext(f"{SVG}title") == "Control flow of guard: 3 blocks, 3 edges"
    ids = [each.get("id") for each in root.iter() if each.get("id")]
    assert len(ids) == len(set(ids))
    assert all(name.startswith("after-") for name in ids)


def test_nothing_in_a_drawing_runs_or_carries_a_style():
    text = draw(build_cfg(GUARD, name="guard"))
    assert not re.search(r"<script|<style|\sstyle=|\son\w+=|javascript:|<foreignObject", text)


@pytest.mark.parametrize("name", ['</title><script>x("</script>', "a&b'c", "\x00\x1b\ud800\uffff"])
def test_names_are_escaped(name):
    root = parsed(draw(build_cfg(END, name=name)).encode("utf-8"))
    assert not list(root.iter(f"{SVG}script"))
    assert escape("<&>\"'") == "&lt;&amp;&gt;&quot;&#39;"
    to_dot(build_cfg(END, name=name)).encode("utf-8", "surrogatepass")


def test_a_broken_edge_ends_in_a_box_that_names_the_slot():
    root = parsed(draw(build_cfg(jmp("==", 1, 0, 9) + exit_())))
    (box,) = of_class(root, "cfg-nowhere")
    assert "".join(box.itertext()) == "no slot 10"
    assert [edge.findtext(f"{SVG}title") for edge in edges(root, "is-broken")] == [
        "block 0 to no slot 10: taken, broken"
    ]
    assert labels(root) == ["broken"]


def test_back_edges_are_told_apart():
    root = parsed(draw(build_cfg(mov_imm(1, 0) + jmp("<", 1, 5, -2) + exit_())))
    (edge,) = edges(root, "is-back")
    assert edge.get("marker-end") == "url(#cfg-arrow-back)"
    assert labels(root) == ["back"]


def test_a_jump_that_goes_astray_is_marked():
    cfg = build_cfg(jmp("==", 1, 0, 1) + mov_imm(1, 1) + exit_())
    root = parsed(draw(cfg, marks=Marks(stray=frozenset({0}))))
    assert len(edges(root, "is-stray")) == 1
    assert labels(root) == ["astray, to 2"]


def test_poison_is_told_by_icon_and_word():
    root = guard_drawing()
    (skull,) = of_class(root, "cfg-skull")
    assert skull.get("href") == "#cfg-skull"
    (row,) = [row for row in of_class(root, "cfg-row") if "is-poison" in row.get("class", "")]
    assert "".join(row.itertext()) == "3: call 0xbad2310 poison"


def test_each_block_has_its_text_for_three_distances():
    root = guard_drawing()
    for word in ("cfg-full", "cfg-short", "cfg-number"):
        assert len(of_class(root, word)) == 3
    short = ["".join(text.itertext()) for text in of_class(root, "cfg-short")[1]]
    assert short == ["3", "dead"]
    assert "".join(of_class(root, "cfg-number")[1].itertext()) == "1"
    headings = [text.text for text in of_class(root, "cfg-lines")]
    assert headings == ["#0", "#1 · dead", "#2"]


def test_many_source_lines_are_told_as_a_range():
    line = LineInfo(0, "a.c", "", 1, 1)
    few = Block(0, 0, 4, tuple(line._replace(line_number=n) for n in (3, 1, 2)))
    many = Block(0, 0, 4, tuple(line._replace(line_number=n) for n in range(10, 30)))
    assert lines_text(few) == "lines 1, 2, 3"
    assert lines_text(many) == "lines 10 to 29"


def test_a_file_has_its_colours_inside():
    text = standalone(draw(build_cfg(GUARD, name="</style><script>")))
    root = parsed(text)
    assert text.startswith("<?xml ")
    assert "cfg-block" in root.findtext(f"{SVG}style", "")
    assert not list(root.iter(f"{SVG}script"))


def test_a_long_block_is_cut_but_its_end_is_shown():
    root = parsed(draw(build_cfg(mov_imm(1, 1) * 40 + exit_())))
    rows = [row.text for row in of_class(root, "cfg-row")]
    assert len(rows) == 16
    assert rows[-2:] == ["… 26 more", "40: exit"]


def test_edges_to_a_far_block_become_links():
    guards = 200
    code = sum((jmp("==", 1, 0, 2 * (guards - n) - 1) + mov_imm(2, n) for n in range(guards)), ())
    began = time.process_time()
    root = parsed(draw(build_cfg(code + exit_())))
    assert time.process_time() - began < 5
    links = [end.find(f"{SVG}a") for end in of_class(root, "cfg-end")]
    assert len(links) > 50
    assert {link.get("href") for link in links} == {f"#cfg-b{guards + 1}"}


def test_too_many_blocks_are_for_a_list():
    cfg = build_cfg(sum((jmp("==", 1, 0, 0) for _ in range(2100)), ()) + exit_(), name="huge")
    with pytest.raises(LimitExceeded, match="graph of huge has 2101 blocks") as caught:
        draw(cfg)
    assert "list" in caught.value.hint
    assert to_dot(cfg).count('label="taken"') == 2100


def test_an_empty_function_is_an_empty_drawing():
    assert of_class(parsed(draw(build_cfg(()))), "cfg-block") == []
    assert place(build_cfg(()), []).boxes == ()


def test_boxes_do_not_overlap_and_lie_inside():
    code = sum((jmp("==", 1, 0, 1) + mov_imm(2, n) for n in range(10)), ()) + goto(-5) + exit_()
    cfg = build_cfg(code)
    layout = place(cfg, [(100.0, 40.0)] * len(cfg.blocks))
    for number, a in enumerate(layout.boxes):
        assert 0 <= a.x <= a.x + a.width <= layout.width
        assert 0 <= a.y <= a.y + a.height <= layout.height
        for b in layout.boxes[number + 1 :]:
            assert (
                a.x + a.width <= b.x or b.x + b.width <= a.x
                or a.y + a.height <= b.y or b.y + b.height <= a.y
            )  # fmt: skip


def test_dot_names_what_the_drawing_shows():
    reach = reached(GUARD, POLICIES[0])
    marks = marks_of(reach, 0, len(GUARD), poisons=reach.poisons)
    text = to_dot(build_cfg(GUARD, name='a "name"'), marks=marks)
    assert text.startswith('digraph "a \\"name\\"" {')
    assert "3: call 0xbad2310" in text
    assert 'b0 -> b2 [label="taken"];' in text
    assert 'b0 -> b1 [label="fallthrough",color=gray];' in text
    assert 'xlabel="poison"' in text


def test_graphs_of_one_shape_are_laid_out_once():
    code = jmp("==", 1, 0, 1) + mov_imm(2, 100) + exit_()
    other = jmp("==", 1, 0, 1) + mov_imm(2, 101) + exit_()
    before = _laid_out.cache_info().hits
    draw(build_cfg(code))
    draw(build_cfg(other))
    assert _laid_out.cache_info().hits > before
