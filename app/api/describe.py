"""GET /api/docs: the API described on a page of our own.

FastAPI's page loads scripts from elsewhere and runs inline ones; this one is made on the
server, works offline and under our content security policy, and needs no script.
"""

from __future__ import annotations

from functools import cache
from typing import Final

from fastapi import APIRouter, Request
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.responses import HTMLResponse

from app.assets import ROOT
from app.views.openapi import api_page

router = APIRouter(include_in_schema=False)

TEMPLATES: Final = ROOT / "templates"


@router.get("/api/docs")
async def describe(request: Request) -> HTMLResponse:
    """Render the OpenAPI document as a page."""
    page = api_page(request.app.openapi(), str(request.base_url).rstrip("/"))
    template = _environment().get_template("pages/api.html")
    assets = request.app.state.assets
    return HTMLResponse(template.render(page=page, asset=assets.url, modules=assets.modules))


@cache
def _environment() -> Environment:
    return Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
