"""GET /cards/KIND/NAME: the card of a word in a result, for scripts to show."""

from __future__ import annotations

from functools import partial
from typing import Annotated, cast

import anyio.to_thread
from fastapi import APIRouter, Query, Request
from starlette.responses import HTMLResponse

from app.errors import AppError
from app.services.cards import helper_number, kernels_with
from app.services.choices import loaders
from app.services.docs import doc
from app.settings import Settings
from app.views.cards import PLACES, Card, doc_card, helper_card, loader_card
from app.web.templating import render

router = APIRouter(include_in_schema=False)
KERNELS = 4
"""Kernels that a helper is looked up in."""


@router.get("/cards/{kind}/{name:path}")
async def card(
    request: Request, kind: str, name: str, kernel: Annotated[list[str] | None, Query()] = None
) -> HTMLResponse:
    """Show one card; AppError `not-found` where there is no such word."""
    find = partial(_card, request.app.state.settings, kind, name, tuple(kernel or ())[:KERNELS])
    found = await anyio.to_thread.run_sync(find)
    if found is None:
        raise AppError(f"There is no card for {name[:80]!r}", code="not-found", place="card")
    html = render(request, "parts/_card.html", found)
    return HTMLResponse(html, headers={"Cache-Control": "max-age=300"})


def _card(settings: object, kind: str, name: str, kernels: tuple[str, ...]) -> Card | None:
    if kind in PLACES:
        return doc_card(kind, name, doc(PLACES[kind][0]).text)
    if kind == "helper":
        number = helper_number(name)
        return helper_card(name, number, kernels_with(cast("Settings", settings), number, kernels))
    if kind == "loader":
        known = next((loader for loader in loaders() if loader.id == name), None)
        return loader_card(known.id, known.title, known.notes) if known else None
    return None
