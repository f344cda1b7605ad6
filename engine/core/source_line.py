"""The source line that speaks of a relocation, which is not always the one in force at it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache
from typing import Final

from engine.btf.ext import LineInfo
from engine.core.result import Relocation
from engine.core.trace import StepKind

_AHEAD: Final = 16
"""Slots behind a relocation whose lines may be its own."""


def source_line(relocation: Relocation, lines: Sequence[LineInfo | None]) -> LineInfo | None:
    """The line that names the field, enumerator or type; `lines` are those of its function.

    Compilers put constants ahead of their use, where the line of something else is in force: one
    close behind that has the name is taken instead. Without such a line it is the one in force.
    """
    here = relocation.line
    local = next((s.spec for s in relocation.trace if s.kind is StepKind.LOCAL and s.spec), None)
    if local is None:
        return here
    names = [step.name for step in local.accessors if step.name]
    wanted = names[-1] if names else local.root_name
    last = None
    for line in (here, *lines[relocation.slot : relocation.slot + _AHEAD]):
        if line is None or line is last:
            continue
        last = line
        if wanted in line.line and _word(wanted).search(line.line):
            return line
    return here


@lru_cache(maxsize=1024)
def _word(name: str) -> re.Pattern[str]:
    return re.compile(rf"\b{re.escape(name)}\b")
