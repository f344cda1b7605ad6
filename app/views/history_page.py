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
    alike: str
    left_out: int
    enum: bool
    archs: tuple[Arch, ...]


def history_page(name: str, kind: str, kinds: Sequence[str], steps: Sequence[Step]) -> HistoryPage:
    """Put the page together from the steps of all kernels."""
    steps = sorted(steps, key=lambda step: step.arch)  # stable: versions keep their order
    shapes = [step.shapes[0] if step.shapes else None for step in steps]
    newest = next(shape for shape in reversed(shapes) if shape is not None)
    enum = newest.kind.word.startswith("enum")
    archs = tuple(step.arch for step in steps)
    differing, alike = _members(steps, shapes, enum=enum)
    same = "one is" if alike == 1 else f"{alike or 'none'} are"
    return HistoryPage(
        cut(name),
        "enum" if enum else newest.kind.word,
        tuple((word, history_url(name, word), word == kind) for word in kinds),
        tuple((step.kernel, _url(step, name)) for step in steps),
        _cells([f"{shape.size:,}" if shape and shape.size else "" for shape in shapes], archs),
        tuple(differing[:ROWS]),
        f"{same} the same everywhere and not listed",
        max(0, len(differing) - ROWS),
        enum,
        tuple(_archs(steps, name)),
    )


def _url(step: Step, name: str) -> str:
    return type_url(step.kernel, name, step.shapes[0].id) if step.shapes else ""


def _members(
    steps: Sequence[Step], shapes: Sequence[Shape | None], *, enum: bool
) -> tuple[list[Member], int]:
    """The members that are not the same everywhere, and how many are."""
    tables = [{p.name: p for p in shape.parts} if shape is not None else {} for shape in shapes]
    names = dict.fromkeys(name for table in reversed(tables) for name in table if name)
    archs = tuple(step.arch for step in steps)
    differing, alike = [], 0
    used: set[str] = set()
    for name in names:
        texts = [_place(table[name], enum=enum) if name in table else "" for table in tables]
        if len(set(texts)) == 1:
            alike += 1
            continue
        span = _spans(steps, [name in table for table in tables])
        differing.append(Member(cut(name), unused(name, used), _cells(texts, archs), span))
    return differing, alike


def _place(part: Part, *, enum: bool) -> str:
    if enum:
        return str(part.offset)
    byte, bit = divmod(part.offset, 8)
    return f"{byte}:{bit}" if part.bitfield else str(byte)


def _cells(texts: Sequence[str], archs: Sequence[str]) -> tuple[Cell, ...]:
    """Mark what differs from the kernel before it of the same architecture."""
    cells = []
    before: dict[str, str] = {}
    for text, arch in zip(texts, archs, strict=True):
        state = "same" if before.get(arch, text) == text else "changed"
        cells.append(Cell(text or "absent", state if text else "absent"))
        before[arch] = text or before.get(arch, text)
    return tuple(cells)


def _spans(steps: Sequence[Step], there: Sequence[bool]) -> str:
    """Say since when and until when a member is there, once if all architectures agree."""
    if all(there):
        return "everywhere"
    said = {}
    rows = zip((step.arch for step in steps), (step.kernel for step in steps), there, strict=True)
    for arch, group in groupby(rows, key=lambda row: row[0]):
        having = list(group)
        said[arch] = _span([row[1] for row in having], [row[2] for row in having])
    if len(said) == 1:
        return next(iter(said.values()))
    return "; ".join(f"{arch or 'elsewhere'}: {words}" for arch, words in said.items())


def _span(kernels: Sequence[str], having: Sequence[bool]) -> str:
    if not any(having):
        return "never"
    if all(having):
        return "always"
    first, last = having.index(True), len(having) - 1 - list(reversed(having)).index(True)
    if not all(having[first : last + 1]):
        return f"{sum(having)} of {len(having)} kernels"
    if last == len(having) - 1:
        return f"since {kernels[first]}"
    return f"until {kernels[last]}" if not first else f"{kernels[first]} to {kernels[last]}"


def _archs(steps: Sequence[Step], name: str) -> Iterator[Arch]:
    for arch, group in groupby(steps, key=lambda step: step.arch):
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
        parts.insert(0, f"{diff.before.size:,} → {diff.after.size:,} bytes")
    rows = [
        Change(change_text(change)[0], change.kind, cut(change_text(change)[2:]))
        for change in diff.changes[:CHANGES]
    ]
    left = len(diff.changes) - len(rows)
    return Compared(words, ", ".join(parts) or diff.changes[0].text, tuple(rows), left)
