"""A closeup for the page: stories to read, C to write instead."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from app.services.closeup import Near, Told
from app.views.highlight import Coloured, highlight
from app.views.prose import Piece, Prose, loader_name
from engine.explain.fixes import Fix

FIXES: Final = 3
_GUARDS: Final = frozenset({"guard", "enum-guard", "type-guard"})
GUARDED: Final = "No path comes to what stands in its place: the guard does its work."
LOST: Final = (
    "{} writes one slot in place of two, and moves no jump. 0.13.1 keeps both slots; or move the "
    "value into a static function of its own, which no jump crosses."
)


@dataclass(frozen=True, slots=True)
class StepView:
    """One sentence; `loaders` is empty where all tell the same."""

    kind: str
    loaders: str
    text: Prose


@dataclass(frozen=True, slots=True)
class FixView:
    """What to write instead: its C line by line, and the call."""

    title: str
    why: Prose
    lines: tuple[tuple[Coloured, ...], ...]
    call: str


@dataclass(frozen=True, slots=True)
class StoryView:
    """How one relocation came out, and what to do about it."""

    steps: tuple[StepView, ...] = ()
    advice: tuple[str, ...] = ()
    fixes: tuple[FixView, ...] = ()


def story_view(number: int, sides: Sequence[Near], *, lost: Iterable[str] = ()) -> StoryView:
    """Tell one relocation as all loaders see it; `lost` are loaders that lost a slot of it."""
    told = [(side, side.told[number]) for side in sides if number in side.told]
    if not told:
        return StoryView()
    answers = {side.reach.get(number) for side, _ in told}
    guarded = answers == {"no"}
    advice = [LOST.format(loader_name(loader)) for loader in lost]
    if guarded and not advice:
        advice.append(GUARDED)
    return StoryView(_steps(told), tuple(advice), _fixes(told, guarded=guarded))


def _steps(told: Sequence[tuple[Near, Told]]) -> tuple[StepView, ...]:
    """Weave the stories into one: what all tell stands once, the rest with its loaders."""
    order: list[tuple[str, Prose]] = []
    who: dict[tuple[str, Prose], list[str]] = {}
    for side, one in told:
        at = 0
        keys = [(step.kind, _prose(step.text)) for step in one.story.steps]
        for key in keys:
            if key in who:
                at = max(at, order.index(key) + 1)
            else:
                while at < len(order) and order[at] not in keys:
                    at += 1
                order.insert(at, key)
                at += 1
            names = who.setdefault(key, [])
            if loader_name(side.loader) not in names:
                names.append(loader_name(side.loader))
    everyone = len(told)
    return tuple(
        StepView(kind, "" if len(who[kind, text]) == everyone else ", ".join(who[kind, text]), text)
        for kind, text in order
    )


def _fixes(told: Sequence[tuple[Near, Told]], *, guarded: bool) -> tuple[FixView, ...]:
    found: dict[tuple[str, str], Fix] = {}
    for _, one in told:
        for fix in one.fixes:
            if not (guarded and fix.kind in _GUARDS):
                found.setdefault((fix.kind, fix.title), fix)
    return tuple(fix_view(fix) for fix in list(found.values())[:FIXES])


def fix_view(fix: Fix) -> FixView:
    """Give a piece of advice with its C in colours."""
    snippet = fix.snippet
    text = snippet.code.expandtabs(4).rstrip() if snippet else ""
    return FixView(
        title=fix.title,
        why=_prose(fix.why),
        lines=tuple(highlight(line) for line in text.splitlines()),
        call=snippet.call if snippet else "",
    )


def _prose(text: Iterable[tuple[str, bool]]) -> Prose:
    return tuple(Piece(words, code) for words, code in text)
