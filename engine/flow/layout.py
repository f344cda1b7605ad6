"""Where blocks and edges of a control-flow graph are drawn, in pixels, top to bottom.

The only module that knows graphlay (https://pypi.org/project/graphlay/).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from math import ceil
from typing import Any, Final

import graphlay

from engine import limits
from engine.errors import LimitExceeded
from engine.flow.cfg import Cfg

OPTIONS: Final = {
    "direction": "topbottom",
    "routing": {"style": "orthogonal"},
    "limits": {"max_dummies": 20_000},
}
END_SIZE: Final = (104.0, 24.0)
"""Of the box that stands for the far end of an edge which is not drawn as a whole."""
ROWS_CROSSED: Final = 800
"""Rows that all edges together may pass; the time of the layout grows faster than that."""
LARGE: Final = 1_200
"""Blocks from which on edges may pass fewer rows: such a graph is laid out in about a second."""
ROWS_CROSSED_IN_LARGE: Final = 300
MARGIN: Final = 16.0
WIDTH_STEP: Final = 16

Point = tuple[float, float]
Way = tuple[int, int | None, bool]
"""An edge: from which block to which, None where it is broken, and whether it goes back."""


@dataclass(frozen=True, slots=True)
class Box:
    """A placed rectangle; x and y are its left upper corner."""

    x: float
    y: float
    width: float
    height: float


@dataclass(frozen=True, slots=True)
class Layout:
    """A placed graph: boxes by block, lines by edge.

    `ends` is as long as the graph's edges: the box in which an edge ends that is broken, or
    that would pass too many rows; None for those that are drawn up to their block.
    """

    width: float
    height: float
    boxes: tuple[Box, ...]
    ends: tuple[Box | None, ...]
    lines: tuple[tuple[Point, ...], ...]


def place(cfg: Cfg, sizes: Sequence[tuple[float, float]]) -> Layout:
    """Place the blocks, whose widths and heights are given in pixels.

    Raises LimitExceeded for graphs that are too large to be drawn; list their blocks instead.
    """
    if len(cfg.blocks) > limits.GRAPH_BLOCKS:
        raise _too_large(cfg, f"at most {limits.GRAPH_BLOCKS} are drawn")
    if not cfg.blocks:
        return Layout(2 * MARGIN, 2 * MARGIN, (), (), ())
    ways = tuple((edge.source, edge.target, edge.back) for edge in cfg.edges)
    try:
        return _laid_out(tuple((_even(width), height) for width, height in sizes), ways)
    except graphlay.GraphlayError as error:
        raise _too_large(cfg, str(error)) from error


def _even(width: float) -> float:
    """Round a width up, so that code before and after relocation often has the same layout."""
    return ceil(width / WIDTH_STEP) * WIDTH_STEP


@lru_cache(maxsize=4)
def _laid_out(sizes: tuple[tuple[float, float], ...], ways: tuple[Way, ...]) -> Layout:
    graph = graphlay.Graph()
    for number, (width, height) in enumerate(sizes):
        graph.node(number, width=width, height=height)
    ends: list[int | None] = []
    cut = _far_edges(len(sizes), ways)
    for number, (source, target, _) in enumerate(ways):
        end = None
        if target is None or number in cut:
            end = target = graph.node(width=END_SIZE[0], height=END_SIZE[1])
        ends.append(end)
        graph.edge(source, target)
    return _moved(len(sizes), graphlay.layout(graph, options=OPTIONS), ends)


def _far_edges(blocks: int, ways: Sequence[Way]) -> frozenset[int]:
    """Edges that are cut short because they pass too many rows; longest first.

    Each block keeps one edge that leads to it.
    """
    rows = _rows(blocks, ways)
    length: dict[int, int] = {}
    incoming = [0] * blocks
    for number, (source, target, _) in enumerate(ways):
        if target is not None:
            length[number] = max(abs(rows[target] - rows[source]) - 1, 0)
            incoming[target] += 1
    total = sum(length.values())
    most = ROWS_CROSSED if blocks < LARGE else ROWS_CROSSED_IN_LARGE
    cut = set()
    for number in sorted(length, key=lambda n: (-length[n], n)):
        target = ways[number][1]
        if total <= most or target is None:
            break
        if incoming[target] > 1:
            incoming[target] -= 1
            total -= length[number]
            cut.add(number)
    return frozenset(cut)


def _rows(blocks: int, ways: Sequence[Way]) -> list[int]:
    """The row of each block when back edges are left out: its longest way from the entry."""
    onward: list[list[int]] = [[] for _ in range(blocks)]
    waiting = [0] * blocks
    for source, target, back in ways:
        if target is not None and not back:
            onward[source].append(target)
            waiting[target] += 1
    rows = [0] * blocks
    ready = [number for number, count in enumerate(waiting) if count == 0]
    while ready:
        number = ready.pop()
        for target in onward[number]:
            rows[target] = max(rows[target], rows[number] + 1)
            waiting[target] -= 1
            if waiting[target] == 0:
                ready.append(target)
    return rows


def _too_large(cfg: Cfg, why: str) -> LimitExceeded:
    return LimitExceeded(
        f"the graph of {cfg.name or 'this function'} has {len(cfg.blocks)} blocks; {why}",
        hint="Look at the list of its blocks instead of a picture.",
    )


def _moved(blocks: int, placed: Any, ends: Sequence[int | None]) -> Layout:
    """Take over the result, moved so that all of it lies right of and below (0, 0)."""
    boxes = [_box(node) for node in placed.nodes]
    lines = [[(p["x"], p["y"]) for p in edge["points"]] for edge in placed.edges]
    corners = [(b.x, b.y) for b in boxes] + [(b.x + b.width, b.y + b.height) for b in boxes]
    points = corners + [point for line in lines for point in line]
    left = min(x for x, _ in points) - MARGIN
    top = min(y for _, y in points) - MARGIN
    moved = [Box(b.x - left, b.y - top, b.width, b.height) for b in boxes]
    return Layout(
        max(x for x, _ in points) - left + MARGIN,
        max(y for _, y in points) - top + MARGIN,
        tuple(moved[:blocks]),
        tuple(None if end is None else moved[end] for end in ends),
        tuple(tuple((x - left, y - top) for x, y in line) for line in lines),
    )


def _box(node: Any) -> Box:
    center, size = node["center"], node["size"]
    width, height = size["width"], size["height"]
    return Box(center["x"] - width / 2, center["y"] - height / 2, width, height)
