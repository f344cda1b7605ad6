"""Every step of a relocation as data; `engine.explain` turns steps into words."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class StepKind(StrEnum):
    """What happened at one step."""

    LOCAL = "local"
    """The local access was understood; `text` describes it."""
    CANDIDATE = "candidate"
    """A type of the target has the essential name; `text` describes it, `type_id` its id."""
    REFUSED = "refused"
    """A candidate was refused; `rule` names the rule, `text` what did not fit."""
    MATCHED = "matched"
    """A candidate matched; `text` describes the access in the target, `value` its value."""
    NO_CANDIDATE = "no-candidate"
    """No type of the target has the name; `text` is the essential name."""
    PRUNED = "pruned"
    """An earlier relocation had already removed this candidate."""
    VALUE = "value"
    """The value was computed; `value` holds it."""
    POISON = "poison"
    """There is no value, so the instruction was replaced."""
    PATCH = "patch"
    """The instruction was rewritten; `text` names the field of the instruction."""
    FAILURE = "failure"
    """The loader gave up; `text` is its message."""


@dataclass(frozen=True, slots=True)
class Step:
    """One step; which fields are set depends on `kind` (see StepKind)."""

    kind: StepKind
    text: str = ""
    rule: str = ""
    type_id: int | None = None
    value: int | None = None
