"""A control-flow graph in the DOT language of Graphviz, for use outside."""

from __future__ import annotations

from typing import Final

from engine.btf.kinds import ByteOrder
from engine.flow.cfg import Cfg, Edge
from engine.flow.picture import Marks, Picture, lines_text, picture_of

_BLOCK_LOOKS: Final = {
    "dead": 'color=gray,fontcolor=gray,style="dashed"',
    "poison": 'color=purple,penwidth=2,xlabel="poison"',
}
_EDGE_LOOKS: Final = {
    "back": 'style="dashed,bold",constraint=false',
    "broken": "color=red",
    "stray": "color=red,penwidth=2",
    "meant": "color=gray,style=dotted",
    "dead": "color=gray",
}
_SPOKEN: Final = {"back": "back", "broken": "broken", "stray": "goes astray", "meant": "meant"}


def to_dot(cfg: Cfg, *, marks: Marks | None = None, byte_order: ByteOrder = "little") -> str:
    """Write a graph of any size as DOT."""
    return picture_to_dot(picture_of(cfg, marks or Marks(), byte_order))


def picture_to_dot(picture: Picture) -> str:
    """Write what was put together for a drawing as DOT."""
    cfg = picture.cfg
    name = _escaped(cfg.name or "function")
    out = [f'digraph "{name}" {{', "  node [shape=box,fontname=monospace];"]
    for block, rows, words in zip(cfg.blocks, picture.rows, picture.blocks, strict=True):
        lines = [lines_text(block), *(row.text for row in rows)]
        label = "".join(_escaped(line) + "\\l" for line in lines if line)
        looks = [f'label="{label}"', *(_BLOCK_LOOKS[word] for word in words)]
        out.append(f"  b{block.number} [{','.join(looks)}];")
    for number, edge in enumerate(cfg.edges):
        out += _edge(edge, number, picture.edges[number])
    return "\n".join([*out, "}", ""])


def _edge(edge: Edge, number: int, words: tuple[str, ...]) -> list[str]:
    looks = [_EDGE_LOOKS[word] for word in words if word in _EDGE_LOOKS]
    label = ", ".join([edge.kind, *(_SPOKEN[word] for word in words if word in _SPOKEN)])
    attributes = ",".join([f'label="{label}"', *looks])
    if edge.target is not None:
        return [f"  b{edge.source} -> b{edge.target} [{attributes}];"]
    return [
        f'  n{number} [label="no slot {edge.slot}",color=red,shape=plain];',
        f"  b{edge.source} -> n{number} [{attributes}];",
    ]


def _escaped(text: str) -> str:
    """Quote what ends a string; what cannot be printed becomes a question mark."""
    plain = "".join(c if c.isprintable() else " " if c in "\n\t" else "?" for c in text)
    return plain.replace("\\", "\\\\").replace('"', '\\"')
