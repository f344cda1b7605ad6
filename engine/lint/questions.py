"""What a relocation asks, without the flavors that programs give their own types."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from engine.core.kinds import ENUM_KINDS, FIELD_KINDS
from engine.core.names import essential_name
from engine.core.policy import FlavorRule
from engine.core.spec import AccessSpec

_RULE = FlavorRule.LAST_STRICT


@dataclass(frozen=True, slots=True)
class Question:
    """A field, an enumerator or a type of the kernel; two that are equal have one answer.

    root  the name of its type without flavor
    path  members and indices from there, or the enumerator
    """

    about: Literal["field", "enumerator", "type"]
    root: str
    path: tuple[str, ...] = ()

    def answers(self, other: Question) -> bool:
        """Whether `other` has a value wherever this exists.

        A field answers for all that it lies in, and for its struct; an enumerator for its enum.
        """
        if self.root != other.root:
            return False
        if other.about == "type":
            return True
        return self.about == other.about and self.path[: len(other.path)] == other.path


def question_of(spec: AccessSpec) -> Question:
    """What a path asks for."""
    root = essential_name(spec.root_name, _RULE)
    if spec.kind in ENUM_KINDS:
        return Question("enumerator", root, (essential_name(spec.accessors[0].name or "", _RULE),))
    if spec.kind in FIELD_KINDS:
        path = tuple(
            step.name if step.name is not None else f"[{step.position}]"
            for step in spec.accessors[1:]
        )
        return Question("field", root, path)
    return Question("type", root)
