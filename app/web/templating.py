"""From a view model to HTML: the Jinja environment, and a page or a part of it as a response."""

from __future__ import annotations

from functools import partial
from typing import Final

import anyio.to_thread
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.requests import Request
from starlette.responses import HTMLResponse

from app.assets import ROOT
from app.views.page import Page
from app.web.htmx import is_partial
from app.web.verify_offer import offered

ENVIRONMENT: Final = Environment(
    loader=FileSystemLoader(ROOT / "templates"),
    autoescape=True,
    undefined=StrictUndefined,
    cache_size=-1,
    trim_blocks=True,
    lstrip_blocks=True,
)


async def respond(request: Request, page: Page, status: int = 200) -> HTMLResponse:
    """Render what htmx asked for, the result pane or the whole page, off the event loop."""
    template = page.part if is_partial(request) else "pages/home.html"
    html = await anyio.to_thread.run_sync(render, request, template, page)
    return HTMLResponse(html, status, headers={"Cache-Control": "no-cache"})


def render(request: Request, template: str, page: object) -> str:
    """Render one template with `page` as its model."""
    found = ENVIRONMENT.get_template(template)
    offer = partial(offered, request)
    assets = request.app.state.assets
    return found.render(page=page, asset=assets.url, modules=assets.modules, verify_offer=offer)


def warm() -> None:
    """Compile all templates now, so that no first reader waits for it."""
    for name in ENVIRONMENT.list_templates():
        ENVIRONMENT.get_template(name)
