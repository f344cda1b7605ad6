"""/analyse: POST runs what the form holds, GET what an address says.

An address holds every choice, and the source where it is an example. Other source stays in
the reader's browser under the name that the address gives (`draft`); see static/js/drafts.js.
"""

from __future__ import annotations

from fastapi import APIRouter, Request
from starlette.responses import Response

from app.errors import AppError
from app.web.htmx import is_partial, show_url
from app.web.pages import absent_page, answer_page, failure_page
from app.web.reading import Asked, read_form, read_query
from app.web.templating import respond

router = APIRouter(include_in_schema=False)


@router.post("/analyse")
async def analyse(request: Request) -> Response:
    """Answer the form; what is asked is put in the address bar."""
    asked = await read_form(request)
    response = await _answer(request, asked)
    if is_partial(request) and response.status_code < 500:
        show_url(request, response, asked.choices.url(), step=not asked.auto)
    return response


@router.get("/analyse")
async def analysed(request: Request) -> Response:
    """Answer an address."""
    asked = read_query(request)
    if not asked.source:
        return await respond(request, await absent_page(request, asked))
    return await _answer(request, asked)


async def _answer(request: Request, asked: Asked) -> Response:
    try:
        page, status = await answer_page(request, asked), 200
    except AppError as error:
        page, status = await failure_page(request, asked, error), error.status
    return await respond(request, page, status)
