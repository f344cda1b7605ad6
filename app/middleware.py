"""What every response and every request goes through, as plain ASGI.

Order, outermost first: headers, host, compression (starlette's), body limit.
"""

from __future__ import annotations

import ipaddress
import re
from typing import Final

from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.errors import AppError
from app.handlers import error_response

CSP: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "font-src 'self'; connect-src 'self'; form-action 'self'; base-uri 'none'; "
    "frame-ancestors {ancestors}"
)
_HOST = re.compile(r"(\[[0-9a-f:.]+\]|[a-z0-9._-]+)(?::[0-9]{1,5})?", re.IGNORECASE)
VARY: Final = ("HX-Request", "HX-Request-Type")


def security_headers(path: str) -> dict[str, str]:
    """Give the headers of every response; `/embed/` pages alone may be framed elsewhere."""
    ancestors = "*" if path.startswith("/embed/") else "'none'"
    return {
        "Content-Security-Policy": CSP.format(ancestors=ancestors),
        "X-Content-Type-Options": "nosniff",
        "Referrer-Policy": "same-origin",
        "Cross-Origin-Opener-Policy": "same-origin",
    }


class HeadersMiddleware:
    """Adds the security headers, and `Vary` to what htmx may ask for in two forms."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one ASGI connection."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in security_headers(scope["path"]).items():
                    headers.setdefault(name, value)
                if headers.get("content-type", "").startswith("text/html"):
                    for name in VARY:
                        headers.add_vary_header(name)
            await send(message)

        await self.app(scope, receive, send_with_headers)


class HostMiddleware:
    """Refuses requests for host names that are not ours, against DNS rebinding.

    With no list given, an address, a name without a dot and `*.localhost` are served: a web
    site elsewhere cannot make a browser treat those as its own. `*` in the list serves all.
    """

    def __init__(self, app: ASGIApp, allowed: tuple[str, ...]) -> None:
        self.app = app
        self.allowed = frozenset(allowed)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one ASGI connection."""
        if scope["type"] != "http" or self.allows(Headers(scope=scope).get("host")):
            await self.app(scope, receive, send)
            return
        error = AppError(
            "This server does not serve the host name that was asked for",
            code="host-not-allowed",
            place="header Host",
            hint="Name it in COREPLAY_ALLOWED_HOSTS, for example coreplay.example.org.",
        )
        await error_response(Request(scope, receive), error)(scope, receive, send)

    def allows(self, header: str | None) -> bool:
        """Tell whether a `Host` header names this server."""
        if "*" in self.allowed:
            return True
        match = _HOST.fullmatch(header or "")
        if match is None:
            return False
        name = match[1].lower().strip("[]").removesuffix(".")
        if name in self.allowed:
            return True
        return "." not in name or name.endswith(".localhost") or _is_address(name)


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


class BodyLimitMiddleware:
    """Stops reading a request body at `limit` bytes.

    The error is raised where the application reads, as a starlette HTTPException, because
    FastAPI lets only those pass unchanged; the handler gives it the code `body-too-large`.
    """

    def __init__(self, app: ASGIApp, limit: int) -> None:
        self.app = app
        self.limit = limit

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one ASGI connection."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        announced = Headers(scope=scope).get("content-length", "0")
        left = self.limit

        async def receive_bounded() -> Message:
            nonlocal left
            if not announced.isdecimal() or int(announced) > self.limit:
                raise _too_large(self.limit)
            message = await receive()
            if message["type"] == "http.request":
                left -= len(message.get("body", b""))
                if left < 0:
                    raise _too_large(self.limit)
            return message

        await self.app(scope, receive_bounded, send)


def _too_large(limit: int) -> HTTPException:
    return HTTPException(413, f"The request body is larger than {limit} bytes")
