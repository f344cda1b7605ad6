"""What types pages and the API share: have an index built, and look into it off the event loop."""

from __future__ import annotations

from functools import partial
from typing import Any, Final, TypeVar, cast

import anyio.to_thread

from app.errors import AppError, from_engine
from app.services import typeindex
from app.services.workers import Workers
from app.settings import Settings
from engine.errors import KernelUnknown

T = TypeVar("T")
_BUILD_SECONDS: Final = 600.0


def builders(state: Any) -> Workers:
    """Give the workers that build what is missing, one at a time, beside those that analyse.

    `state` is the application's. Reading a whole kernel takes seconds, on a busy machine minutes,
    and is worth finishing.
    """
    if not hasattr(state, "builders"):
        state.builders = Workers(1, queue=state.settings.queue, timeout=_BUILD_SECONDS)
    return cast("Workers", state.builders)


async def ready(state: Any, what: typeindex.What, *kernels: str) -> Settings:
    """Have what is missing built; AppError with status 404 for a kernel that there is not."""
    settings = cast("Settings", state.settings)
    try:
        await typeindex.build(builders(state), settings, what, kernels)
    except KernelUnknown as unknown:
        raise not_found(unknown) from None
    return settings


def not_found(unknown: KernelUnknown) -> AppError:
    """Make the error for an address with a kernel that there is not."""
    error = from_engine(unknown)
    error.status = 404
    return error


async def in_thread(work: partial[T]) -> T:
    """Do what takes milliseconds, but may read a file, off the event loop."""
    return await anyio.to_thread.run_sync(work)
