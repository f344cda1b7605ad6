"""From what was asked to the page that answers it."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import cast

import anyio.to_thread
from starlette.requests import Request

from app.errors import AppError
from app.learn.example import examples
from app.services import choices as offered
from app.services.analyse import Analyses
from app.services.analysis import Analysis
from app.services.closeup import Closeup, CloseupRequest
from app.settings import Settings
from app.views.failure import failure
from app.views.menu import Kernel, Menu, menu
from app.views.page import Page
from app.views.prose import count
from app.views.result import result, shown_function
from app.web.htmx import is_partial
from app.web.reading import Asked, start


async def start_page(request: Request, asked: Asked) -> Page:
    """Give the page before anything was run."""
    asked = asked if asked.source else start()
    return await _page(request, asked, "parts/_start.html")


async def absent_page(request: Request, asked: Asked) -> Page:
    """Give the page for an address whose source or object only the reader has."""
    if asked.choices.object:
        title = f"{asked.choices.object} was read from a disk and is not kept here"
        text = "Choose the file again, then press Run: the choices of this address are set."
    else:
        title = "The source of this address is in the browser that ran it"
        text = "Nothing is stored on the server. Paste the source and press Run."
    page = await _page(request, asked, "parts/_absent.html")
    return _with(page, absent_title=title, absent_text=text)


async def answer_page(request: Request, asked: Asked) -> Page:
    """Run the analysis and give the page with its result; raises AppError."""
    analyses = cast("Analyses", request.app.state.analyses)
    analysis = await analyses.analyse(asked.request())
    main = "" if asked.object is not None else asked.main
    closeup = await _closeup(analyses, asked, analysis)
    build = partial(result, analysis, asked.choices, main=main, files=asked.files, closeup=closeup)
    page = await _page(request, asked, "parts/_result.html")
    return _with(page, result=await anyio.to_thread.run_sync(build), kept=asked.kept)


async def _closeup(analyses: Analyses, asked: Asked, analysis: Analysis) -> Closeup:
    """Look at the function that is shown; a result without that is a result, too."""
    shown = shown_function(analysis, asked.choices)
    data = analysis.compile.object if analysis.compile else asked.object
    if shown is None or data is None:
        return Closeup()
    wanted = CloseupRequest(
        object=data,
        kernel=asked.choices.shown_kernel,
        loaders=analysis.request.loaders,
        function=(shown.section, shown.name),
        modules=analysis.request.modules,
        numbers=shown.numbers,
        drawn=bool(asked.choices.graph),
    )
    try:
        return await analyses.closeup(wanted)
    except AppError:
        return Closeup()


async def failure_page(request: Request, asked: Asked, error: AppError) -> Page:
    """Give the page that says why there is no result; the form keeps what was asked."""
    page = await _page(request, asked, "parts/_failure.html")
    return _with(page, failure=failure(error, asked.files), kept=asked.kept)


async def _page(request: Request, asked: Asked, part: str) -> Page:
    """Give the frame; a part needs no menu, and its lists are not asked for."""
    form = None if is_partial(request) else await _menu(request, asked)
    return Page(
        choices=asked.choices,
        menu=form,
        examples=tuple(examples().values()),
        main=asked.main,
        source=asked.source,
        others=asked.others,
        part=part,
        start=examples().get(asked.choices.example),
    )


async def _menu(request: Request, asked: Asked) -> Menu:
    settings = cast("Settings", request.app.state.settings)
    kernels = await anyio.to_thread.run_sync(offered.kernels, settings)
    compilers = await anyio.to_thread.run_sync(offered.compilers)
    return menu(
        asked.choices,
        kernels=[Kernel(k.id, count(k.types, "type") if k.types else k.origin) for k in kernels],
        loaders=[loader.id for loader in offered.loaders()],
        clangs=[(clang.major, clang.version) for clang in compilers.clangs],
    )


def _with(page: Page, **changes: object) -> Page:
    return replace(page, **changes)  # type: ignore[arg-type]
