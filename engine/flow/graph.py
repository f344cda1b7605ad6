"""Plain graph work on numbered nodes: back edges, dominators, loops. Node 0 is the entry."""

from __future__ import annotations

from collections.abc import Sequence

Graph = Sequence[Sequence[int]]
"""Successors by node."""


def find_back_edges(successors: Graph) -> tuple[set[tuple[int, int]], list[int]]:
    """Walk depth first; give the edges that lead to a node still open, and the order.

    The order is reverse postorder of the nodes that the entry reaches.
    """
    if not successors:
        return set(), []
    back: set[tuple[int, int]] = set()
    state = [0] * len(successors)  # 1: open, 2: done
    postorder: list[int] = []
    stack = [(0, iter(successors[0]))]
    state[0] = 1
    while stack:
        node, rest = stack[-1]
        for target in rest:
            if state[target] == 1:
                back.add((node, target))
            elif state[target] == 0:
                state[target] = 1
                stack.append((target, iter(successors[target])))
                break
        else:
            state[node] = 2
            postorder.append(node)
            stack.pop()
    return back, postorder[::-1]


def predecessors_of(successors: Graph) -> list[list[int]]:
    """Turn the edges round."""
    found: list[list[int]] = [[] for _ in successors]
    for node, targets in enumerate(successors):
        for target in targets:
            found[target].append(node)
    return found


def dominators(successors: Graph, order: Sequence[int]) -> list[int | None]:
    """Immediate dominators, None for the entry and for nodes not in `order`.

    Method: Cooper, Harvey, Kennedy, "A Simple, Fast Dominance Algorithm" (2001).
    """
    idom: list[int | None] = [None] * len(successors)
    place = {node: position for position, node in enumerate(order)}
    before = predecessors_of(successors)
    ways = [  # deepest first: each meeting then goes on where the one before it ended
        sorted((place[other] for other in before[node] if other in place), reverse=True)
        for node in order
    ]
    above = [-1] * len(order)  # positions in `order`; the entry is its own, until the end
    loops = any(found and found[0] >= at for at, found in enumerate(ways))
    changed = bool(order)
    while changed:
        changed = False
        above[0] = 0
        for position in range(1, len(order)):
            best = -1
            for other in ways[position]:
                if above[other] >= 0:
                    best = other if best < 0 else _meet(above, best, other)
            if best != above[position]:
                above[position] = best
                changed = loops  # without any, one pass sees every node after those before it
    for position in range(1, len(order)):
        idom[order[position]] = order[above[position]]
    return idom


def _meet(above: Sequence[int], one: int, other: int) -> int:
    while one != other:
        if one > other:
            one = above[one]
        else:
            other = above[other]
    return one


def natural_loops(
    successors: Graph, back: set[tuple[int, int]], idom: Sequence[int | None]
) -> tuple[list[tuple[int, frozenset[int]]], bool]:
    """Loops as (head, nodes), by head; and whether one can be entered past its head.

    Back edges with the same head make one loop.
    """
    before = predecessors_of(successors)
    bodies: dict[int, set[int]] = {}
    irreducible = False
    for tail, head in sorted(back):
        if not _dominated(idom, head, tail):
            irreducible = True
        body = bodies.setdefault(head, {head})
        pending = [tail]
        while pending:
            node = pending.pop()
            if node not in body:
                body.add(node)
                pending += before[node]
    return [(head, frozenset(body)) for head, body in sorted(bodies.items())], irreducible


def _dominated(idom: Sequence[int | None], head: int, node: int) -> bool:
    at: int | None = node
    while at is not None and at != head:
        at = idom[at]
    return at == head


def reached_from(successors: Graph, starts: Sequence[int]) -> set[int]:
    """All nodes that some of `starts` lead to, themselves included."""
    seen = set(starts)
    pending = list(starts)
    while pending:
        for target in successors[pending.pop()]:
            if target not in seen:
                seen.add(target)
                pending.append(target)
    return seen
