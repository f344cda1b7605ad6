"""Errors outside the form as a page, or as a part where htmx asked for one."""

from __future__ import annotations

from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from app.errors import AppError
from app.views.failure import Failure, failure
from app.web.htmx import is_partial
from app.web.templating import render


@dataclass(frozen=True, slots=True)
class ErrorPage:
    """The view model of an error page."""

    failure: Failure


def render_error(request: Request, error: AppError) -> Response:
    """Render any error; never raises for what the error says."""
    template = "parts/_failure.html" if is_partial(request) else "pages/error.html"
    return HTMLResponse(render(request, template, ErrorPage(failure(error))), error.status)
