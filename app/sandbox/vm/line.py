"""A line with places: so many run, so many wait in the order they came, more are refused."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from app.errors import AppError

Placed = Callable[[int], None]


class Line:
    """Lets `at_once` turns run; at most `queue` more wait."""

    def __init__(self, at_once: int, queue: int) -> None:
        self._free = at_once
        self._at_once = at_once
        self._queue = queue
        self._waiting: deque[tuple[asyncio.Future[None], Placed]] = deque()
        self._idle = asyncio.Event()
        self._idle.set()

    @property
    def waiting(self) -> int:
        """How many wait."""
        return len(self._waiting)

    @asynccontextmanager
    async def turn(self, placed: Placed) -> AsyncIterator[None]:
        """Wait for a turn and hold it; raises AppError `server-busy` when too many wait.

        `placed` is told each new place in line, 1 for the next, and 0 at its turn.
        """
        await self._wait(placed)
        try:
            placed(0)
            yield
        finally:
            self._pass_on()

    async def empty(self) -> None:
        """Wait until nobody waits or has a turn."""
        await self._idle.wait()

    async def _wait(self, placed: Placed) -> None:
        if self._free:
            self._free -= 1
            self._settle()
            return
        if len(self._waiting) >= self._queue:
            raise AppError(
                f"{len(self._waiting)} requests wait for a guest already",
                code="server-busy",
                hint="Try again in a minute.",
            )
        turn = asyncio.get_running_loop().create_future()
        self._waiting.append((turn, placed))
        placed(len(self._waiting))
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():
                self._pass_on()  # the turn came in the same moment
            else:
                self._leave(turn)
            raise

    def _pass_on(self) -> None:
        """Give the turn to the next in line."""
        while self._waiting:
            turn, _ = self._waiting.popleft()
            if not turn.done():
                turn.set_result(None)
                self._tell_places()
                return
        self._free += 1
        self._settle()

    def _leave(self, turn: asyncio.Future[None]) -> None:
        self._waiting = deque(entry for entry in self._waiting if entry[0] is not turn)
        self._tell_places()

    def _tell_places(self) -> None:
        for place, (_, placed) in enumerate(self._waiting, start=1):
            placed(place)

    def _settle(self) -> None:
        if self._free == self._at_once:
            self._idle.set()
        else:
            self._idle.clear()
