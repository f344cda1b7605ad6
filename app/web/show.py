"""A page from its template, rendered off the event loop."""

from __future__ import annotations

import anyio.to_thread
from starlette.requests import Request
from starlette.responses import HTMLResponse

from app.web.templating import render


async def show(request: Request, template: str, page: object, *, status: int = 200) -> HTMLResponse:
    """Render `template` with `page` as its model; it may be kept, but is asked for again."""
    html = await anyio.to_thread.run_sync(render, request, template, page)
    return HTMLResponse(html, status, headers={"Cache-Control": "no-cache"})
