"""Guests, built once and kept; a machine that can have none skips these tests, CI fails them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from app.sandbox.vm.pool import Pool
from app.sandbox.vm.protocol import GuestAnswer, GuestRequest
from tests.support import guests

Work = Callable[[Pool], Coroutine[Any, Any, Any]]


@pytest.fixture(scope="session")
def _guests_can_be() -> None:
    guests.require()


@pytest.fixture
def in_pool(_guests_can_be) -> Callable[..., Any]:
    """Run a coroutine function with a pool over the guests of tests, and close it."""

    def run(work: Work, *, series: str = "6.1", misbehave: bool = False, **options: Any) -> Any:
        templates, _ = guests.guest(series, misbehave=misbehave)

        async def main() -> Any:
            async with Pool(templates, **{"keep": 0, **options}) as pool:
                return await work(pool)

        return asyncio.run(main())

    return run


@pytest.fixture
def ask(in_pool) -> Callable[..., GuestAnswer]:
    """Ask one clone of a guest."""

    def one(request: GuestRequest, *, series: str = "6.1", **options: Any) -> GuestAnswer:
        name = guests.guest(series)[1].id
        patient = {"deadline": guests.PATIENT, **options}
        return in_pool(lambda pool: pool.ask(name, request), series=series, **patient)

    return one
