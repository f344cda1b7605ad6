"""Control-flow graphs as the page shows them: laid out, drawn, listed; then a whole address.

The code is made up: guards, branches that meet again, a loop here and there, as a BPF program has.
"""

from __future__ import annotations

import random
from collections.abc import Iterator

from app.services.closeup import CloseupRequest
from app.services.graphs import Graph, graph_of
from bench.figures import Figure, milliseconds, yardstick
from engine.flow.cfg import build_cfg
from engine.flow.layout import _laid_out
from engine.flow.picture import Marks, picture_of
from engine.insn.codec import Insn

BOUNDS = {50: 60.0, 500: 400.0, 2000: 2000.0}
EXIT = Insn(0x95, 0, 0, 0, 0)


def program(blocks: int) -> tuple[Insn, ...]:
    """Give code with about this many basic blocks."""
    dice = random.Random(blocks)  # noqa: S311  # the same program each time
    code: list[Insn] = []
    made = 1
    while made < blocks - 2:
        body = [Insn(0xBF, 1, 6, 0, 0)] * dice.randint(1, 4)
        way = dice.random()
        made += 2 if way < 0.6 else 3
        if way < 0.6:
            code += [Insn(0x15, 1, 0, len(body), 0), *body]
        elif way < 0.9:
            other = [Insn(0xB7, 2, 0, 0, 7)] * dice.randint(1, 3)
            code += [Insn(0x55, 1, 0, len(body) + 1, 3), *body, Insn(0x05, 0, 0, len(other), 0)]
            code += other
        else:
            code += [*body, Insn(0xA5, 1, 0, -len(body) - 1, 9)]
    return (*code, EXIT)


def made(code: tuple[Insn, ...]) -> Graph:
    """Do what a worker does for one graph that it has not seen before."""
    _laid_out.cache_clear()
    asked = CloseupRequest(b"", "", (), ("", ""), drawn=True)
    return graph_of(picture_of(build_cfg(code), Marks(), "little"), "cfg", asked)


def measure() -> Iterator[Figure]:
    """Give the time for each size; a graph that is not drawn within its bound is listed."""
    reference = milliseconds(yardstick, times=10)
    for blocks, bound in BOUNDS.items():
        code = program(blocks)
        graph = made(code)
        what = "drawn" if graph.svg else "listed"
        spent = milliseconds(lambda code=code: made(code), times=5)
        yield Figure(
            f"graph of {graph.blocks:,} blocks, {what}",
            spent,
            "ms",
            bound,
            reference,
            "100,000 squares in plain Python",
        )
