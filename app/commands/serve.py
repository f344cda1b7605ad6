"""coreplay serve: the web server."""

from __future__ import annotations

import argparse
import os
import socket
import sys
from contextlib import ExitStack

import uvicorn

from app.errors import AppError
from app.main import create_app
from app.services.guests import standing_guests
from app.settings import load_settings, unknown_settings


def run(arguments: argparse.Namespace) -> int:
    """Serve until interrupted."""
    for name in unknown_settings(os.environ):
        print(f"coreplay: {name} is not a setting and has no effect", file=sys.stderr)
    settings = load_settings(host=arguments.host, port=arguments.port, workers=arguments.workers)
    listener = _listen(settings.host, settings.port)
    host, port = listener.getsockname()[:2]
    shown = f"[{host}]" if ":" in host else host
    print(f"coreplay: http://{shown}:{port}/", flush=True)
    print(f"coreplay: {standing_guests(settings)}", flush=True)
    config = uvicorn.Config(
        create_app(settings),
        log_level=settings.log_level,
        server_header=False,
        timeout_graceful_shutdown=5,
    )
    uvicorn.Server(config).run(sockets=[listener])
    return 0


def _listen(host: str, port: int) -> socket.socket:
    """Open the socket here, so that a port in use is one clear error."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        with ExitStack() as on_failure:
            listener = on_failure.enter_context(socket.socket(family, kind, protocol))
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind(address)
            listener.listen(128)
            on_failure.pop_all()
    except (OSError, OverflowError) as problem:
        raise AppError(
            f"Cannot listen on {host} port {port}: {problem}",
            code="address-in-use",
            hint="Choose another with --port or COREPLAY_PORT.",
        ) from None
    return listener
