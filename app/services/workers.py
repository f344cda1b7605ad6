"""Worker processes for everything that takes the processor, so that the event loop stays free.

Processes come from `anyio.to_process`: they are started when needed, kept while used, and
killed when a deadline passes. A worker imports the engine and never the web framework.
"""

from __future__ import annotations

import math
import resource
import traceback
from collections.abc import Callable
from typing import Final, TypeVar, TypeVarTuple, Unpack

import anyio
from anyio import BrokenWorkerProcess, CapacityLimiter, to_process

from app.errors import AppError
from engine.errors import EngineError

T = TypeVar("T")
Ts = TypeVarTuple("Ts")

WORKER_ADDRESS_SPACE: Final = 2 << 30
"""Bytes of address space after which a worker's allocation fails instead of the machine."""


class WorkerSurprise(Exception):
    """Our own mistake inside a worker, with the traceback that would be lost otherwise."""


class Workers:
    """At most `count` jobs at a time, `queue` more waiting, each with a deadline in seconds."""

    def __init__(self, count: int, *, queue: int, timeout: float) -> None:
        self.count = count
        self.queue = queue
        self.timeout = timeout
        self._slots = CapacityLimiter(count)
        self._processes = CapacityLimiter(math.inf)
        self._lost = anyio.Event()

    async def run(self, func: Callable[[Unpack[Ts]], T], *args: *Ts) -> T:
        """Call a module-level function in a worker; arguments and result must pickle.

        The deadline counts from when a worker is free. Raises what the function raises,
        `server-busy` when too many wait, `analysis-timeout` when the deadline passes (the
        worker is killed), `worker-died` when the process went away.
        """
        if self._slots.statistics().tasks_waiting >= self.queue:
            raise AppError(
                "The server has more analyses waiting than it can do soon",
                code="server-busy",
                hint="Try again in a few seconds.",
            )
        async with self._slots:
            with anyio.move_on_after(self.timeout):
                return await self._call(func, *args)
        self._lost.set()
        raise AppError(
            f"The analysis did not finish within {self.timeout:g} seconds and was stopped",
            code="analysis-timeout",
            hint="Make the program smaller, or raise COREPLAY_ANALYSIS_TIMEOUT on your own server.",
        )

    @property
    def lost(self) -> bool:
        """Whether a worker died or was killed since `wait_for_loss` returned."""
        return self._lost.is_set()

    async def in_each(
        self, func: Callable[[*Ts], object], *args: *Ts, workers: int | None = None
    ) -> None:
        """Call a function in all workers (or some) at once; each that is free is started."""
        async with anyio.create_task_group() as tasks:
            for _ in range(self.count if workers is None else workers):
                tasks.start_soon(self._quietly, func, *args)

    async def _quietly(self, func: Callable[[*Ts], object], *args: *Ts) -> None:
        try:
            await self.run(func, *args)
        except AppError:
            return  # whoever needs the answer asks again and gets the error

    async def wait_for_loss(self) -> None:
        """Return when a worker died or was killed since the last call."""
        await self._lost.wait()
        self._lost = anyio.Event()

    async def _call(self, func: Callable[[Unpack[Ts]], T], *args: *Ts) -> T:
        try:
            return await to_process.run_sync(
                _guarded, func, args, cancellable=True, limiter=self._processes
            )
        except BrokenWorkerProcess:
            self._lost.set()
            raise AppError(
                "The worker process that ran the analysis died",
                code="worker-died",
                hint="Run it again; if it happens again, the input exhausts this machine.",
            ) from None


def _guarded(func: Callable[..., T], args: tuple[object, ...]) -> T:
    """Run in the worker: bound its memory, and let only what pickles well leave it."""
    _bound_memory()
    try:
        return func(*args)
    except (AppError, EngineError):
        raise
    except (RecursionError, MemoryError) as problem:
        raise AppError(
            "The input needs more memory or depth than one analysis is given",
            code="limit-exceeded",
            place=type(problem).__name__,
        ) from None
    except Exception:
        raise WorkerSurprise(traceback.format_exc()) from None


def _bound_memory() -> None:
    """Lower the soft limit only: the compiler's jail sets limits of its own."""
    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    if soft == resource.RLIM_INFINITY:
        resource.setrlimit(resource.RLIMIT_AS, (WORKER_ADDRESS_SPACE, hard))
