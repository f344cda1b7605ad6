"""GET /loaders: what each loader version does differently, and since which commit."""

from __future__ import annotations

from fastapi import APIRouter, Request
from starlette.responses import HTMLResponse

from app.services.choices import loaders as known
from app.views.loaders import loaders_page
from app.web.templating import render

router = APIRouter(include_in_schema=False)


@router.get("/loaders")
async def loaders(request: Request) -> HTMLResponse:
    """Show the table that `coreplay loaders` prints."""
    page = loaders_page([(loader.id, loader.family, loader.notes) for loader in known()])
    html = render(request, "pages/loaders.html", page)
    return HTMLResponse(html, headers={"Cache-Control": "no-cache"})
