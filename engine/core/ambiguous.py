"""Telling a refusal for ambiguity from others, by the trace of a relocation."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from engine.core.trace import Step, StepKind

_WORDS: Final = re.compile(r"ambigu|multiple candidate|multiple types match|disagree")


def is_ambiguous(trace: Sequence[Step]) -> bool:
    """Whether the loader gave up because candidates that fit give different answers."""
    failures = [step for step in trace if step.kind is StepKind.FAILURE]
    fitting = sum(step.kind is StepKind.MATCHED for step in trace)
    return any(fitting > 1 or _WORDS.search(step.text) for step in failures)
