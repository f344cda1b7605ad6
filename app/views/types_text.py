"""Differences between types as text: one line for each member that changed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from app.services.types import Step, TypeDiff
from app.views.prose import count
from engine.explain.type_diff import Part, PartChange

_SIGNS: Final = {"added": "+", "removed": "-"}


def diff_text(diffs: Sequence[TypeDiff], before: str, after: str) -> str:
    """Give all types of a comparison."""
    lines = [f"{before} -> {after}"]
    for diff in diffs:
        lines += _diff(diff)
    return "\n".join(lines) + "\n"


def history_text(steps: Sequence[Step]) -> str:
    """Give one paragraph for each architecture, one entry for each kernel."""
    lines: list[str] = []
    for arch in dict.fromkeys(step.arch for step in steps):
        lines += ["", arch or "unknown architecture"] if lines else [arch or "unknown architecture"]
        for step in steps:
            if step.arch == arch:
                lines += _step(step)
    return "\n".join(lines) + "\n"


def _step(step: Step) -> Iterator[str]:
    if not step.previous:
        what = "not there" if not step.types else "first kernel"
        if step.types > 1:
            what += f", {count(step.types, 'type')} of this name"
        yield f"  {step.kernel}: {what}"
    elif not step.diffs:
        yield f"  {step.kernel}: {'no change' if step.types else 'not there'}"
    else:
        yield f"  {step.kernel}:"
        for diff in step.diffs:
            yield from (f"  {line}" for line in _diff(diff))


def _diff(diff: TypeDiff) -> Iterator[str]:
    if diff.before is None or diff.after is None:
        what = "came" if diff.before is None else "is gone"
        shape = diff.after or diff.before
        size = f", {count(shape.size, 'byte')}" if shape is not None and shape.size else ""
        yield f"  {diff.words} {what}{size}"
        return
    if not diff.changes:
        yield f"  {diff.words}: no change"
        return
    yield f"  {diff.words}: {count(len(diff.changes), 'change')}"
    for change in diff.changes:
        yield f"    {change_text(change)}"


def change_text(change: PartChange) -> str:
    """One difference as a line: `+ cpu: int, 4 bytes at byte 16`."""
    sign = _SIGNS.get(change.kind, "~")
    before, after = change.before, change.after
    if before is None or after is None:
        part = after or before
        return f"{sign} {change.name}{_described(part)}" if part else f"{sign} {change.text}"
    if change.kind == "moved":
        return f"{sign} {change.name} moved from {_place(before)} to {_place(after)}"
    if change.kind == "renumbered":
        return f"{sign} {change.name} was {before.offset}, is {after.offset}"
    if change.kind == "resized":
        return f"{sign} {change.name} had {_width(before)}, has {_width(after)}"
    return f"{sign} {change.name} was {before.type}, is {after.type}"


def _described(part: Part) -> str:
    if not part.type:
        return f" = {part.offset}"
    return f": {part.type}, {_width(part)} at {_place(part)}"


def _place(part: Part) -> str:
    byte, bit = divmod(part.offset, 8)
    return f"byte {byte} bit {bit}" if part.bitfield else f"byte {byte}"


def _width(part: Part) -> str:
    return count(part.bits, "bit") if part.bitfield else count(part.bits // 8, "byte")
