"""A drawing as a file of its own: the same SVG with its colours inside.

Page and file have the same classes; a page's own style sheet colours the one, this text the
other. In a page's markup it would be forbidden; a file that is downloaded may have it.
"""

from __future__ import annotations

from typing import Final

STYLE: Final = """
.cfg{font:12px ui-monospace,"SF Mono",Menlo,Consolas,"DejaVu Sans Mono",monospace;background:#fff}
.cfg text{fill:#1a1f26;white-space:pre}
.cfg-short,.cfg-number{display:none}
.cfg-block>rect{fill:#fff;stroke:#848d99}
.cfg .cfg-lines{fill:#545d69;font-size:11px}
.cfg-block.is-dead>rect{fill:#eef0f3;stroke-dasharray:5 4}
.cfg-block.is-dead text,.cfg .cfg-row.is-dead{fill:#545d69}
.cfg-block.is-poison>rect{fill:#f3eafb;stroke:#65299b;stroke-width:1.75}
.cfg .cfg-row.is-poison{fill:#65299b;font-weight:700}
.cfg .cfg-row.is-changed{font-weight:700}
.cfg .cfg-row.is-lost{fill:#b01e17;text-decoration:line-through}
.cfg-skull{stroke:#65299b;fill:#65299b}
.cfg-edge{stroke:#545d69;stroke-width:1.4}
.cfg-edge.is-taken{stroke:#0a51b8}
.cfg-edge.is-back{stroke-width:2;stroke-dasharray:10 4}
.cfg-edge.is-dead{stroke:#848d99;stroke-dasharray:4 4}
.cfg-edge.is-meant{stroke:#545d69;stroke-dasharray:1 4}
.cfg-edge.is-stray,.cfg-edge.is-broken{stroke:#b01e17;stroke-width:2.2;stroke-dasharray:none}
.cfg-label{font:11px sans-serif;paint-order:stroke;stroke:#fff;stroke-width:3px}
.cfg .cfg-label.is-stray,.cfg .cfg-label.is-broken{fill:#b01e17;font-weight:700}
.cfg .cfg-nowhere text{fill:#b01e17;font-weight:700}
.cfg marker path{fill:#545d69;fill:context-stroke}
.cfg-nowhere rect{fill:#fdebe9;stroke:#b01e17}
.cfg-end rect{fill:#fff;stroke:#0a51b8}
.cfg .cfg-end text{fill:#0a51b8;text-decoration:underline}
"""
_HEAD: Final = '<?xml version="1.0" encoding="UTF-8"?>\n'


def standalone(svg: str) -> str:
    """Give a drawing of `engine.flow.svg.draw` as the text of a file."""
    return _HEAD + svg.replace("<defs>", f"<style>{STYLE}</style><defs>", 1)
