"""Checks in workers, for the API: the same answer as `coreplay check`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

from app.errors import from_engine
from app.services.analyse import catalog, check
from app.services.analysis import AnalysisRequest
from app.services.gate import ALL, Check, KernelChooser, check_program, choose_loaders
from app.settings import Settings
from engine.errors import EngineError

if TYPE_CHECKING:
    from app.services.workers import Workers


async def checked(
    request: AnalysisRequest,
    workers: Workers,
    settings: Settings,
    render: Callable[[Check], str],
) -> str:
    """Check one program in a worker; `render`, a module-level function, gives the answer its form.

    Kernels may be `all`, loaders `all` or families, or be left out. Raises AppError for what is
    wrong with the request, CompileFailed among it.
    """
    try:
        full = complete(request, settings)
        check(full, settings)
        return await workers.run(_answer, full, settings, render)
    except EngineError as error:
        raise from_engine(error) from None


def complete(request: AnalysisRequest, settings: Settings) -> AnalysisRequest:
    """Write out `all`, families and what was left out as ids; opens no kernel."""
    known = [snapshot.id for snapshot in catalog(settings).snapshots()]
    kernels: list[str] = []
    for word in request.kernels or (ALL,):
        kernels += known if word == ALL else [word]
    loaders = tuple(policy.id for policy in choose_loaders(request.loaders))
    return replace(request, kernels=tuple(dict.fromkeys(kernels)), loaders=loaders)


def _answer(request: AnalysisRequest, settings: Settings, render: Callable[[Check], str]) -> str:
    """Run in a worker."""
    kernels = KernelChooser(catalog(settings), request.modules).choose(request.kernels)
    return render(check_program(request, kernels, choose_loaders(request.loaders)))
