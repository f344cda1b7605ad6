"""/matrix: every relocation of a program on every kernel, and the same as a CSV file."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import cast

import anyio.to_thread
from fastapi import APIRouter, Request
from starlette.responses import RedirectResponse, Response

from app.errors import AppError
from app.services import choices as offered
from app.services.analyse import Analyses
from app.services.matrix import LOADERS, MatrixAnswer, MatrixRequest
from app.services.matrix import matrix as matrix_of
from app.settings import Settings
from app.views.matrix_page import MatrixView, matrix_csv, matrix_view
from app.views.prose import loader_name
from app.web import again
from app.web.reading import Asked
from app.web.show import show

router = APIRouter(include_in_schema=False)


@dataclass(frozen=True, slots=True)
class Options:
    """What the page's own form says; no kernels means all that fit."""

    kernels: tuple[str, ...] = ()
    loaders: tuple[str, ...] = ()
    differs: bool = False
    at: int = 0

    def more(self, **changes: object) -> list[tuple[str, str]]:
        """Give names and values for an address, with some of them changed."""
        chosen = replace(self, **changes)  # type: ignore[arg-type]
        pairs = [("on", kernel) for kernel in chosen.kernels]
        pairs += [("by", loader) for loader in chosen.loaders]
        pairs += [("differs", "1")] if chosen.differs else []
        return pairs + ([("from", str(chosen.at))] if chosen.at else [])


@dataclass(frozen=True, slots=True)
class Offer:
    """A kernel or loader that can be chosen."""

    id: str
    name: str
    chosen: bool


@dataclass(frozen=True, slots=True)
class MatrixPage:
    """The view model."""

    frame: again.Frame
    options: Options
    table: MatrixView
    kernels: tuple[Offer, ...]
    loaders: tuple[Offer, ...]
    most: int = LOADERS


@router.get("/matrix")
@router.post("/matrix")
async def matrix(request: Request) -> Response:
    """Show kernels `on` (all that fit), loaders `by` (the result's); `differs=1` filters."""
    asked = await again.read(request)
    missing = await again.absent(request, asked)
    if missing is not None:
        return missing
    options = await _options(request, asked)
    if request.method == "POST" and asked.choices.example:
        return RedirectResponse(again.with_query("/matrix", asked.choices, options.more()), 303)
    try:
        answer = await _answer(request, asked, options)
    except AppError as error:
        return await again.refused(request, asked, error)
    return await show(request, "pages/matrix.html", await _page(request, asked, options, answer))


@router.get("/matrix.csv")
@router.post("/matrix.csv")
async def matrix_file(request: Request) -> Response:
    """Give the whole matrix, or the rows that differ, as a CSV file."""
    asked = await again.read(request)
    missing = await again.absent(request, asked)
    if missing is not None:
        return missing
    options = await _options(request, asked)
    try:
        found = (await _answer(request, asked, options)).matrix
    except AppError as error:
        return await again.refused(request, asked, error)
    text = matrix_csv(found.differences() if options.differs else found)
    return Response(
        text.encode("utf-8", "replace"),
        media_type="text/csv; charset=utf-8",
        headers={"Content-Disposition": 'attachment; filename="matrix.csv"'},
    )


async def _options(request: Request, asked: Asked) -> Options:
    """Read the query, and the form where the page's own fields are in it."""
    items = request.query_params.multi_items()
    if request.method == "POST":
        form = await request.form()
        items += [(name, text) for name, text in form.multi_items() if isinstance(text, str)]
    found: dict[str, list[str]] = {}
    for name, text in items:
        found.setdefault(name, []).append(text.strip()[:200])
    start = found.get("from", [""])[0]
    return Options(
        tuple(dict.fromkeys(name for name in found.get("on", ()) if name)),
        tuple(dict.fromkeys(name for name in found.get("by", ()) if name)) or asked.choices.loaders,
        "differs" in found,
        int(start) if start.isdecimal() and len(start) < 8 else 0,
    )


async def _answer(request: Request, asked: Asked, options: Options) -> MatrixAnswer:
    analyses = cast("Analyses", request.app.state.analyses)
    analysis = await analyses.analyse(asked.request())
    wanted = MatrixRequest(
        again.object_of(asked, analysis),
        options.kernels,
        options.loaders,
        analysis.request.modules,
    )
    return await matrix_of(analyses, wanted)


async def _page(
    request: Request, asked: Asked, options: Options, answer: MatrixAnswer
) -> MatrixPage:
    settings = cast("Settings", request.app.state.settings)
    known = await anyio.to_thread.run_sync(offered.kernels, settings)
    return MatrixPage(
        again.frame(request, asked),
        options,
        matrix_view(answer, differs=options.differs, at=options.at),
        tuple(Offer(k.id, k.byte_order, k.id in answer.kernels) for k in known),
        tuple(Offer(i.id, loader_name(i.id), i.id in options.loaders) for i in offered.loaders()),
    )
