"""A control-flow graph as SVG: classes instead of styles, names escaped, nothing to run.

Classes: `cfg-block`, with `is-dead` and `is-poison`; `cfg-edge` with `is-taken`,
`is-fallthrough`, `is-back`, `is-broken`, `is-stray`, `is-dead`; `cfg-row` with `is-poison`;
`cfg-nowhere` at the end of broken edges, `cfg-end` at that of edges cut short, a link to their
block; `cfg-lines` for source lines.
"""

from __future__ import annotations

from typing import Final

from engine.btf.kinds import ByteOrder
from engine.flow.cfg import Block, Cfg, Edge
from engine.flow.layout import Box, Layout, Point, place
from engine.flow.picture import (
    Marks,
    Row,
    block_classes,
    edge_classes,
    lines_text,
    rows_of,
)

CHARACTER: Final = 7.3
"""Width of a character of the 12-pixel fixed-width font that `.cfg` is set in."""
LINE: Final = 16
PADDING: Final = 8
_ESCAPES: Final = str.maketrans(
    {"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&#39;"}
    | {chr(code): "\ufffd" for code in range(32) if code not in (9, 10, 13)}
)
_SURROGATES: Final = range(0xD800, 0xE000)


def draw(
    cfg: Cfg, *, marks: Marks | None = None, byte_order: ByteOrder = "little", prefix: str = "cfg"
) -> str:
    """Draw a graph; ids of blocks are `PREFIX-b0`, `PREFIX-b1` ...

    `prefix` keeps the ids of several drawings in one page apart: letters, digits, `-`, `_`.
    Raises LimitExceeded for graphs that are too large, as `place` does.
    """
    marks = marks or Marks()
    rows = rows_of(cfg, marks, byte_order)
    sizes = [_size(block, texts) for block, texts in zip(cfg.blocks, rows, strict=True)]
    layout = place(cfg, sizes)
    out = [_opening(cfg, layout, prefix)]
    for number, edge in enumerate(cfg.edges):
        out.append(_edge(cfg, edge, layout.lines[number], marks, prefix))
        box = layout.ends[number]
        if box is not None:
            out.append(_end(edge, box, prefix))
    for block, box, texts in zip(cfg.blocks, layout.boxes, rows, strict=True):
        out.append(_block(block, box, texts, marks, prefix))
    out.append("</svg>\n")
    return "".join(out)


def escape(text: str) -> str:
    """Make a text safe in SVG content and attributes; what XML cannot hold is replaced."""
    text = text.translate(_ESCAPES)
    return "".join("\ufffd" if ord(c) in _SURROGATES or c in "\ufffe\uffff" else c for c in text)


def _size(block: Block, rows: tuple[Row, ...]) -> tuple[float, float]:
    heading = lines_text(block)
    widest = max([len(row.text) for row in rows] + [len(heading)], default=1)
    height = LINE * (len(rows) + bool(heading)) + 2 * PADDING
    return widest * CHARACTER + 2 * PADDING, float(height)


def _opening(cfg: Cfg, layout: Layout, prefix: str) -> str:
    name = escape(cfg.name) or "function"
    width, height = f"{layout.width:g}", f"{layout.height:g}"
    arrows = "".join(
        f'<marker id="{prefix}-arrow{kind}" class="cfg-arrow{kind}" viewBox="0 0 8 8" refX="8" '
        'refY="4" markerWidth="8" markerHeight="8" orient="auto-start-reverse">'
        '<path d="M0 0 8 4 0 8z"/></marker>'
        for kind in ("", "-broken", "-back", "-dead")
    )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" class="cfg" role="img" width="{width}" '
        f'height="{height}" viewBox="0 0 {width} {height}" aria-labelledby="{prefix}-title">'
        f'<title id="{prefix}-title">Control flow of {name}: {len(cfg.blocks)} blocks, '
        f"{len(cfg.edges)} edges</title><defs>{arrows}</defs>\n"
    )


def _words(first: str, words: tuple[str, ...]) -> str:
    return " ".join([first, *(f"is-{word}" for word in words)])


def _edge(cfg: Cfg, edge: Edge, line: tuple[Point, ...], marks: Marks, prefix: str) -> str:
    words = edge_classes(cfg, edge, marks)
    points = " ".join(f"{x:g},{y:g}" for x, y in line)
    kind = next((f"-{word}" for word in ("broken", "dead", "back") if word in words), "")
    to = f' data-to="{edge.target}"' if edge.target is not None else ""
    return (
        f'<polyline class="{_words("cfg-edge", words)}" data-from="{edge.source}"{to} '
        f'points="{points}" fill="none" marker-end="url(#{prefix}-arrow{kind})"/>\n'
    )


def _end(edge: Edge, box: Box, prefix: str) -> str:
    """The far end of an edge that leads nowhere, or too far to be drawn."""
    x, y = box.x + box.width / 2, box.y + box.height / 2 + 4
    shape = (
        f'<rect x="{box.x:g}" y="{box.y:g}" width="{box.width:g}" height="{box.height:g}"/>'
        f'<text x="{x:g}" y="{y:g}" text-anchor="middle">'
    )
    if edge.target is None:
        return f'<g class="cfg-nowhere">{shape}no slot {edge.slot}</text></g>\n'
    link = f'<a href="#{prefix}-b{edge.target}">{shape}to slot {edge.slot}</text></a>'
    return f'<g class="cfg-end">{link}</g>\n'


def _block(block: Block, box: Box, rows: tuple[Row, ...], marks: Marks, prefix: str) -> str:
    words = block_classes(block, marks)
    states = "".join(f", {text}" for text in (_STATES[word] for word in words))
    label = f"block {block.number}, slots {block.start} to {block.end - 1}{states}"
    out = [
        f'<g class="{_words("cfg-block", words)}" id="{prefix}-b{block.number}" role="group" '
        f'aria-label="{label}" data-start="{block.start}" data-end="{block.end}">'
        f'<rect x="{box.x:g}" y="{box.y:g}" width="{box.width:g}" height="{box.height:g}" rx="3"/>'
    ]
    y = box.y + PADDING + LINE - 4
    heading = lines_text(block)
    if heading:
        out.append(f'<text class="cfg-lines" x="{box.x + PADDING:g}" y="{y:g}">{heading}</text>')
        y += LINE
    for row in rows:
        words = ("poison",) if row.poison else ()
        slot = f' data-slot="{row.slot}"' if row.slot >= 0 else ""
        out.append(
            f'<text class="{_words("cfg-row", words)}" x="{box.x + PADDING:g}" y="{y:g}"{slot}>'
            f"{escape(row.text)}</text>"
        )
        y += LINE
    out.append("</g>\n")
    return "".join(out)


_STATES: Final = {"dead": "cannot run", "poison": "holds poison"}
