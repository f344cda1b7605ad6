"""From what was asked to the page that answers it."""

from __future__ import annotations

from dataclasses import replace
from typing import cast

import anyio.to_thread
from starlette.requests import Request

from app.errors import AppError
from app.learn.example import examples
from app.services import choices as offered
from app.services.analyse import Analyses
from app.settings import Settings
from app.views.compare import CompareMenu, compare_menu
from app.views.failure import failure
from app.views.menu import Kernel, Menu, menu
from app.views.page import Page
from app.views.prose import count
from app.web.answering import answer
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
    found = await answer(analyses, asked)
    page = await _page(request, asked, "parts/_result.html")
    compare = await _compare(request, asked)
    return _with(page, result=found, kept=asked.kept, compare=compare)


async def _compare(request: Request, asked: Asked) -> CompareMenu:
    settings = cast("Settings", request.app.state.settings)
    kernels = await anyio.to_thread.run_sync(offered.kernels, settings)
    compilers = await anyio.to_thread.run_sync(offered.compilers)
    return compare_menu(
        asked.choices,
        kernels=[kernel.id for kernel in kernels],
        loaders=[loader.id for loader in offered.loaders()],
        clangs=[clang.major for clang in compilers.clangs],
    )


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
