"""Control-flow graphs as values that cross processes: drawn, as DOT, and as a list of blocks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

from engine.errors import LimitExceeded
from engine.flow.dot import picture_to_dot
from engine.flow.picture import Picture, lines_text
from engine.flow.svg import draw_picture

if TYPE_CHECKING:
    from app.services.closeup import CloseupRequest
    from engine.flow.cfg import Cfg

GraphLook = Literal["side", "over", "list"]
DRAWN_BLOCKS: Final = 80
"""Blocks of a graph that is drawn without being asked for."""
LISTED_BLOCKS: Final = 1_000
"""Blocks that one list names; a DOT file has all of them."""


@dataclass(frozen=True, slots=True)
class Way:
    """Where a block leads: to a block, or to a slot where there is none."""

    block: int | None
    slot: int
    words: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Listed:
    """One block in words; `row` is its first slot before relocation, None where it has none."""

    number: int
    start: int
    end: int
    lines: str
    words: tuple[str, ...]
    ways: tuple[Way, ...]
    row: int | None


@dataclass(frozen=True, slots=True)
class Graph:
    """A control-flow graph: `svg`, or why there is none; `large` ones are drawn when asked."""

    blocks: int
    svg: str = ""
    dot: str = ""
    problem: str = ""
    large: bool = False
    listed: tuple[Listed, ...] = ()


def too_large(cfg: Cfg, request: CloseupRequest) -> Graph | None:
    """Give a graph without a picture where it is large and was not asked for."""
    blocks = len(cfg.blocks)
    return Graph(blocks, large=True) if blocks > DRAWN_BLOCKS and not request.drawn else None


def graph_of(picture: Picture, prefix: str, request: CloseupRequest) -> Graph:
    """Draw and list a graph as far as `request` wants it."""
    blocks = len(picture.cfg.blocks)
    dot = picture_to_dot(picture) if request.dot else ""
    if request.view == "list":
        return Graph(blocks, dot=dot, listed=_listed(picture))
    try:
        svg = draw_picture(picture, prefix=prefix)
    except LimitExceeded as error:
        return Graph(blocks, dot=dot, problem=error.message, listed=_listed(picture))
    return Graph(blocks, svg, dot, listed=_listed(picture))


def _listed(picture: Picture) -> tuple[Listed, ...]:
    cfg = picture.cfg
    ways: dict[int, list[Way]] = {}
    for edge, words in zip(cfg.edges, picture.edges, strict=True):
        if edge.source < LISTED_BLOCKS:
            ways.setdefault(edge.source, []).append(Way(edge.target, edge.slot, words))
    return tuple(
        Listed(
            block.number,
            block.start,
            block.end,
            lines_text(block),
            picture.blocks[block.number],
            tuple(ways.get(block.number, ())),
            min(picture.slots[block.number], default=None),
        )
        for block in cfg.blocks[:LISTED_BLOCKS]
    )
