"""The graph after relocation drawn over the one before: what died, what broke, what was lost.

Blocks and places are those of the code before relocation; each row says what stands there now.
An edge that a loader sent astray is there twice, as it was meant and as it goes.
"""

from __future__ import annotations

from dataclasses import replace

from engine.btf.kinds import ByteOrder
from engine.core.result import FunctionResult
from engine.flow.cfg import Block, Cfg, Edge
from engine.flow.jumps import JumpCheck, check_jumps
from engine.flow.picture import Marks, Picture, Row, shortened
from engine.insn.disasm import disassemble


def overlay(
    function: FunctionResult, before: Cfg, marks: Marks, byte_order: ByteOrder
) -> Picture | None:
    """Lay the code after relocation over the graph `before`; None when the loader refused.

    `marks` speak of slots after relocation.
    """
    if function.after is None:
        return None
    strays = {check.slot_before: check for check in check_jumps(function)}
    strays = {slot: check for slot, check in strays.items() if check.landing != "fine"}
    rows = _rows(function, before, marks, byte_order)
    dead = [_is_dead(function, block, marks) for block in before.blocks]
    edges: list[Edge] = []
    words: list[tuple[str, ...]] = []
    for edge in before.edges:
        check = strays.get(_jump_slot(before, edge)) if edge.kind == "taken" else None
        edges.append(edge)
        words.append(_words(edge, dead, meant=check is not None))
        if check is not None:
            actual = _actual(function, before, edge, check)
            edges.append(actual)
            words.append((*_words(actual, dead), "stray"))
    return Picture(
        replace(before, edges=tuple(edges)),
        tuple(shortened(found) for found in rows),
        tuple(
            (*(("dead",) if died else ()), *(("poison",) if any(r.poison for r in found) else ()))
            for died, found in zip(dead, rows, strict=True)
        ),
        tuple(words),
        tuple(tuple(range(block.start, block.end)) for block in before.blocks),
    )


def _jump_slot(cfg: Cfg, edge: Edge) -> int:
    return cfg.blocks[edge.source].end - 1


def _actual(function: FunctionResult, before: Cfg, edge: Edge, check: JumpCheck) -> Edge:
    """The edge as it goes now; its slot is that before relocation, past the end where it ends."""
    origin = {after: slot for slot, after in enumerate(function.slot_map) if after is not None}
    slot = origin.get(check.actual)
    block = None if slot is None or check.landing == "middle-of-load" else before.block_at(slot)
    target = None if block is None else block.number
    back = target is not None and target <= edge.source
    return Edge(edge.source, target, check.actual if slot is None else slot, "taken", back)


def _words(edge: Edge, dead: list[bool], *, meant: bool = False) -> tuple[str, ...]:
    words: list[str] = [edge.kind]
    if meant:
        return (*words, "meant")
    if edge.back:
        words.append("back")
    if edge.broken:
        words.append("broken")
    if dead[edge.source] or (edge.target is not None and dead[edge.target]):
        words.append("dead")
    return tuple(words)


def _is_dead(function: FunctionResult, block: Block, marks: Marks) -> bool:
    if marks.visited is None:
        return False
    places = [function.slot_map[slot] for slot in range(block.start, block.end)]
    kept = [place for place in places if place is not None]
    return bool(kept) and not any(place in marks.visited for place in kept)


def _rows(
    function: FunctionResult, before: Cfg, marks: Marks, byte_order: ByteOrder
) -> list[list[Row]]:
    code = function.after or ()
    now = {line.slot: line.text for line in disassemble(code, byte_order=byte_order)}
    was = {line.slot for line in disassemble(function.before, byte_order=byte_order)}
    found: list[list[Row]] = []
    for block in before.blocks:
        rows: list[Row] = []
        for slot in range(block.start, block.end):
            place = function.slot_map[slot]
            if place is None:
                rows.append(Row(slot, f"{slot}: slot lost", lost=True))
            elif place in now:
                number = str(slot) if place == slot else f"{slot}→{place}"
                rows.append(
                    Row(
                        slot,
                        f"{number}: {now[place]}",
                        poison=place in marks.poison,
                        dead=marks.visited is not None and place not in marks.visited,
                        changed=slot not in was or function.before[slot] != code[place],
                    )
                )
        found.append(rows)
    return found
