"""GET /: the editor with an example in it."""

from __future__ import annotations

from fastapi import APIRouter, Request
from starlette.responses import Response

from app.web.pages import start_page
from app.web.reading import read_query
from app.web.templating import respond

router = APIRouter(include_in_schema=False)


@router.get("/")
async def home(request: Request) -> Response:
    """Show the example that the query names, or the first one."""
    return await respond(request, await start_page(request, read_query(request)))
