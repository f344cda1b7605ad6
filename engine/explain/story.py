"""One relocation told in order: what is asked, who was considered, what came out, and why.

The trace of the relocation is the source; the target is looked into only for what the trace
does not hold: names that come close, the place of a field, the sizes on both sides.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from engine.core.candidates import Target
from engine.core.policy import LoaderPolicy
from engine.core.prepare import PreparedObject
from engine.core.result import FunctionResult, Relocation
from engine.core.spec import AccessSpec
from engine.core.trace import Step, StepKind
from engine.explain import story_ask, story_candidates, story_outcome
from engine.explain.scene import Scene
from engine.explain.words import Text, plain

SentenceKind = Literal[
    "asks",
    "path",
    "name",
    "other-kind",
    "refused",
    "matched",
    "found",
    "missing",
    "nearest",
    "pruned",
    "chosen",
    "ambiguous",
    "changed",
    "value",
    "instruction",
    "poison",
    "failure",
]
"""What a sentence speaks of; a page may group or mark by it."""


@dataclass(frozen=True, slots=True)
class Sentence:
    """One step of the story."""

    kind: SentenceKind
    text: Text

    @property
    def plain(self) -> str:
        """The sentence as text, code in backticks."""
        return plain(self.text)


@dataclass(frozen=True, slots=True)
class Story:
    """All steps of one relocation, in the order in which the loader takes them."""

    number: int
    """The relocation's number in its section."""
    steps: tuple[Sentence, ...]

    def of(self, *kinds: SentenceKind) -> tuple[Sentence, ...]:
        """The sentences of these kinds, in order."""
        return tuple(step for step in self.steps if step.kind in kinds)


def tell(
    relocation: Relocation,
    prepared: PreparedObject,
    target: Target,
    policy: LoaderPolicy,
    function: FunctionResult | None = None,
) -> Story:
    """Tell how one relocation came out as it did.

    `function` is the result that holds the relocation; with it the story ends with the
    instruction before and after.
    """
    scene = Scene(relocation, prepared, target, policy, function)
    steps = [*_beginning(scene), *_middle(scene), *_end(scene)]
    return Story(relocation.number, tuple(steps))


def tell_all(
    function: FunctionResult, prepared: PreparedObject, target: Target, policy: LoaderPolicy
) -> tuple[Story, ...]:
    """The stories of all relocations of one function."""
    return tuple(tell(row, prepared, target, policy, function) for row in function.relocations)


def _beginning(scene: Scene) -> Iterator[Sentence]:
    yield Sentence("asks", story_ask.asks(scene))
    local = scene.local
    if local is None:
        return
    path = story_ask.path(local, scene.local_btf)
    if path:
        yield Sentence("path", path)
    if scene.searches:
        yield Sentence("name", story_ask.name(local, scene.policy))


def _middle(scene: Scene) -> Iterator[Sentence]:
    local = scene.local
    if local is None:
        return
    for step in scene.relocation.trace:
        yield from _candidate(scene, local, step)
    for near in story_candidates.nearest(scene, local):
        yield Sentence("nearest", near)


def _candidate(scene: Scene, local: AccessSpec, step: Step) -> Iterator[Sentence]:
    if step.kind is StepKind.OTHER_KIND:
        yield Sentence("other-kind", story_candidates.other_kind(scene, local, step))
    elif step.kind is StepKind.REFUSED:
        yield Sentence("refused", story_candidates.refused(scene, local, step))
    elif step.kind is StepKind.MATCHED:
        yield Sentence("matched", story_candidates.matched(scene, step))
        found = story_candidates.members(scene, step)
        if found:
            yield Sentence("found", found)
    elif step.kind in (StepKind.NO_CANDIDATE, StepKind.NO_MATCH):
        yield Sentence("missing", story_candidates.missing(scene, local, step))
    elif step.kind is StepKind.PRUNED:
        yield Sentence("pruned", story_candidates.pruned(step))
    elif step.kind is StepKind.CHOSEN:
        yield Sentence("chosen", story_candidates.chosen(scene, step))


def _end(scene: Scene) -> Iterator[Sentence]:
    relocation = scene.relocation
    ambiguous = story_outcome.ambiguous(scene)
    if ambiguous:
        yield Sentence("ambiguous", ambiguous)
    for change in story_outcome.changes(scene):
        yield Sentence("changed", change)
    if relocation.outcome in ("patched", "unchanged"):
        yield Sentence("value", story_outcome.value(scene))
    if relocation.outcome == "poisoned":
        yield Sentence("poison", story_outcome.poison(scene))
    if relocation.outcome == "failed":
        yield Sentence("failure", story_outcome.failure(scene))
    instruction = story_outcome.instruction(scene)
    if instruction:
        yield Sentence("instruction", instruction)
