"""Every HX- header that is read or written, by name; nothing else spells one out."""

from __future__ import annotations

from typing import Final
from urllib.parse import urlsplit

from starlette.requests import Request
from starlette.responses import Response

REQUEST: Final = "HX-Request"
REQUEST_TYPE: Final = "HX-Request-Type"
CURRENT_URL: Final = "HX-Current-URL"
PUSH_URL: Final = "HX-Push-Url"
REPLACE_URL: Final = "HX-Replace-Url"


def is_partial(request: Request) -> bool:
    """Tell whether htmx wants a part of the page; Back asks for a whole one."""
    headers = request.headers
    return headers.get(REQUEST) == "true" and headers.get(REQUEST_TYPE) == "partial"


def show_url(request: Request, response: Response, url: str, *, step: bool = True) -> None:
    """Put `url` in the address bar: a new step in the history if it is another address."""
    current = urlsplit(request.headers.get(CURRENT_URL, ""))
    here = f"{current.path}?{current.query}"
    response.headers[REPLACE_URL if url == here or not step else PUSH_URL] = url
