"""Explaining: every relocation of an object in sentences, and what to write instead."""

from __future__ import annotations

from dataclasses import dataclass

from engine.core.candidates import Target
from engine.core.policy import LoaderPolicy
from engine.core.prepare import PreparedObject
from engine.core.relocate import relocate_object
from engine.core.result import FunctionResult, ObjectResult, Relocation
from engine.explain.fixes import Fix, fixes
from engine.explain.story import Story, tell


@dataclass(frozen=True, slots=True)
class Explained:
    """One relocation with its story and its fixes."""

    function: FunctionResult
    relocation: Relocation
    story: Story
    fixes: tuple[Fix, ...]


@dataclass(frozen=True, slots=True)
class Explanation:
    """All that was asked about, and the loader's result that it comes from."""

    result: ObjectResult
    rows: tuple[Explained, ...]


def explain(
    prepared: PreparedObject,
    target: Target,
    policy: LoaderPolicy,
    *,
    relocation: int | None = None,
    function: str = "",
) -> Explanation:
    """Explain the relocations of an object, or those with one number or of one function.

    Numbers count in each section from 0, as loaders do.
    """
    result = relocate_object(prepared, target, policy)
    rows = tuple(
        Explained(
            found,
            row,
            tell(row, prepared, target, policy, found),
            fixes(row, prepared, target, policy, found),
        )
        for found in result.functions
        if function in ("", found.name)
        for row in found.relocations
        if relocation in (None, row.number)
    )
    return Explanation(result, rows)
