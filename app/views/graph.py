"""Control-flow graphs for the page: drawn or why not, and their blocks in words."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from app.services.closeup import Closeup
from app.services.graphs import Graph, GraphLook, Listed, Way
from app.views.prose import count, loader_name
from engine.flow.standalone import standalone

BEFORE: Final = "before"
_WAYS: Final = {"taken": "jumps to", "fallthrough": "falls through to"}
_STATES: Final = {"dead": "cannot run", "poison": "holds poison"}
_TURNS: Final = {
    "back": "back",
    "broken": "broken",
    "stray": "goes astray",
    "meant": "as it was meant",
    "dead": "",
}


class Drawing(str):
    """SVG of engine.flow.svg, which escapes every name in it: templates take it as it is."""

    __slots__ = ()

    def __html__(self) -> str:
        return str(self)


@dataclass(frozen=True, slots=True)
class BlockView:
    """One block in a list: `slots 3 to 5`, its state in words, and where it leads."""

    number: int
    slots: str
    lines: str
    states: tuple[str, ...]
    ways: tuple[str, ...]
    row: int | None


@dataclass(frozen=True, slots=True)
class GraphView:
    """One control-flow graph: `svg`, else a sentence why it is not there.

    side  `before` or the loader, as addresses name it
    """

    name: str
    side: str
    svg: Drawing
    sentence: str
    large: bool
    total: int
    blocks: tuple[BlockView, ...]


def graph_views(closeup: Closeup) -> tuple[GraphView, ...]:
    """Give the graph before relocation, where it was drawn, and one for each loader."""
    views = [_graph("before relocation", BEFORE, closeup.before)] if closeup.before else []
    views += [_graph(loader_name(side.loader), side.loader, side.graph) for side in closeup.sides]
    return tuple(views) if any(view.total for view in views) else ()


def _graph(name: str, side: str, graph: Graph | None) -> GraphView:
    if graph is None:
        sentence = "There is no code: the loader refuses it."
        return GraphView(name, side, Drawing(), sentence, False, 0, ())
    sentence = graph.problem
    if graph.large:
        sentence = f"{count(graph.blocks, 'block')}: a large graph is drawn when asked for."
    blocks = tuple(map(_block, graph.listed))
    svg = Drawing(graph.svg)
    return GraphView(name, side, svg, sentence, graph.large, graph.blocks, blocks)


def _block(found: Listed) -> BlockView:
    last = found.end - 1
    slots = f"slot {last}" if found.start == last else f"slots {found.start} to {last}"
    states = tuple(_STATES[word] for word in found.words)
    return BlockView(
        found.number, slots, found.lines, states, tuple(map(_way, found.ways)), found.row
    )


def _way(way: Way) -> str:
    where = f"no instruction, slot {way.slot}" if way.block is None else f"block {way.block}"
    turns = [_TURNS[word] for word in way.words if _TURNS.get(word)]
    said = f" ({', '.join(turns)})" if turns else ""
    return f"{_WAYS[way.words[0]]} {where}{said}"


def file_of(closeup: Closeup, side: str, *, dot: bool) -> str:
    """Give one graph as the text of a file, SVG or DOT; empty where there is none."""
    found = next((graph for name, graph in _named(closeup) if name == side), None)
    if found is None:
        return ""
    if dot:
        return found.dot
    return standalone(found.svg) if found.svg else ""


def _named(closeup: Closeup) -> Iterator[tuple[str, Graph | None]]:
    yield BEFORE, closeup.before
    for side in closeup.sides:
        yield side.loader, side.graph


LOOKS: Final[dict[GraphLook, str]] = {
    "side": "side by side",
    "over": "laid over the one before",
    "list": "as a list",
}
