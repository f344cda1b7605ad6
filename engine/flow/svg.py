"""A control-flow graph as SVG: classes instead of styles, names escaped, nothing to run.

Classes: `cfg-block`, with `is-dead` and `is-poison`; `cfg-edge` with `is-taken`,
`is-fallthrough`, `is-back`, `is-broken`, `is-stray`, `is-meant`, `is-dead`; `cfg-label` beside
edges; `cfg-row` with `is-poison`, `is-dead`, `is-lost`, `is-changed`; `cfg-nowhere` at the end of
broken edges, `cfg-end` at that of edges cut short, a link to their block. A block has its text
three times, for three distances: `cfg-full`, `cfg-short`, `cfg-number`; `data-level` of the whole
says which is shown.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Final

from engine.btf.kinds import ByteOrder
from engine.flow.cfg import Block, Cfg, Edge
from engine.flow.layout import Box, Point, place
from engine.flow.picture import Marks, Picture, Row, lines_text, picture_of

CHARACTER: Final = 7.3
"""Width of a character of the 12-pixel fixed-width font that `.cfg` is set in."""
LINE: Final = 16
PADDING: Final = 8
SMALLEST: Final = 58.0
"""Width that the icon of a poisoned block and its number need."""
_POISON: Final = "poison"
_ESCAPES: Final = str.maketrans(
    {"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&#39;"}
    | {chr(code): "\ufffd" for code in range(32) if code not in (9, 10, 13)}
)
_SURROGATES: Final = range(0xD800, 0xE000)
_STATES: Final = {"dead": "cannot run", "poison": "holds poison"}
_LABELS: Final = {
    "stray": "astray, to {}",
    "broken": "broken",
    "meant": "meant",
    "back": "back",
}
_ARROWS: Final = ("stray", "broken", "meant", "dead", "back")
_SKULL: Final = (
    '<path d="M8 1.2C4.8 1.2 2.4 3.4 2.4 6.5c0 1.9.9 3.2 2.1 4.1v2.6h7v-2.6c1.2-.9 2.1-2.2 2.1-4.1 '
    '0-3.1-2.4-5.3-5.6-5.3z" fill="none" stroke-width="1.5"/><path d="M6.7 13.2v-1.7M9.3 '
    '13.2v-1.7" stroke-width="1.2"/><circle cx="5.9" cy="6.9" r="1.3"/>'
    '<circle cx="10.1" cy="6.9" r="1.3"/>'
)


def draw(
    cfg: Cfg, *, marks: Marks | None = None, byte_order: ByteOrder = "little", prefix: str = "cfg"
) -> str:
    """Draw a graph; ids of blocks are `PREFIX-b0`, `PREFIX-b1` ...

    `prefix` keeps the ids of several drawings in one page apart: letters, digits, `-`, `_`.
    Raises LimitExceeded for graphs that are too large, as `place` does.
    """
    return draw_picture(picture_of(cfg, marks or Marks(), byte_order), prefix=prefix)


def draw_picture(picture: Picture, *, prefix: str = "cfg") -> str:
    """Draw what was put together before; as `draw` otherwise."""
    cfg = picture.cfg
    sizes = [
        _size(block, rows, words)
        for block, rows, words in zip(cfg.blocks, picture.rows, picture.blocks, strict=True)
    ]
    layout = place(cfg, sizes)
    labels = [
        _label(edge, line, words)
        for edge, line, words in zip(cfg.edges, layout.lines, picture.edges, strict=True)
    ]
    width = max([layout.width, *(right for _, right in labels)])
    out = [_opening(cfg, width, layout.height, prefix)]
    for number, edge in enumerate(cfg.edges):
        line, words = layout.lines[number], picture.edges[number]
        out.append(_edge(edge, line, words, prefix))
        box = layout.ends[number]
        if box is not None:
            out.append(_end(edge, box, prefix))
    for block, box in zip(cfg.blocks, layout.boxes, strict=True):
        out.append(_block(picture, block, box, prefix))
    return "".join([*out, *(text for text, _ in labels), "</svg>\n"])


def escape(text: str) -> str:
    """Make a text safe in SVG content and attributes; what XML cannot hold is replaced."""
    text = text.translate(_ESCAPES)
    return "".join("\ufffd" if ord(c) in _SURROGATES or c in "\ufffe\uffff" else c for c in text)


def _heading(block: Block, words: tuple[str, ...]) -> str:
    parts = [f"#{block.number}", lines_text(block), "dead" if "dead" in words else ""]
    return " · ".join(part for part in parts if part)


def _size(block: Block, rows: tuple[Row, ...], words: tuple[str, ...]) -> tuple[float, float]:
    widest = max([len(_row_words(row)) for row in rows] + [len(_heading(block, words))])
    width = max(widest * CHARACTER + 2 * PADDING, SMALLEST)
    return width + (LINE if "poison" in words else 0), float(LINE * (len(rows) + 1) + 2 * PADDING)


def _row_words(row: Row) -> str:
    return f"{row.text} {_POISON}" if row.poison and row.slot >= 0 else row.text


def _opening(cfg: Cfg, wide: float, high: float, prefix: str) -> str:
    name = escape(cfg.name) or "function"
    width, height = f"{wide:g}", f"{high:g}"
    arrows = "".join(
        f'<marker id="{prefix}-arrow{kind}" class="cfg-arrow{kind}" viewBox="0 0 8 8" refX="8" '
        'refY="4" markerWidth="8" markerHeight="8" orient="auto-start-reverse">'
        '<path d="M0 0 8 4 0 8z"/></marker>'
        for kind in ("", *(f"-{word}" for word in _ARROWS))
    )
    skull = f'<symbol id="{prefix}-skull" viewBox="0 0 16 16">{_SKULL}</symbol>'
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" class="cfg" role="group" data-level="full" '
        f'width="{width}" height="{height}" viewBox="0 0 {width} {height}" '
        f'aria-labelledby="{prefix}-title">'
        f'<title id="{prefix}-title">Control flow of {name}: {len(cfg.blocks)} blocks, '
        f"{len(cfg.edges)} edges</title><defs>{arrows}{skull}</defs>\n"
    )


def _words(first: str, words: tuple[str, ...]) -> str:
    return " ".join([first, *(f"is-{word}" for word in words)])


def _edge(edge: Edge, line: tuple[Point, ...], words: tuple[str, ...], prefix: str) -> str:
    points = " ".join(f"{x:g},{y:g}" for x, y in line)
    kind = next((f"-{word}" for word in _ARROWS if word in words), "")
    to = f' data-to="{edge.target}"' if edge.target is not None else ""
    said = ", ".join(words)
    ends = f"no slot {edge.slot}" if edge.target is None else f"block {edge.target}"
    return (
        f'<polyline class="{_words("cfg-edge", words)}" data-from="{edge.source}"{to} '
        f'points="{points}" fill="none" marker-end="url(#{prefix}-arrow{kind})">'
        f"<title>block {edge.source} to {ends}: {said}</title></polyline>\n"
    )


def _label(edge: Edge, line: tuple[Point, ...], words: tuple[str, ...]) -> tuple[str, float]:
    """The word beside an edge's longest piece that runs up or down, and how far right it reaches.

    Right of the piece, since left of it there may be the block that the edge goes around.
    """
    word = next((word for word in _LABELS if word in words), "")
    pieces = list(pairwise(line))
    if not pieces or not word:
        return "", 0.0
    text = _LABELS[word].format(edge.slot)
    (x, y), (to_x, to_y) = max(pieces, key=lambda piece: abs(piece[1][1] - piece[0][1]))
    x, y = (x + to_x) / 2, (y + to_y) / 2 + 4
    left = word == "meant"
    place = f'x="{x - 5:g}" text-anchor="end"' if left else f'x="{x + 5:g}"'
    drawn = f'<text class="{_words("cfg-label", words)}" {place} y="{y:g}">{text}</text>\n'
    return drawn, 0.0 if left else x + 5 + 6.5 * len(text)


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


def _block(picture: Picture, block: Block, box: Box, prefix: str) -> str:
    words = picture.blocks[block.number]
    states = "".join(f", {_STATES[word]}" for word in words)
    label = f"block {block.number}, slots {block.start} to {block.end - 1}{states}"
    slots = " ".join(map(str, picture.slots[block.number]))
    skull = ""
    if "poison" in words:
        skull = (
            f'<use class="cfg-skull" href="#{prefix}-skull" x="{box.x + box.width - 20:g}" '
            f'y="{box.y + 4:g}" width="16" height="16"/>'
        )
    return (
        f'<g class="{_words("cfg-block", words)}" id="{prefix}-b{block.number}" role="group" '
        f'aria-label="{label}" data-start="{block.start}" data-end="{block.end}" '
        f'data-slots="{slots}">'
        f'<rect x="{box.x:g}" y="{box.y:g}" width="{box.width:g}" height="{box.height:g}" rx="3"/>'
        f"{_full(picture, block, box)}{_far(block, box, words)}{skull}</g>\n"
    )


def _full(picture: Picture, block: Block, box: Box) -> str:
    """All of it: source lines, then the instructions."""
    x, y = f"{box.x + PADDING:g}", box.y + PADDING + LINE - 4
    heading = _heading(block, picture.blocks[block.number])
    out = [f'<g class="cfg-full"><text class="cfg-lines" x="{x}" y="{y:g}">{heading}</text>']
    for row in picture.rows[block.number]:
        y += LINE
        flags = {"poison": row.poison, "dead": row.dead, "lost": row.lost, "changed": row.changed}
        words = tuple(word for word, holds in flags.items() if holds)
        slot = f' data-slot="{row.slot}"' if row.slot >= 0 else ""
        said = f"<tspan> {_POISON}</tspan>" if row.poison and row.slot >= 0 else ""
        out.append(
            f'<text class="{_words("cfg-row", words)}" x="{x}" y="{y:g}"{slot}>'
            f"{escape(row.text)}{said}</text>"
        )
    return "".join([*out, "</g>"])


def _far(block: Block, box: Box, words: tuple[str, ...]) -> str:
    """What is read from further away: slots and lines; from very far its number alone."""
    slots = f"{block.start}" if block.end - block.start == 1 else f"{block.start}…{block.end - 1}"
    state = "dead" if "dead" in words else ""
    texts = [slots, " ".join(part for part in (lines_text(block), state) if part)]
    shown = [text for text in texts if text]
    longest = max(len(text) for text in shown)
    width = box.width - PADDING - (LINE if "poison" in words else 0)
    size = min(width / (0.62 * longest), (box.height - 6) / (1.25 * len(shown)), 30)
    x = box.x + box.width / 2 - (LINE / 2 if "poison" in words else 0)
    y = box.y + box.height / 2 + size * (0.35 if len(shown) == 1 else -0.2)
    lines = "".join(
        f'<text x="{x:g}" y="{y + number * size * 1.2:g}" font-size="{size:.3g}" '
        f'text-anchor="middle">{text}</text>'
        for number, text in enumerate(shown)
    )
    large = min(box.height * 0.8, width / (0.62 * len(str(block.number))), 110)
    number = (
        f'<text x="{x:g}" y="{box.y + box.height / 2 + large * 0.35:g}" font-size="{large:.3g}" '
        f'text-anchor="middle">{block.number}</text>'
    )
    return f'<g class="cfg-short">{lines}</g><g class="cfg-number">{number}</g>'
