"""/types: a name over all kernels."""

from __future__ import annotations

from functools import partial
from typing import Annotated

from fastapi import APIRouter, Query, Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from app.services import typeindex
from app.services.building import in_thread
from app.services.typelookup import timeline
from app.settings import Settings
from app.views.history_page import HistoryPage, history_page
from app.views.types_page import types_page
from app.web import kernel_pages as pages
from app.web.htmx import is_partial
from app.web.show import show

router = APIRouter(include_in_schema=False)

Text = Annotated[str, Query(max_length=2000)]


@router.get("/types")
async def types(request: Request, q: Text = "", kind: Text = "") -> HTMLResponse:
    """Search; for htmx only what was found."""
    settings = pages.settings_of(request)
    await pages.ready(request, "all-names")
    hits = await in_thread(partial(pages.all_search, settings, q, kind))
    if is_partial(request):
        return await show(request, "parts/_hits.html", hits)
    names = await in_thread(partial(typeindex.all_names, settings))
    page = types_page(hits, kind, names.rows, len(typeindex.all_kernels(settings)))
    return await show(request, "pages/types.html", page)


@router.get("/types/{name:path}")
async def one(request: Request, name: str, kind: Text = "") -> Response:
    """Show what became of a name."""
    await pages.ready(request, "all-names")
    enum = await in_thread(partial(pages.enum_url, pages.settings_of(request), name))
    if enum:
        return RedirectResponse(enum, 303)
    page = await in_thread(partial(_history, pages.settings_of(request), name, kind))
    return await show(request, "pages/type_history.html", page)


def _history(settings: Settings, name: str, kind: str) -> HistoryPage:
    kind, kinds, steps = timeline(settings, name, kind)
    return history_page(name, kind, kinds, steps)
