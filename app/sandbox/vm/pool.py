"""Clones that stand ready, a line for those who want one, and a new clone for every request.

At most `at_once` requests run, the others wait in the order they came and are told their place.
While nobody waits, clones are restored and warmed ahead, `keep` for each guest that was asked in
the last ten minutes. A request that finds none ready starts its own, which takes 0.1 s longer.

Everything here lives on one event loop. `close` ends all; if the process is killed instead, its
clones end with it (see machine.py).
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import time
from collections import deque
from collections.abc import Callable
from typing import Final

from app.errors import AppError
from app.sandbox.vm.clone import Clone, checked, read_answer
from app.sandbox.vm.line import Line
from app.sandbox.vm.protocol import GuestAnswer, GuestRequest
from app.sandbox.vm.snapshot import Snapshot
from app.sandbox.vm.store import Guest
from app.sandbox.vm.template import Templates

DEADLINE: Final = 3.0
KEEP: Final = 2
QUEUE: Final = 64
IDLE_SECONDS: Final = 600.0
_LOG: Final = logging.getLogger(__name__)
Placed = Callable[[int], None]


class _Shelf:
    """One guest's template in memory and its clones that stand ready."""

    def __init__(self, snapshot: Snapshot) -> None:
        self.snapshot = snapshot
        self.ready: deque[Clone] = deque()
        self.asked = time.monotonic()


