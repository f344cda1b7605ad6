"""/relocation: one relocation step by step, on a page of its own or in a drawer of the result."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import cast

from fastapi import APIRouter, Request
from starlette.responses import Response

from app.errors import AppError
from app.services.analyse import Analyses
from app.services.analysis import Analysis
from app.services.explain import WalkRequest, unknown_relocation, walk_of
from app.views.result import shown_function
from app.views.walk import WalkView, walk_view
from app.web import again
from app.web.reading import Asked

router = APIRouter(include_in_schema=False)


@dataclass(frozen=True, slots=True)
class WalkPage:
    """The view model; `prog` names the program in addresses."""

    frame: again.Frame
    walk: WalkView
    prog: str


@router.get("/relocation")
@router.post("/relocation")
async def relocation(request: Request) -> Response:
    """Show relocation `relo` of program `prog` as loader `as` makes it on kernel `show`."""
    asked = await again.read(request)
    missing = await again.absent(request, asked)
    if missing is not None:
        return missing
    try:
        page = await _page(request, asked)
    except AppError as error:
        return await again.refused(request, asked, error)
    return await again.show_part(request, "relocation", page)


async def _page(request: Request, asked: Asked) -> WalkPage:
    analyses = cast("Analyses", request.app.state.analyses)
    analysis = await analyses.analyse(asked.request())
    chosen = asked.choices
    loader = request.query_params.get("as", "")
    loader = loader if loader in chosen.loaders else chosen.loaders[0]
    section, name, numbers = _function(analysis, asked)
    wanted = again.number(request, "relo")
    if wanted is None:
        wanted = numbers[0] if numbers else 0
    if wanted not in numbers:
        raise unknown_relocation(wanted, numbers)
    found = await walk_of(
        analyses,
        WalkRequest(
            object=again.object_of(asked, analysis),
            kernel=chosen.shown_kernel,
            loader=loader,
            function=(section, name),
            number=wanted,
            modules=analysis.request.modules,
        ),
    )
    view = walk_view(
        found,
        numbers,
        kernels=chosen.kernels,
        kernel=chosen.shown_kernel,
        loaders=chosen.loaders,
        loader=loader,
    )
    return WalkPage(again.frame(request, asked), view, chosen.prog or name)


def _function(analysis: Analysis, asked: Asked) -> tuple[str, str, list[int]]:
    """Give section, name and all relocations of the function that the choices show."""
    shown = shown_function(analysis, replace(asked.choices, at=0))
    if shown is None:
        raise AppError(
            "No loader gives a program here",
            code="relocation-unknown",
            place="prog",
            hint="Look at the result: it says why each loader refuses the object.",
        )
    runs = (run for run in analysis.runs if run.kernel == asked.choices.shown_kernel)
    numbers = {
        row.number
        for run in runs
        for function in (run.result.functions if run.result else ())
        if (function.section, function.name) == (shown.section, shown.name)
        for row in function.relocations
    }
    return shown.section, shown.name, sorted(numbers)
