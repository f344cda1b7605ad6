"""From what was asked to a result: the analyses that it takes, and the closer look."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import anyio
import anyio.to_thread

from app.errors import AppError
from app.services.analyse import Analyses
from app.services.analysis import Analysis, AnalysisRequest
from app.services.closeup import Closeup, CloseupRequest, Near
from app.views.choices import Choices, Side
from app.views.result import Result, Shown, result, shown_function
from app.views.strip import Pick, picks
from app.web.reading import Asked


async def answer(analyses: Analyses, asked: Asked) -> Result:
    """Run what was asked and build the view model; raises AppError."""
    first, other = await _analyses(analyses, asked)
    closeup = Closeup() if other else await _closeup(analyses, asked, first)
    main = "" if asked.object is not None else asked.main
    build = partial(
        result, first, asked.choices, main=main, files=asked.files, closeup=closeup, other=other
    )
    return await anyio.to_thread.run_sync(build)


async def _analyses(analyses: Analyses, asked: Asked) -> tuple[Analysis, Analysis | None]:
    """Give the analysis; two where a comparison takes two compilers."""
    request, sides = asked.request(), asked.choices.compared
    if sides is None:
        return await analyses.analyse(request), None
    clangs = [side.clang or request.clang for side in sides]
    if request.object is not None or clangs[0] == clangs[1]:
        return await analyses.analyse(_for(request, sides, clangs[0])), None
    return (
        await analyses.analyse(_for(request, sides[:1], clangs[0])),
        await analyses.analyse(_for(request, sides[1:], clangs[1])),
    )


def _for(request: AnalysisRequest, sides: tuple[Side, ...], clang: int | None) -> AnalysisRequest:
    """Ask for what the sides name; the compiler still works for the kernel chosen first."""
    kernels = [*request.kernels[:1], *(side.kernel for side in sides)]
    return replace(
        request,
        kernels=tuple(dict.fromkeys(kernels)),
        loaders=tuple(dict.fromkeys(side.loader for side in sides)),
        clang=clang,
    )


async def _closeup(analyses: Analyses, asked: Asked, analysis: Analysis) -> Closeup:
    """Look at the function that is shown; a result without that is a result, too."""
    shown = shown_function(analysis, asked.choices)
    data = analysis.compile.object if analysis.compile else asked.object
    if shown is None or data is None:
        return Closeup()
    columns = picks(analysis, asked.choices)
    looks = {}
    for kernel in dict.fromkeys(pick.run.kernel for pick in columns):
        wanted = _look(data, kernel, columns, shown, analysis, asked.choices)
        try:
            looks[kernel] = await analyses.closeup(wanted)
        except AppError:
            looks[kernel] = Closeup()
    return _joined(columns, looks)


def _look(
    data: bytes,
    kernel: str,
    columns: tuple[Pick, ...],
    shown: Shown,
    analysis: Analysis,
    choices: Choices,
) -> CloseupRequest:
    """Ask for the columns of one kernel.

    Stories are told on the first page alone, so that all others share one answer; the drawer of
    a relocation tells its own.
    """
    loaders = dict.fromkeys(pick.run.loader for pick in columns if pick.run.kernel == kernel)
    return CloseupRequest(
        object=data,
        kernel=kernel,
        loaders=tuple(loaders),
        function=(shown.section, shown.name),
        modules=analysis.request.modules,
        numbers=() if choices.at else shown.numbers,
        drawn=bool(choices.graph),
    )


def _joined(columns: tuple[Pick, ...], looks: dict[str, Closeup]) -> Closeup:
    """Put the sides of several kernels in the order of the columns, under the columns' names."""
    sides: list[Near] = []
    for pick in columns:
        near = looks[pick.run.kernel].side(pick.run.loader)
        sides.append(replace(near, loader=pick.name))
    before = next((look.before for look in looks.values() if look.before), None)
    return Closeup(before, tuple(sides))