class Pool:
    """Asks guests; use it as an async context manager, or close it."""

    def __init__(
        self,
        templates: Templates,
        *,
        keep: int = KEEP,
        at_once: int | None = None,
        queue: int = QUEUE,
        deadline: float = DEADLINE,
    ) -> None:
        self.templates = templates
        self._keep = keep
        self._deadline = deadline
        # One more than processors: a clone that starts waits for namespaces part of the time.
        self._line = Line(at_once or min(4, os.cpu_count() or 1) + 1, queue)
        self._shelves: dict[str, asyncio.Task[_Shelf]] = {}
        self._builds: dict[str, asyncio.Task[None]] = {}
        self._filler: asyncio.Task[None] | None = None
        self._later: asyncio.TimerHandle | None = None
        self._endings: set[asyncio.Task[None]] = set()
        self._closed = False

    async def __aenter__(self) -> Pool:
        """Give the pool; nothing is started before the first request."""
        return self

    async def __aexit__(self, *_: object) -> None:
        """Close the pool."""
        await self.close()

    def guests(self) -> tuple[Guest, ...]:
        """The guests that can be asked, the oldest kernel first."""
        return self.templates.store.guests()

    async def ask(
        self,
        kernel: str,
        request: GuestRequest,
        placed: Placed | None = None,
        *,
        deadline: float | None = None,
    ) -> GuestAnswer:
        """Ask a new clone of the guest that `kernel` names (an id or a series).

        `placed` is told the place in line, 1 for the next, and 0 when it is this request's turn.
        `deadline` is the guest's own time in seconds. Cancelling it kills the clone. Raises
        AppError: `guest-missing`, `server-busy`, `vm-*`.
        """
        if self._closed:
            raise AppError("the server is closing", code="server-busy")
        guest = self.templates.store.resolve(kernel)
        data = checked(request)
        try:
            async with self._line.turn(placed or (lambda _: None)):
                answer = await self._ask(guest, data, deadline or self._deadline)
        finally:
            self._fill_later()
        return read_answer(request, answer)

    async def prepare(self, kernel: str) -> None:
        """Have clones of a guest stand ready before somebody asks; raises AppError."""
        shelf = await self._shelf(self.templates.store.resolve(kernel))
        while len(shelf.ready) < self._keep:
            shelf.ready.append(await self._warm_clone(shelf))

    def standing(self, kernel: str) -> tuple[Clone, ...]:
        """The clones of a guest that stand ready."""
        task = self._shelves.get(self.templates.store.resolve(kernel).id)
        if task is None or not task.done() or task.exception():
            return ()
        return tuple(task.result().ready)

    async def close(self) -> None:
        """End all clones and wait until they are gone."""
        self._closed = True
        if self._later is not None:
            self._later.cancel()
        tasks = [*self._builds.values(), *([self._filler] if self._filler else [])]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for name in list(self._shelves):
            await self._put_away(name)
        await asyncio.gather(*self._endings, return_exceptions=True)

    async def _ask(self, guest: Guest, data: bytes, deadline: float) -> bytes:
        shelf = await self._shelf(guest)
        shelf.asked = time.monotonic()
        clone = await self._take(guest, shelf)
        try:
            return await clone.ask(data, deadline)
        finally:
            self._end(clone)

    async def _take(self, guest: Guest, shelf: _Shelf) -> Clone:
        """Give a clone that stands ready, or a new one."""
        while shelf.ready:
            clone = shelf.ready.popleft()
            if clone.machine.alive:
                return clone
            self._end(clone)
        try:
            return await Clone.start(shelf.snapshot)
        except AppError as error:
            if error.code == "vm-template-stale":
                await self._put_away(guest.id)
                self._build_later(guest)
            raise

    async def _shelf(self, guest: Guest) -> _Shelf:
        """Load the guest's template once, however many ask for it at a time."""
        task = self._shelves.get(guest.id)
        if task is None:
            task = asyncio.create_task(self._load(guest))
            self._shelves[guest.id] = task
        try:
            return await asyncio.shield(task)
        except AppError as error:
            if self._shelves.get(guest.id) is task:
                del self._shelves[guest.id]
            if error.code in ("vm-template-missing", "vm-template-stale"):
                self._build_later(guest)
            raise

    async def _load(self, guest: Guest) -> _Shelf:
        return _Shelf(await asyncio.to_thread(self.templates.load, guest))

    async def _put_away(self, name: str) -> None:
        """End a guest's clones that stand ready and forget its template."""
        task = self._shelves.pop(name, None)
        if task is None:
            return
        with contextlib.suppress(AppError):
            shelf = await task
            for clone in shelf.ready:
                self._end(clone)
            shelf.ready.clear()
            shelf.snapshot.close()

    def _end(self, clone: Clone) -> None:
        """Kill a clone now and reap it in the background."""
        clone.machine.kill()
        task = asyncio.create_task(clone.close())
        self._endings.add(task)
        task.add_done_callback(self._endings.discard)

    # --- in the background ------------------------------------------------------------------

    def _fill_later(self) -> None:
        if not self._closed and (self._filler is None or self._filler.done()):
            self._filler = asyncio.create_task(self._fill())

    async def _fill(self) -> None:
        """Put warm clones on the shelves, one at a time and only while nobody waits or runs."""
        while (shelf := await self._neediest()) is not None:
            await self._line.empty()
            try:
                clone = await self._warm_clone(shelf)
            except (AppError, TimeoutError, OSError) as error:
                _LOG.warning("no clone could be prepared: %s", error)
                return
            shelf.ready.append(clone)
        if self._later is not None:
            self._later.cancel()
        if self._shelves:  # come back when the first may be put away
            loop = asyncio.get_running_loop()
            self._later = loop.call_later(IDLE_SECONDS + 1, self._fill_later)

    async def _neediest(self) -> _Shelf | None:
        """Give the shelf that lacks most; put shelves away that nobody has asked for lately."""
        lacking: list[_Shelf] = []
        for name, task in list(self._shelves.items()):
            if not task.done() or task.exception():
                continue
            shelf = task.result()
            if time.monotonic() - shelf.asked > IDLE_SECONDS:
                await self._put_away(name)
            elif len(shelf.ready) < self._keep:
                lacking.append(shelf)
        return min(lacking, key=lambda shelf: len(shelf.ready), default=None)

    async def _warm_clone(self, shelf: _Shelf) -> Clone:
        clone = await Clone.start(shelf.snapshot)
        try:
            await clone.warm_up()
        except BaseException:
            self._end(clone)
            raise
        return clone

    def _build_later(self, guest: Guest) -> None:
        if self._closed or guest.id in self._builds:
            return

        async def build() -> None:
            try:
                await self.templates.build(guest)
            except AppError as error:
                _LOG.warning("no template of %s: %s", guest.id, error)
            finally:
                del self._builds[guest.id]

        self._builds[guest.id] = asyncio.create_task(build())
