"""From an exception to a response: JSON for the API, a page for people.

The pages bring their own renderer (`app.web.render_error`); until one is registered, plain
text with the same facts is sent.
"""

from __future__ import annotations

import logging
import secrets
from collections.abc import Callable, Sequence
from typing import Final, cast

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response

from app.errors import AppError, from_engine
from engine.errors import EngineError

log = logging.getLogger("coreplay")

ErrorRenderer = Callable[[Request, AppError], Response]

_FOR_PROGRAMS: Final = frozenset({"/healthz", "/openapi.json"})
_HTTP_CODES: Final = {404: "not-found", 405: "method-not-allowed", 413: "body-too-large"}
_HTTP_HINTS: Final = {
    404: "The start page is /, the API is described at /api/docs.",
    413: "Send less, or raise COREPLAY_BODY_BYTES on your own server.",
}
RETRY_SECONDS: Final = 2


def install(app: FastAPI) -> None:
    """Register a handler for every exception that can leave a route."""
    app.add_exception_handler(AppError, _on_app_error)
    app.add_exception_handler(EngineError, _on_engine_error)
    app.add_exception_handler(HTTPException, _on_http_exception)
    app.add_exception_handler(RequestValidationError, _on_validation_error)
    app.add_exception_handler(Exception, _on_surprise)


def error_response(request: Request, error: AppError) -> Response:
    """Render an error in the form that its reader wants."""
    renderer = cast("ErrorRenderer | None", getattr(request.app.state, "render_error", None))
    if wants_json(request):
        response: Response = JSONResponse(error.as_json(), status_code=error.status)
    elif renderer is not None:
        response = renderer(request, error)
    else:
        response = PlainTextResponse(as_text(error), status_code=error.status)
    if error.status == 503:
        response.headers["Retry-After"] = str(RETRY_SECONDS)
    response.headers["Cache-Control"] = "no-store"
    return response


def wants_json(request: Request) -> bool:
    """Tell whether a program asked: the API and the health check answer nothing but JSON."""
    path = request.url.path
    return (path.startswith("/api/") and path != "/api/docs") or path in _FOR_PROGRAMS


def as_text(error: AppError) -> str:
    """Give the error as two lines of text; also what the command line prints."""
    place = f" ({error.place})" if error.place else ""
    hint = f"\n  {error.hint}" if error.hint else ""
    return f"error[{error.code}]: {error.message}{place}{hint}"


async def _on_app_error(request: Request, error: Exception) -> Response:
    return error_response(request, cast("AppError", error))


async def _on_engine_error(request: Request, error: Exception) -> Response:
    return error_response(request, from_engine(cast("EngineError", error)))


async def _on_http_exception(request: Request, error: Exception) -> Response:
    problem = cast("HTTPException", error)
    status = problem.status_code
    app_error = AppError(
        str(problem.detail),
        code=_HTTP_CODES.get(status, "bad-request"),
        status=status,
        place=f"{request.method} {request.url.path}",
        hint=_HTTP_HINTS.get(status, ""),
    )
    response = error_response(request, app_error)
    response.headers.update(problem.headers or {})
    return response


async def _on_validation_error(request: Request, error: Exception) -> Response:
    problems = cast("RequestValidationError", error).errors()
    first = problems[0]
    if first["type"] == "json_invalid":
        at = first["loc"][-1]
        app_error = AppError(
            f"The body is not JSON: {first.get('ctx', {}).get('error', '')}",
            code="bad-json",
            place=f"body, character {at}",
        )
    else:
        app_error = AppError(str(first["msg"]), code="bad-request", place=_location(first["loc"]))
    return error_response(request, app_error)


def _location(parts: Sequence[object]) -> str:
    """Write pydantic's location as a path: `body.kernels[0]`."""
    path = ""
    for part in parts:
        path += f"[{part}]" if isinstance(part, int) else f"{'.' if path else ''}{part}"
    return path


async def _on_surprise(request: Request, error: Exception) -> Response:
    """Answer for our own mistakes; the number finds the traceback in the log."""
    from app.middleware import security_headers  # late: middleware imports this module

    number = secrets.token_hex(4)
    log.error("internal error %s at %s", number, request.url.path, exc_info=error)
    app_error = AppError(
        "Something went wrong in coreplay itself",
        code="internal",
        hint=f"The server's log has the cause under the number {number}.",
    )
    response = error_response(request, app_error)
    response.headers.update(security_headers(request.url.path))
    return response
