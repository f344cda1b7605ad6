"""What became of a type: step by step, and as a table of the members that differ."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

from app.services.types import Step, TypeDiff
from app.views.prose import count
from app.views.type_links import Name, cut, diff_url, history_url, type_url
from app.views.type_page import unused
from app.views.types_text import change_text
from engine.explain.type_diff import Part, Shape

CHANGES = 400
"""Changes of one step that are listed."""
ROWS = 600
"""Members in the table."""


@dataclass(frozen=True, slots=True)
class Change:
    """One difference; `sign` is +, - or ~, `word` says it."""

    sign: str
    word: str
    text: Name


@dataclass(frozen=True, slots=True)
class Compared:
    """A type that changed between two kernels, came or went."""

    words: Name
    summary: str
    changes: tuple[Change, ...] = ()
    left_out: int = 0


@dataclass(frozen=True, slots=True)
class Stage:
    """One kernel, or several in a row that are alike, of one architecture."""

    kernels: tuple[tuple[str, str], ...]
    said: str
    diffs: tuple[Compared, ...] = ()
    compare: str = ""


@dataclass(frozen=True, slots=True)
class Arch:
    """All stages of one architecture."""

    name: str
    stages: tuple[Stage, ...]


@dataclass(frozen=True, slots=True)
class Cell:
    """A member in one kernel; `state` is same, changed or absent."""

    text: str
    state: str


@dataclass(frozen=True, slots=True)
class Member:
    """A member in all kernels; `span` says since when or until when it is there."""

    name: Name
    id: str
    cells: tuple[Cell, ...]
    span: str


@dataclass(frozen=True, slots=True)
class HistoryPage:
    """The view model of /types/<name>."""

    name: Name
    words: str
    kinds: tuple[tuple[str, str, bool], ...]
    kernels: tuple[tuple[str, str], ...]
    sizes: tuple[Cell, ...]
    members: tuple[Member, ...]
    alike: int
    left_out: int
    enum: bool
    archs: tuple[Arch, ...]


def history_page(name: str, kind: str, kinds: Sequence[str], steps: Sequence[Step]) -> HistoryPage:
    """Put the page together from the steps of all kernels."""
    shapes = [step.shapes[0] if step.shapes else None for step in steps]
    newest = next(shape for shape in reversed(shapes) if shape is not None)
    enum = newest.kind.word.startswith("enum")
    differing, alike = _members([step.kernel for step in steps], shapes, enum=enum)
    return HistoryPage(
        cut(name),
        newest.words.rpartition(" ")[0] if " " not in name else newest.kind.word,
        tuple((word, history_url(name, word), word == kind) for word in kinds),
        tuple((step.kernel, _url(step, name)) for step in steps),
        _cells([str(shape.size) if shape and shape.size else "" for shape in shapes]),
        tuple(differing[:ROWS]),
        alike,
        max(0, len(differing) - ROWS),
        enum,
        tuple(_archs(steps, name)),
    )


def _url(step: Step, name: str) -> str:
    return type_url(step.kernel, name, step.shapes[0].id) if step.shapes else ""


def _members(
    kernels: Sequence[str], shapes: Sequence[Shape | None], *, enum: bool
) -> tuple[list[Member], int]:
    """The members that are not the same everywhere, and how many are."""
    names = dict.fromkeys(
        part.name
        for shape in reversed(shapes)
        if shape is not None
        for part in shape.parts
        if part.name
    )
    tables = [{p.name: p for p in shape.parts} if shape is not None else {} for shape in shapes]
    differing, alike = [], 0
    used: set[str] = set()
    for name in names:
        texts = [_place(table[name], enum=enum) if name in table else "" for table in tables]
        if len(set(texts)) == 1:
            alike += 1
            continue
        differing.append(
            Member(cut(name), unused(name, used), _cells(texts), _span(kernels, texts))
        )
    return differing, alike


def _place(part: Part, *, enum: bool) -> str:
    if enum:
        return str(part.offset)
    byte, bit = divmod(part.offset, 8)
    return f"{byte}:{bit}" if part.bitfield else str(byte)


def _cells(texts: Sequence[str]) -> tuple[Cell, ...]:
    cells = []
    before = None
    for text in texts:
        state = "absent" if not text else "same" if text == before or before is None else "changed"
        cells.append(Cell(text or "absent", state))
        before = text or before
    return tuple(cells)


def _span(kernels: Sequence[str], texts: Sequence[str]) -> str:
    having = [bool(text) for text in texts]
    if all(having):
        return "everywhere"
    first, last = having.index(True), len(having) - 1 - having[::-1].index(True)
    if not all(having[first : last + 1]):
        return f"{sum(having)} of {len(having)} kernels"
    if first and last == len(having) - 1:
        return f"since {kernels[first]}"
    if not first:
        return f"until {kernels[last]}"
    return f"{kernels[first]} to {kernels[last]}" if first != last else f"only {kernels[first]}"


def _archs(steps: Sequence[Step], name: str) -> Iterator[Arch]:
    ordered = sorted(steps, key=lambda step: step.arch)  # stable: kernels keep their order
    for arch, group in groupby(ordered, key=lambda step: step.arch):
        yield Arch(arch or "unknown architecture", tuple(_stages(list(group), name)))


def _stages(steps: Sequence[Step], name: str) -> Iterator[Stage]:
    """Fold neighbours that are alike into one stage."""
    alike: list[Step] = []
    for step in [*steps, None]:
        if step is not None and alike and not step.diffs:
            alike.append(step)
            continue
        if alike:
            yield _stage(alike, name)
        alike = [step] if step is not None else []


def _stage(alike: Sequence[Step], name: str) -> Stage:
    first = alike[0]
    kernels = tuple((step.kernel, _url(step, name)) for step in alike)
    if not first.types:
        said = "not there"
    elif first.previous:
        said = (
            f"{count(sum(_weight(diff) for diff in first.diffs), 'change')} since {first.previous}"
        )
    else:
        said = f"first seen, {_size(first.shapes)}"
    if len(alike) > 1:
        said += "; the same in all of them" if len(alike) > 2 else "; the same in both"
    compare = diff_url(first.previous, first.kernel, name) if first.previous and first.diffs else ""
    return Stage(kernels, said, tuple(compared(diff) for diff in first.diffs), compare)


def _weight(diff: TypeDiff) -> int:
    return len(diff.changes) or 1


def _size(shapes: Sequence[Shape]) -> str:
    first = shapes[0]
    if not first.size:
        return first.text or "without a size"
    return count(first.size, "byte")


def compared(diff: TypeDiff) -> Compared:
    """Present what differs between two kernels."""
    words = cut(diff.words)
    if diff.before is None or diff.after is None:
        shape = diff.after or diff.before
        size = f", {count(shape.size, 'byte')}" if shape is not None and shape.size else ""
        return Compared(words, f"{'came' if diff.before is None else 'is gone'}{size}")
    if not diff.changes:
        return Compared(words, "the same on both")
    numbers = {"added": 0, "removed": 0, "moved": 0, "retyped": 0, "resized": 0, "renumbered": 0}
    for change in diff.changes:
        if change.kind in numbers:
            numbers[change.kind] += 1
    parts = [f"{number} {word}" for word, number in numbers.items() if number]
    if diff.before.size != diff.after.size:
        parts.insert(0, f"{diff.before.size} → {diff.after.size} bytes")
    rows = [
        Change(change_text(change)[0], change.kind, cut(change_text(change)[2:]))
        for change in diff.changes[:CHANGES]
    ]
    left = len(diff.changes) - len(rows)
    return Compared(words, ", ".join(parts) or diff.changes[0].text, tuple(rows), left)
