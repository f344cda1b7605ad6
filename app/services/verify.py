"""The real verifier's verdict: programs go to guest kernels, and their answers come back.

A `Watcher` is told of each step: planned, place in line, started, result. What fails in a guest is
a result; only what is wrong with the request is an exception.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final, Protocol

import anyio

from app.errors import AppError, from_engine
from app.services.verification import (
    Ask,
    GuestKernel,
    Planned,
    VerifyRequest,
    VerifyResult,
)
from app.services.verify_answer import failed, results_of
from app.services.verify_real import real_results
from engine.errors import EngineError

if TYPE_CHECKING:
    from app.sandbox.vm.protocol import GuestAnswer, GuestRequest

AT_ONCE: Final = 4
"""Clones that one verification keeps busy; the pool has its own bound for all of them."""

Planner = Callable[[VerifyRequest, Sequence[GuestKernel]], Awaitable[Planned]]
Placed = Callable[[int], None]


class Guests(Protocol):
    """Where guest kernels are asked."""

    def installed(self) -> tuple[GuestKernel, ...]:
        """Guests that can be asked, oldest first."""

    async def ask(
        self, kernel: str, request: GuestRequest, placed: Placed, seconds: float | None = None
    ) -> GuestAnswer:
        """Ask one clone of a guest; `placed` is told the place in line, 0 when it is its turn.

        `seconds` is the guest's own time, None the usual one.
        Raises AppError when the guest did not answer; cancelling it kills the clone.
        """


class Watcher:
    """Is told what happens; the base class does not listen."""

    def planned(self, planned: Planned) -> None:
        """The work is prepared."""

    def placed(self, ask: Ask, place: int) -> None:
        """A clone's work waits at this place in line."""

    def started(self, ask: Ask) -> None:
        """A clone has its work."""

    def result(self, index: int, result: VerifyResult) -> None:
        """One result is there; `index` is its place among all."""


async def verify(
    request: VerifyRequest, guests: Guests, planner: Planner, watcher: Watcher | None = None
) -> tuple[VerifyResult, ...]:
    """Send programs to guest kernels and give all results, by guest, loader, then program.

    Raises AppError for what is wrong with the request; a guest that fails is a result.
    """
    watcher = watcher or Watcher()
    try:
        planned = await planner(request, guests.installed())
    except EngineError as error:
        raise from_engine(error) from None
    watcher.planned(planned)
    places = {place: index for index, place in enumerate(planned.order)}
    found: dict[int, VerifyResult] = {}

    def keep(results: Iterable[VerifyResult]) -> None:
        for result in results:
            index = places[result.subject.place]
            found[index] = result
            watcher.result(index, result)

    keep(planned.settled)
    limiter = anyio.CapacityLimiter(AT_ONCE)
    async with anyio.create_task_group() as tasks:
        explain = request.explain and not request.log_level
        sender = _Sender(guests, watcher, explain, request.seconds)
        for ask in planned.asks:
            tasks.start_soon(sender.answer, ask, limiter, keep)
    return tuple(found[index] for index in sorted(found))


@dataclass(frozen=True, slots=True)
class _Sender:
    guests: Guests
    watcher: Watcher
    explain: bool
    patience: float | None = None

    def _seconds(self, ask: Ask) -> float | None:
        """The guest's time: at least what the request says that it may have."""
        wanted = [seconds for seconds in (ask.seconds, self.patience) if seconds is not None]
        return max(wanted, default=None)

    async def answer(
        self,
        ask: Ask,
        limiter: anyio.CapacityLimiter,
        keep: Callable[[Iterable[VerifyResult]], None],
    ) -> None:
        async with limiter:
            keep(await self._ask(ask))

    async def _ask(self, ask: Ask) -> tuple[VerifyResult, ...]:
        """Ask one clone; where it fails with several programs, each gets a clone of its own."""

        def placed(place: int) -> None:
            if place:
                self.watcher.placed(ask, place)
            else:
                self.watcher.started(ask)

        try:
            answer = await self.guests.ask(ask.guest.id, ask.request, placed, self._seconds(ask))
        except AppError as error:
            whole = ask.is_real or error.code in ("server-busy", "guest-missing")
            if len(ask.subjects) == 1 or whole:
                return tuple(failed(ask, error))
            parts = [_alone(ask, number) for number in range(len(ask.subjects))]
            return tuple([result for part in parts for result in await self._ask(part)])
        if ask.is_real:
            return tuple(real_results(ask, answer))
        results = tuple(results_of(ask, answer))
        if not self.explain:
            return results
        return tuple(
            [
                await self._explained(_alone(ask, number), result)
                for number, result in enumerate(results)
            ]
        )

    async def _explained(self, ask: Ask, result: VerifyResult) -> VerifyResult:
        """Fetch the log of a program that the kernel refused."""
        if result.loaded is not False:
            return result
        (program,) = ask.request.programs
        wanted = replace(program, log_level=1, test_run=None)
        try:
            request = replace(ask.request, programs=(wanted,))
            answer = await self.guests.ask(
                ask.guest.id, request, lambda place: None, self._seconds(ask)
            )
        except AppError:
            return result  # the last words have to do
        (again,) = results_of(replace(ask, request=request), answer)
        return replace(result, log=again.log or result.log, log_truncated=again.log_truncated)


def _alone(ask: Ask, number: int) -> Ask:
    """The same for one program; maps stay, so that indexes do."""
    problem = ask.run_errors.get(number)
    return Ask(
        (ask.subjects[number],),
        replace(ask.request, programs=(ask.request.programs[number],)),
        {0: problem} if problem else {},
    )
