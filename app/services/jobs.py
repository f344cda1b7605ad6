"""Verifications as jobs: started at once, followed by events, cancelled, kept for a while."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from app.errors import AppError, from_engine
from app.jobs.registry import Job, Jobs, TooManyJobs
from app.services.analyse import catalog
from app.services.verification import Ask, GuestKernel, Planned, VerifyRequest, VerifyResult
from app.services.verify import Guests, Watcher, verify
from app.services.verify_plan import choose_guests, plan_verification
from engine.errors import EngineError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from app.services.workers import Workers
    from app.settings import Settings

__all__ = ["Job", "Results", "VerificationJobs"]

KIND: Final = "verification"

Render = Callable[[VerifyResult], Mapping[str, object]]
"""Makes a result the data of an event."""


@dataclass(slots=True)
class Results:
    """What a verification has so far, by place; None where the answer is still out."""

    request: VerifyRequest
    rows: list[VerifyResult | None] = field(default_factory=list)


class VerificationJobs:
    """Starts verifications; `installed` guests are asked through `guests`."""

    def __init__(self, jobs: Jobs, guests: Guests, workers: Workers, settings: Settings) -> None:
        self.jobs = jobs
        self.guests = guests
        self._workers = workers
        self._settings = settings

    def installed(self) -> tuple[GuestKernel, ...]:
        """Guests that can be asked, oldest first; none is no error."""
        return self.guests.installed()

    def start(self, request: VerifyRequest, render: Render) -> Job:
        """Begin a verification; its events are those of `Watcher`, then done, failed or cancelled.

            planned  results: how many there will be; compile: whether C was compiled
            place    place in line for a clone, kernel, loader
            started  kernel, loader, programs
            result   index, of, and what `render` gives

        Raises AppError: `guest-missing`, `kernel-unknown`, or `server-busy`.
        """
        # What a person can mend is said at once and not in an event.
        choose_guests(request.program.kernels, self.installed(), catalog(self._settings))

        async def work(job: Job) -> None:
            job.result = results = Results(request)
            job.bytes = len(request.program.object or b"")
            watcher = _Events(job, results, render)
            await verify(request, self.guests, self._plan, watcher)

        try:
            return self.jobs.start(KIND, work, _failure)
        except TooManyJobs:
            raise AppError(
                "The server has more verifications under way than it can do soon",
                code="server-busy",
                hint="Try again in a few seconds.",
            ) from None

    async def _plan(self, request: VerifyRequest, guests: Sequence[GuestKernel]) -> Planned:
        return await self._workers.run(plan_verification, request, tuple(guests), self._settings)


class _Events(Watcher):
    """Writes what happens into the job's log."""

    def __init__(self, job: Job, results: Results, render: Render) -> None:
        self._job = job
        self._results = results
        self._render = render

    def planned(self, planned: Planned) -> None:
        self._results.rows = [None] * len(planned.order)
        self._append("planned", results=len(planned.order), compile=planned.compile is not None)

    def placed(self, ask: Ask, place: int) -> None:
        self._append("place", place=place, kernel=ask.guest.id, loader=ask.subjects[0].loader)

    def started(self, ask: Ask) -> None:
        names = [subject.program for subject in ask.subjects]
        loader = ask.subjects[0].loader
        self._append("started", kernel=ask.guest.id, loader=loader, programs=names)

    def result(self, index: int, result: VerifyResult) -> None:
        rows = self._results.rows
        rows[index] = result
        self._job.bytes += len(result.log) + len(result.subject.insns) + len(result.translated)
        self._append("result", index=index, of=len(rows), **self._render(result))

    def _append(self, kind: str, **data: object) -> None:
        self._job.log.append(kind, data)


def _failure(error: Exception) -> dict[str, object]:
    """Tell of an error as the API does; our own mistakes keep their traceback in the log."""
    while isinstance(error, ExceptionGroup) and len(error.exceptions) == 1:
        error = error.exceptions[0]
    if isinstance(error, EngineError):
        error = from_engine(error)
    if isinstance(error, AppError):
        return error.as_json()
    import logging  # late: only for a mistake

    logging.getLogger("coreplay").error("a verification failed", exc_info=error)
    problem = AppError("Something went wrong in coreplay itself", code="internal")
    return problem.as_json()
