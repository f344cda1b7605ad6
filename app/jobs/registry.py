"""All jobs of one process: started in one task group, kept for a while, stopped with the server.

Jobs are in memory and bounded in number, in age and in the bytes that their results take up.
"""

from __future__ import annotations

import logging
import secrets
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Final

import anyio
from anyio import CancelScope
from anyio.abc import TaskGroup

from app.jobs.log import JobLog

log = logging.getLogger("coreplay")

KEPT: Final = 256
"""Finished jobs that are kept."""
RUNNING: Final = 64
"""Jobs that may wait or run at one time."""
SECONDS: Final = 1800.0
"""How long a finished job is kept."""
BYTES: Final = 256 << 20
"""What the results of finished jobs may take up together; the oldest go first."""


class TooManyJobs(Exception):
    """No further job is taken now."""


@dataclass(slots=True)
class Job:
    """One piece of work: its events, and what it keeps for whoever asks later.

    `bytes` is what `result` takes up; whoever sets the one sets the other.
    """

    id: str
    kind: str
    log: JobLog = field(default_factory=JobLog)
    result: object = None
    bytes: int = 0
    ended: float = 0.0
    _scope: CancelScope = field(default_factory=CancelScope)

    def cancel(self) -> bool:
        """Stop the work; False where it had come to its end already."""
        if self.log.finished:
            return False
        self._scope.cancel()
        return True

    async def run(
        self,
        work: Callable[[Job], Awaitable[None]],
        failed: Callable[[Exception], dict[str, object]],
    ) -> None:
        """Do the work; whatever happens, a last event is appended."""
        try:
            with self._scope:
                await work(self)
            self.log.append("cancelled" if self._scope.cancelled_caught else "done")
        except Exception as error:
            self.log.append("failed", failed(error))
        finally:
            self.log.append("cancelled")  # the server stops: no event is last yet
            self.ended = time.monotonic()


class Jobs:
    """Starts jobs and finds them again; `running` must be entered before the first one."""

    def __init__(
        self,
        *,
        kept: int = KEPT,
        running: int = RUNNING,
        seconds: float = SECONDS,
        most: int = BYTES,
    ) -> None:
        self._kept, self._running, self._seconds, self._most = kept, running, seconds, most
        self._jobs: dict[str, Job] = {}
        self._tasks: TaskGroup | None = None

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Let jobs run inside this block; they are cancelled at its end."""
        async with anyio.create_task_group() as tasks:
            self._tasks = tasks
            try:
                yield
            finally:
                self._tasks = None
                tasks.cancel_scope.cancel()

    def start(
        self,
        kind: str,
        work: Callable[[Job], Awaitable[None]],
        failed: Callable[[Exception], dict[str, object]],
    ) -> Job:
        """Begin a job; `failed` tells of an exception as an event's data.

        Raises TooManyJobs when as many as may are under way.
        """
        self._forget()
        if self._tasks is None or self._under_way() >= self._running:
            raise TooManyJobs
        job = Job(secrets.token_urlsafe(12), kind)
        job.log.append("queued")
        self._jobs[job.id] = job
        self._tasks.start_soon(job.run, work, failed)
        return job

    def get(self, job_id: str) -> Job | None:
        """The job of this id, None when there is none or it has been forgotten."""
        self._forget()
        return self._jobs.get(job_id)

    def _under_way(self) -> int:
        return sum(not job.log.finished for job in self._jobs.values())

    def _forget(self) -> None:
        """Drop finished jobs that are too old, too many or too large, the oldest first."""
        now = time.monotonic()
        finished = [job for job in self._jobs.values() if job.ended]
        total = sum(job.bytes for job in finished)
        left = len(finished)
        for job in finished:
            if left <= self._kept and total <= self._most and now - job.ended < self._seconds:
                break
            del self._jobs[job.id]
            left -= 1
            total -= job.bytes
