"""The application factory: middleware, error handlers, routers, static files, workers.

The pages come from `app.web`, which offers `router: APIRouter` and
`render_error(request, error) -> Response`. What routes find on `request.app.state`:

    settings   app.settings.Settings
    workers    app.services.workers.Workers
    analyses   app.services.analyse.Analyses (bounded cache in front of the workers)
    verifications  app.services.jobs.VerificationJobs; there while the application runs
    assets     app.assets.Assets; `assets.url("css/app.css")` for templates
"""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import anyio
import anyio.to_thread
from fastapi import FastAPI
from starlette.middleware.gzip import GZipMiddleware

from app import handlers, web
from app.api import router as api
from app.assets import Assets
from app.errors import AppError
from app.jobs.registry import Jobs
from app.middleware import BodyLimitMiddleware, HeadersMiddleware, HostMiddleware
from app.services.analyse import Analyses
from app.services.guests import opened_guests
from app.services.jobs import VerificationJobs
from app.services.workers import Workers
from app.settings import Settings, load_settings
from app.version import version
from app.web import templating
from engine.errors import EngineError

log = logging.getLogger("coreplay")

LOOPBACK = ("127.0.0.1", "::1", "localhost")


def create_app(settings: Settings | None = None) -> FastAPI:
    """Build the application; it reads the environment only when no settings are given."""
    settings = load_settings() if settings is None else settings
    app = FastAPI(
        title="coreplay",
        version=version(),
        description="What a BPF loader does to your program: CO-RE relocation, byte for byte.",
        openapi_url="/openapi.json",
        docs_url=None,
        redoc_url=None,
        lifespan=_lifespan,
        telemetry={
            "tracing": False,
            "metrics": False,
            "logs": False,
            "operation_spans": False,
            "auto_configure": False,
        },
        form_limits={"max_part_size": settings.body_bytes},
    )
    app.state.settings = settings
    app.state.assets = Assets()
    app.state.workers = Workers(
        settings.workers, queue=settings.queue, timeout=settings.analysis_timeout
    )
    app.state.analyses = Analyses(app.state.workers, settings)
    handlers.install(app)
    _add_middleware(app, settings)
    _add_routes(app)
    app.mount("/static", app.state.assets, name="static")
    return app


def _add_middleware(app: FastAPI, settings: Settings) -> None:
    """Add the middleware; the last one added is the outermost."""
    allowed = settings.allowed_hosts
    if not allowed and settings.host not in LOOPBACK:
        allowed = ("*",)
    app.add_middleware(BodyLimitMiddleware, limit=settings.body_bytes)
    app.add_middleware(GZipMiddleware, minimum_size=1024, compresslevel=5)
    app.add_middleware(HostMiddleware, allowed=allowed)
    app.add_middleware(HeadersMiddleware)


def _add_routes(app: FastAPI) -> None:
    app.include_router(api.router)
    app.include_router(web.router)
    app.state.render_error = web.render_error


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    """Warm the workers up in the background; readiness does not wait for it."""
    state, jobs = app.state, Jobs()
    async with (
        opened_guests(state.settings) as guests,
        jobs.running(),
        anyio.create_task_group() as tasks,
    ):
        state.verifications = VerificationJobs(jobs, guests, state.workers, state.settings)
        tasks.start_soon(_warm_pages, app)
        tasks.start_soon(_warm, app)
        yield
        tasks.cancel_scope.cancel()


async def _warm_pages(app: FastAPI) -> None:
    for work in (app.state.assets.warm, templating.warm):
        await anyio.to_thread.run_sync(work, abandon_on_cancel=True)


async def _warm(app: FastAPI) -> None:
    try:
        await app.state.analyses.keep_warm()
    except (AppError, EngineError) as error:
        log.warning("the workers are not warmed up: %s", error)
