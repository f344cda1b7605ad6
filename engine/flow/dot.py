"""A control-flow graph in the DOT language of Graphviz, for use outside."""

from __future__ import annotations

from typing import Final

from engine.btf.kinds import ByteOrder
from engine.flow.cfg import Cfg, Edge
from engine.flow.picture import Marks, block_classes, edge_classes, lines_text, rows_of

_BLOCK_LOOKS: Final = {"dead": "color=gray,fontcolor=gray", "poison": "color=red,penwidth=2"}
_EDGE_LOOKS: Final = {
    "back": "style=bold,constraint=false",
    "broken": "color=red",
    "stray": "color=orange",
    "dead": "color=gray",
}


def to_dot(cfg: Cfg, *, marks: Marks | None = None, byte_order: ByteOrder = "little") -> str:
    """Write a graph of any size as DOT."""
    marks = marks or Marks()
    rows = rows_of(cfg, marks, byte_order)
    name = _escaped(cfg.name or "function")
    out = [f'digraph "{name}" {{', "  node [shape=box,fontname=monospace];"]
    for block, texts in zip(cfg.blocks, rows, strict=True):
        lines = [lines_text(block), *(row.text for row in texts)]
        label = "".join(_escaped(line) + "\\l" for line in lines if line)
        looks = [f'label="{label}"']
        looks += [_BLOCK_LOOKS[word] for word in block_classes(block, marks)]
        out.append(f"  b{block.number} [{','.join(looks)}];")
    for number, edge in enumerate(cfg.edges):
        out += _edge(cfg, edge, number, marks)
    return "\n".join([*out, "}", ""])


def _edge(cfg: Cfg, edge: Edge, number: int, marks: Marks) -> list[str]:
    words = edge_classes(cfg, edge, marks)
    looks = [_EDGE_LOOKS[word] for word in words if word in _EDGE_LOOKS]
    attributes = ",".join([f'label="{edge.kind}"', *looks])
    if edge.target is not None:
        return [f"  b{edge.source} -> b{edge.target} [{attributes}];"]
    return [
        f'  n{number} [label="no slot {edge.slot}",color=red,shape=plain];',
        f"  b{edge.source} -> n{number} [{attributes}];",
    ]


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", " ")
