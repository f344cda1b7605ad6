"""Types and their differences as JSON: `coreplay btf show|diff|history --json`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from app.services.types import Step, TypeDiff
from engine.explain.type_diff import Part, PartChange, Shape

Json = dict[str, Any]


def shape_json(shape: Shape, text: str) -> Json:
    """Give one type of one kernel; `text` is its C."""
    known = shape.kind.word.startswith("enum")
    return {
        "id": shape.id,
        "kind": shape.kind.word,
        "name": shape.name,
        "bytes": shape.size,
        "members": [] if known else [_part(part) for part in shape.parts],
        "enumerators": [_enumerator(part) for part in shape.parts] if known else [],
        "stands_for": shape.text,
        "c": text,
    }


def diffs_json(diffs: Sequence[TypeDiff], before: str, after: str) -> Json:
    """Give all types of a comparison."""
    return {"before": before, "after": after, "types": [_diff(diff) for diff in diffs]}


def history_json(steps: Sequence[Step]) -> list[Json]:
    """Give one entry for each kernel."""
    return [
        {
            "kernel": step.kernel,
            "arch": step.arch,
            "types": step.types,
            "previous": step.previous or None,
            "changed": [_diff(diff) for diff in step.diffs],
        }
        for step in steps
    ]


def _diff(diff: TypeDiff) -> Json:
    return {
        "type": diff.words,
        "before": _head(diff.before),
        "after": _head(diff.after),
        "changes": [_change(change) for change in diff.changes],
    }


def _head(shape: Shape | None) -> Json | None:
    return None if shape is None else {"id": shape.id, "bytes": shape.size}


def _change(change: PartChange) -> Json:
    number = change.kind == "renumbered" or not (change.before or change.after)
    enum = any(part is not None and not part.type for part in (change.before, change.after))
    shown = _enumerator if number or enum else _part
    return {
        "kind": change.kind,
        "name": change.name,
        "before": None if change.before is None else shown(change.before),
        "after": None if change.after is None else shown(change.after),
        "text": change.text,
    }


def _part(part: Part) -> Json:
    return {
        "name": part.name,
        "type": part.type,
        "bit_offset": part.offset,
        "bits": part.bits,
        "bitfield": part.bitfield,
    }


def _enumerator(part: Part) -> Json:
    return {"name": part.name, "value": part.offset}
