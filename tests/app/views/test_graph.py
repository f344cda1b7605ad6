"""Graphs for the page: one before and one for each loader, blocks in words, files."""

from __future__ import annotations

import pytest

from app.services.closeup import Closeup, CloseupRequest, Near, look
from app.services.graphs import LISTED_BLOCKS, Graph
from app.views.graph import file_of, graph_views
from engine.core.candidates import Target
from engine.core.prepare import prepare
from tests.support.issue1348 import CILIUM, LIBBPF, program, target

HOSTILE = "</svg><script>alert(1)</script>"


def near(*loaders: str, name: str = "prog", **how: object) -> Closeup:
    prepared = prepare(program(name).object())
    request = CloseupRequest(b"", "6.1", loaders, ("socket", name), **how)  # type: ignore[arg-type]
    return look(prepared, Target(target().parsed()), "6.1", request)


def test_there_is_a_graph_before_and_one_for_each_loader():
    views = graph_views(near(CILIUM, LIBBPF))
    assert [view.name for view in views] == ["before relocation", "cilium 0.13.0", "libbpf 1.7.0"]
    assert [view.side for view in views] == ["before", CILIUM, LIBBPF]
    assert all(view.svg.startswith("<svg ") for view in views)
    assert "is-stray" in views[1].svg
    assert "is-dead" in views[2].svg
    ids = [part for view in views for part in view.svg.split('id="')[1:]]
    names = [part.partition('"')[0] for part in ids]
    assert len(names) == len(set(names))


def test_blocks_are_told_in_words():
    blocks = graph_views(near(CILIUM))[1].blocks
    assert blocks[0].ways == ("falls through to block 1", "jumps to block 2 (goes astray)")
    assert (blocks[1].slots, blocks[1].lines) == ("slots 3 to 5", "lines 18, 23, 27")
    assert blocks[1].states == ("cannot run", "holds poison")
    assert (blocks[2].slots, blocks[2].row) == ("slot 6", 7)


def test_laid_over_there_is_none_before():
    views = graph_views(near(CILIUM, LIBBPF, view="over"))
    assert [view.name for view in views] == ["cilium 0.13.0", "libbpf 1.7.0"]
    assert "jumps to block 2 (as it was meant)" in views[0].blocks[0].ways
    assert "is-meant" in views[0].svg
    assert "is-meant" not in views[1].svg


def test_a_list_is_not_drawn():
    views = graph_views(near(LIBBPF, view="list"))
    assert [(view.svg, len(view.blocks)) for view in views] == [("", 3), ("", 3)]


def test_files_are_whole():
    found = near(CILIUM, dot=True)
    assert file_of(found, CILIUM, dot=True).startswith('digraph "prog"')
    svg = file_of(found, "before", dot=False)
    assert svg.startswith("<?xml")
    assert "<style>" in svg
    assert file_of(found, LIBBPF, dot=False) == ""


def test_a_hostile_name_stays_text_in_the_drawing():
    found = near(LIBBPF, name=HOSTILE, dot=True)
    views = graph_views(found)
    assert "<script" not in views[0].svg
    assert "&lt;script&gt;" in views[0].svg
    assert file_of(found, "before", dot=True).splitlines()[0] == f'digraph "{HOSTILE}" {{'


def test_a_large_graph_is_drawn_when_asked_for():
    large = Graph(900, large=True)
    views = graph_views(Closeup(large, (Near(LIBBPF, large), Near(CILIUM))))
    assert [view.large for view in views] == [True, True, False]
    assert views[0].sentence == "900 blocks: a large graph is drawn when asked for."
    assert views[2].sentence == "There is no code: the loader refuses it."
    assert graph_views(Closeup()) == ()


@pytest.mark.parametrize("drawn", [False, True])
def test_how_many_blocks_are_drawn_unasked(monkeypatch, drawn):
    monkeypatch.setattr("app.services.graphs.DRAWN_BLOCKS", 2)
    found = near(LIBBPF, drawn=drawn)
    assert found.before is not None
    assert (found.before.large, bool(found.before.svg)) == (not drawn, drawn)


def test_too_many_blocks_are_listed_instead(monkeypatch):
    monkeypatch.setattr("engine.limits.GRAPH_BLOCKS", 2)
    monkeypatch.setattr("app.services.graphs.LISTED_BLOCKS", 2)
    assert LISTED_BLOCKS > 2
    view = graph_views(near(LIBBPF, drawn=True))[0]
    assert view.svg == ""
    assert "3 blocks; at most 2 are drawn" in view.sentence
    assert (len(view.blocks), view.total) == (2, 3)
