"""/types: a name over all kernels."""

from __future__ import annotations

from functools import partial
from typing import Annotated

from fastapi import APIRouter, Query, Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from app.services import typeindex
from app.services.analyse import catalog
from app.services.kerneltypes import no_type
from app.services.types import history, kind_word, named
from app.services.typesearch import KINDS
from app.settings import Settings
from app.views.history_page import HistoryPage, history_page
from app.views.types_page import types_page
from app.web import kernel_pages as pages
from app.web.htmx import is_partial
from app.web.show import show
from engine.btf.kinds import BtfKind

router = APIRouter(include_in_schema=False)

Text = Annotated[str, Query(max_length=2000)]


@router.get("/types")
async def types(request: Request, q: Text = "", kind: Text = "") -> HTMLResponse:
    """Search; for htmx only what was found."""
    settings = pages.settings_of(request)
    await pages.ready(request, "all-names")
    hits = await pages.in_thread(partial(pages.all_search, settings, q, kind))
    if is_partial(request):
        return await show(request, "parts/_hits.html", hits)
    names = await pages.in_thread(partial(typeindex.all_names, settings))
    page = types_page(hits, kind, names.rows, len(typeindex.all_kernels(settings)))
    return await show(request, "pages/types.html", page)


@router.get("/types/{name:path}")
async def one(request: Request, name: str, kind: Text = "") -> Response:
    """Show what became of a name."""
    await pages.ready(request, "all-names")
    enum = await pages.in_thread(partial(pages.enum_url, pages.settings_of(request), name))
    if enum:
        return RedirectResponse(enum, 303)
    page = await pages.in_thread(partial(_history, pages.settings_of(request), name, kind))
    return await show(request, "pages/type_history.html", page)


def _history(settings: Settings, name: str, kind: str) -> HistoryPage:
    known = catalog(settings)
    kinds = [
        word
        for hit in pages.exact_hits(settings, name)
        if hit.group != 1
        for word in dict.fromkeys(kind_word(k) for k in BtfKind if hit.kinds >> k & 1)
        if word in (*KINDS, "int", "float") and word != "datasec"
    ]
    if kind not in kinds:
        kind = kinds[0] if kinds else ""
    steps = history(known, lambda btf: named(btf, name, kind)) if kinds else ()
    if not any(step.types for step in steps):
        raise no_type(typeindex.all_names(settings), name, "in any kernel")
    return history_page(name, kind, kinds, steps)
