"""/graph: the control flow of one program, and the same as SVG and DOT files."""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

from fastapi import APIRouter, Request
from starlette.responses import Response

from app.errors import AppError
from app.services.analyse import Analyses
from app.services.closeup import Closeup, CloseupRequest
from app.services.graphs import GraphLook
from app.views.graph import LOOKS, GraphView, file_of, graph_views
from app.views.result import shown_function
from app.views.type_links import Name, cut
from app.web import again
from app.web.reading import Asked

router = APIRouter(include_in_schema=False)


@dataclass(frozen=True, slots=True)
class GraphPage:
    """The view model; `prog` names the program in addresses."""

    frame: again.Frame
    graphs: tuple[GraphView, ...]
    view: GraphLook
    name: Name
    prog: str
    kernel: str


@router.get("/graph")
@router.post("/graph")
async def graph(request: Request) -> Response:
    """Show program `prog` on kernel `show`: `view` is side, over or list."""
    asked = await again.read(request)
    missing = await again.absent(request, asked)
    if missing is not None:
        return missing
    view = _view(request)
    try:
        closeup, name = await _look(request, asked, view, dot=False)
    except AppError as error:
        return await again.refused(request, asked, error)
    chosen = asked.choices
    frame = again.frame(request, asked)
    prog = chosen.prog or name
    page = GraphPage(frame, graph_views(closeup), view, cut(name), prog, chosen.shown_kernel)
    return await again.show_part(request, "graph", page)


@router.get("/graph.svg")
@router.post("/graph.svg")
async def graph_svg(request: Request) -> Response:
    """Give one graph as an SVG file: `side` is `before` or a loader."""
    return await _file(request, "svg", "image/svg+xml")


@router.get("/graph.dot")
@router.post("/graph.dot")
async def graph_dot(request: Request) -> Response:
    """Give one graph as a DOT file: `side` is `before` or a loader."""
    return await _file(request, "dot", "text/vnd.graphviz; charset=utf-8")


async def _file(request: Request, kind: str, media: str) -> Response:
    asked = await again.read(request)
    missing = await again.absent(request, asked)
    if missing is not None:
        return missing
    side = request.query_params.get("side", "before")
    try:
        closeup, _ = await _look(request, asked, _view(request), dot=kind == "dot")
        text = file_of(closeup, side, dot=kind == "dot")
        if not text:
            raise AppError("There is no such graph", code="not-found", place="side")
    except AppError as error:
        return await again.refused(request, asked, error)
    name = "".join(c if c.isascii() and (c.isalnum() or c in ".-") else "-" for c in side)[:60]
    headers = {
        "Content-Disposition": f'attachment; filename="control-flow-{name}.{kind}"',
        "Cache-Control": "no-cache",
    }
    return Response(text.encode("utf-8", "replace"), media_type=media, headers=headers)


def _view(request: Request) -> GraphLook:
    view = request.query_params.get("view", "")
    return next((look for look in LOOKS if look == view), "side")


async def _look(
    request: Request, asked: Asked, view: GraphLook, *, dot: bool
) -> tuple[Closeup, str]:
    """Draw the function that the choices show; give its name, too."""
    analyses = cast("Analyses", request.app.state.analyses)
    analysis = await analyses.analyse(asked.request())
    shown = shown_function(analysis, asked.choices)
    if shown is None:
        raise AppError(
            "No loader gives a program here",
            code="not-found",
            place="prog",
            hint="Look at the result: it says why each loader refuses the object.",
        )
    wanted = CloseupRequest(
        object=again.object_of(asked, analysis),
        kernel=asked.choices.shown_kernel,
        loaders=analysis.request.loaders,
        function=(shown.section, shown.name),
        modules=analysis.request.modules,
        drawn=True,
        view=view,
        dot=dot,
    )
    return await analyses.closeup(wanted), shown.name
