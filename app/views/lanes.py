"""The lines beside the bytecode that show where a broken jump goes and where it was meant to go.

A lane is a narrow vertical strip in a loader's column. A broken jump takes two: a solid one to
where it lands and a dashed one to where it was meant to land. Rows draw their own part.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, Literal, NamedTuple

LANES: Final = 6
"""Strips that fit beside a column; further broken jumps are told in words alone."""

Part = Literal["out-down", "out-up", "pass", "in-down", "in-up"]


class Stroke(NamedTuple):
    """The part of one lane that crosses one row."""

    lane: int
    kind: Literal["actual", "meant"]
    part: Part


class Arrow(NamedTuple):
    """A line from row `start` to row `end`."""

    kind: Literal["actual", "meant"]
    start: int
    end: int


def strokes(arrows: Sequence[Arrow]) -> dict[int, tuple[Stroke, ...]]:
    """Give the strokes of each row; arrows for which no lane is free are left out."""
    rows: dict[int, list[Stroke]] = {}
    free_from = [0] * LANES
    for arrow in sorted(arrows, key=lambda arrow: min(arrow.start, arrow.end)):
        low, high = sorted((arrow.start, arrow.end))
        lane = next((n for n, row in enumerate(free_from) if row <= low), None)
        if low == high or lane is None:
            continue
        free_from[lane] = high + 1
        for row in range(low, high + 1):
            rows.setdefault(row, []).append(Stroke(lane, arrow.kind, _part(arrow, row)))
    return {row: tuple(parts) for row, parts in rows.items()}


def crossing(row: Sequence[Stroke]) -> tuple[Stroke, ...]:
    """Give the strokes for a line of text above a row: those that come from further up."""
    return tuple(
        stroke._replace(part="pass")
        for stroke in row
        if stroke.part in ("pass", "in-down", "out-up")
    )


def _part(arrow: Arrow, row: int) -> Part:
    down = arrow.end > arrow.start
    if row == arrow.start:
        return "out-down" if down else "out-up"
    if row == arrow.end:
        return "in-down" if down else "in-up"
    return "pass"
