"""The relocation table: what was asked, what the compiler wrote, what each loader made of it."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from app.views.bytecode import Side
from app.views.closeup import StoryView, story_view
from app.views.lines import NO_LINE, LineRef, SourceLines
from app.views.prose import Prose, count, loader_name, names_as_code
from app.views.values import value, written
from engine.core.result import OutcomeWord, Relocation
from engine.explain.narrate import why


@dataclass(frozen=True, slots=True)
class Answer:
    """What one loader made of a record; `outcome` is empty if it never came to it."""

    outcome: str
    new: str


@dataclass(frozen=True, slots=True)
class Reason:
    """Why, and which loaders say so; no loaders are named when all agree."""

    loaders: str
    text: Prose


@dataclass(frozen=True, slots=True)
class Record:
    """One row of the table."""

    number: int
    kind: str
    access: str
    local: str
    line: LineRef
    slot: int
    slots: int
    orig: str
    answers: tuple[Answer, ...]
    reasons: tuple[Reason, ...]
    keys: str
    story: StoryView

    @property
    def local_parts(self) -> tuple[str, ...]:
        """What is asked for, cut where a line may break."""
        return tuple(part for part in re.split(r"(?<=::)|(?<=\.)", self.local) if part)


def count_records(sides: Sequence[Side]) -> int:
    """Count the records of a function that any loader came to."""
    functions = [side.function for side in sides if side.function]
    return len({row.number for function in functions for row in function.relocations})


def records(sides: Sequence[Side], lines: SourceLines, *, shown: range) -> tuple[Record, ...]:
    """Give the rows of the slots shown, in the order of the records in their ELF section."""
    by_number: dict[int, dict[int, Relocation]] = {}
    for index, side in enumerate(sides):
        for relocation in side.function.relocations if side.function else ():
            if relocation.slot in shown:
                by_number.setdefault(relocation.number, {})[index] = relocation
    return tuple(
        _record(number, versions, sides, lines) for number, versions in sorted(by_number.items())
    )


def _record(
    number: int, versions: dict[int, Relocation], sides: Sequence[Side], lines: SourceLines
) -> Record:
    index, first = next(iter(versions.items()))
    function = sides[index].function
    before = function.before if function else ()
    line = lines.ref(first.line) if first.line else NO_LINE
    slots = " ".join(f"s{slot}" for slot in range(first.slot, first.slot + first.slots))
    return Record(
        number=number,
        kind=first.kind_word,
        access=first.access,
        local=first.local,
        line=line,
        slot=first.slot,
        slots=first.slots,
        orig=value(written(before, first.slot)),
        answers=tuple(_answer(versions.get(index)) for index in range(len(sides))),
        reasons=_reasons(versions, sides),
        keys=f"{slots} {line.key}".strip(),
        story=story_view(
            number, [side.near for side in sides if side.near], lost=_lost(sides, first)
        ),
    )


def _lost(sides: Sequence[Side], relocation: Relocation) -> Iterator[str]:
    """Name the loaders that lost a slot of a relocation, and with it the way of a jump."""
    span = slice(relocation.slot, relocation.slot + relocation.slots)
    for side in sides:
        astray = any(check.landing != "fine" and check.lost for check in side.jumps)
        if astray and side.function and None in side.function.slot_map[span]:
            yield side.loader


def _answer(relocation: Relocation | None) -> Answer:
    if relocation is None:
        return Answer("", "")
    new = "" if relocation.outcome in ("poisoned", "failed") else value(relocation.new)
    return Answer(relocation.outcome, new)


def _reasons(versions: dict[int, Relocation], sides: Sequence[Side]) -> tuple[Reason, ...]:
    said: dict[str, list[str]] = {}
    for index, relocation in versions.items():
        said.setdefault(why(relocation), []).append(loader_name(sides[index].loader))
    alone = len(said) == 1
    return tuple(
        Reason("" if alone else ", ".join(loaders), names_as_code(text))
        for text, loaders in said.items()
        if text
    )


_ORDER: tuple[OutcomeWord, ...] = ("patched", "unchanged", "poisoned", "failed", "skipped")


def tally(relocations: Sequence[Relocation]) -> str:
    """Count the outcomes: `2 relocations: 1 patched, 1 poisoned`."""
    found = Counter(relocation.outcome for relocation in relocations)
    total = count(len(relocations), "relocation")
    parts = [f"{found[word]} {word}" for word in _ORDER if found[word]]
    return f"{total}: {', '.join(parts)}" if parts else "no relocations"
