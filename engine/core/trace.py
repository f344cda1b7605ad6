"""Every step of a relocation as data; `engine.explain` turns steps into words."""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple

from engine.core.spec import AccessSpec


class StepKind(StrEnum):
    """What happened at one step; the words in brackets are the fields of Step that are set."""

    LOCAL = "local"
    """The local path was understood [spec]."""
    OTHER_KIND = "other-kind"
    """A type of the target has the name but another kind [type_id, origin, text]."""
    REFUSED = "refused"
    """A candidate was refused [type_id, origin, spec: how far it went, rule, text]."""
    MATCHED = "matched"
    """A candidate matched [type_id, origin, spec, value]."""
    NO_CANDIDATE = "no-candidate"
    """No type of the target has the essential name [text]."""
    NO_MATCH = "no-match"
    """There were candidates, but none matched."""
    PRUNED = "pruned"
    """Earlier relocations of this type had removed candidates [value: how many]."""
    CHOSEN = "chosen"
    """Of several candidates this one has the best score [type_id, value: its score]."""
    POISON = "poison"
    """The instruction was replaced [text: why, when there was a value]."""
    PATCH = "patch"
    """The instruction was rewritten [text: its field]."""
    FAILURE = "failure"
    """The loader gave up [text: its message]."""


class Step(NamedTuple):
    """One step; which fields are set depends on `kind` (see StepKind)."""

    kind: StepKind
    text: str = ""
    rule: str = ""
    type_id: int | None = None
    origin: str = ""
    value: int | None = None
    spec: AccessSpec | None = None
