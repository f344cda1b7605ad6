"""/log: a log of a verifier or a loader, explained; nothing of it is kept."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

import anyio.to_thread
from fastapi import APIRouter, Request
from starlette.datastructures import UploadFile
from starlette.responses import Response

from app.errors import AppError
from app.services import choices as offered
from app.services.logs import LogRequest, explained
from app.views.choices import Choices
from app.views.failure import Failure, failure
from app.views.log_page import LogPage, LogView, log_page, log_view, placed_view
from app.web.htmx import is_partial
from app.web.reading import Asked, read_form
from app.web.show import show

router = APIRouter(include_in_schema=False)

KEPT_LETTERS: Final = 200_000
"""A longer log is not put into the text box again."""


@router.get("/log")
async def paste(request: Request) -> Response:
    """Show the page to paste a log into."""
    return await show(request, "pages/log.html", await _page(request, Choices((), ())))


@router.post("/log")
async def read(request: Request) -> Response:
    """Explain a log, with the program beside it if one was sent."""
    log = await _log(request)
    asked = await read_form(request)
    view: LogView | None = None
    problem: Failure | None = None
    status = 200
    try:
        view = await _explained(request, log, asked)
    except AppError as error:
        problem, status = failure(error, asked.files), error.status
    if is_partial(request):
        page = LogPage((), (), view=view, failure=problem, main=asked.main)
        return await show(request, "parts/_log.html", page, status=status)
    text = log.decode("utf-8", "replace") if len(log) <= KEPT_LETTERS else ""
    page = await _page(request, asked.choices, text, view, problem)
    return await show(request, "pages/log.html", page, status=status)


async def _explained(request: Request, log: bytes, asked: Asked) -> LogView:
    if not log.strip():
        raise AppError(
            "There is no log",
            code="bad-request",
            place="log",
            hint="Paste what the loader or the verifier printed, or choose a file.",
        )
    state = request.app.state
    if asked.object is None and not asked.source.strip():
        return await explained(LogRequest(log), state.workers, state.settings, log_view)
    program = replace(asked.request(), modules=())
    return await explained(LogRequest(log, program), state.workers, state.settings, placed_view)


async def _log(request: Request) -> bytes:
    """Give the file that was sent, or else the text."""
    form = await request.form(max_part_size=request.app.state.settings.body_bytes)
    text = b""
    for part in form.getlist("log"):
        if isinstance(part, UploadFile):
            data = await part.read()
            if data:
                return data
        else:
            text = part.encode("utf-8", "replace")
    return text


async def _page(
    request: Request,
    choices: Choices,
    log: str = "",
    view: LogView | None = None,
    problem: Failure | None = None,
) -> LogPage:
    kernels = await anyio.to_thread.run_sync(offered.kernels, request.app.state.settings)
    return log_page(
        choices,
        kernels=[kernel.id for kernel in kernels],
        loaders=[loader.id for loader in offered.loaders()],
        log=log,
        view=view,
        failure=problem,
    )
