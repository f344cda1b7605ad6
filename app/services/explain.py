"""Explaining: relocations of an object in sentences, step by step, and what to write instead."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, cast

from app.errors import AppError, from_engine
from engine.core.candidates import Target
from engine.core.policy import LoaderPolicy
from engine.core.prepare import PreparedObject
from engine.core.relocate import relocate_object
from engine.core.result import FunctionResult, ObjectResult, Relocation
from engine.errors import EngineError
from engine.explain.fixes import Fix, fixes
from engine.explain.story import Story, tell
from engine.explain.walk import Walk, walk
from engine.loaders import policy_of
from engine.loaders.attach import for_loader

if TYPE_CHECKING:
    from app.services.analyse import Analyses
    from app.services.verdicts import FunctionId
    from app.settings import Settings


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


@dataclass(frozen=True, slots=True)
class WalkRequest:
    """One relocation of one function, by its number in the section, on one kernel."""

    object: bytes = field(repr=False)
    kernel: str
    loader: str
    function: FunctionId
    number: int
    modules: tuple[str, ...] = ()

    def digest(self) -> str:
        """Give a SHA-256 over everything that decides the answer, as 64 hex digits."""
        known = json.dumps([self.kernel, self.loader, self.function, self.number, self.modules])
        return hashlib.sha256(known.encode() + b"\0" + self.object).hexdigest()


async def walk_of(analyses: Analyses, request: WalkRequest) -> Walk:
    """Walk through one relocation in a worker; raises AppError, `relocation-unknown` too."""
    from pickle import loads  # late: the command line needs it not

    try:
        answer = await analyses.workers.run(_walk, request, analyses.settings)
    except EngineError as error:
        raise from_engine(error) from None
    return cast("Walk", loads(answer))  # noqa: S301  # only our own worker wrote these bytes


def unknown_relocation(number: int, numbers: list[int]) -> AppError:
    """Make the error for a number that the function does not have."""
    known = ", ".join(map(str, numbers[:20]))
    return AppError(
        f"The function has no relocation {number}",
        code="relocation-unknown",
        place="relo",
        hint=f"It has: {known}." if numbers else "It has none at all.",
    )


def _walk(request: WalkRequest, settings: Settings) -> bytes:
    """Run in a worker."""
    from pickle import HIGHEST_PROTOCOL, dumps

    from app.services.analyse import catalog, chosen_modules, read_object

    known = catalog(settings)
    target = Target(known.btf(request.kernel))
    prepared = read_object(request.object)
    policy = policy_of(request.loader)
    if request.modules:
        target = replace(target, modules=chosen_modules(known, request.modules, request.kernel))
        target = for_loader(prepared, target, policy)
    numbers: list[int] = []
    for function in relocate_object(prepared, target, policy).functions:
        if (function.section, function.name) == request.function:
            for row in function.relocations:
                if row.number == request.number:
                    return dumps(walk(row, prepared, target, policy, function), HIGHEST_PROTOCOL)
                numbers.append(row.number)
    raise unknown_relocation(request.number, numbers)
