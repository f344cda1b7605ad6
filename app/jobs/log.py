"""One job's events: appended, numbered from 1, never changed, read by any number of followers."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from typing import Final, Literal

import anyio

State = Literal["queued", "running", "done", "failed", "cancelled"]

LAST: Final = frozenset({"done", "failed", "cancelled"})
"""Kinds of events after which nothing follows; also the states they lead to."""
EVENTS: Final = 20_000
"""Events that one job may append; progress beyond that is dropped, the last event never is."""


@dataclass(frozen=True, slots=True)
class JobEvent:
    """One event; `id` counts from 1 within its job, `data` is ready for JSON."""

    id: int
    kind: str
    data: Mapping[str, object]


@dataclass(slots=True)
class JobLog:
    """What happened to a job so far; see `follow`."""

    events: list[JobEvent] = field(default_factory=list)
    state: State = "queued"
    _changed: anyio.Event = field(default_factory=anyio.Event)

    def append(self, kind: str, data: Mapping[str, object] | None = None) -> None:
        """Add an event and wake all followers; nothing is added behind a last event."""
        if self.finished or (len(self.events) >= EVENTS and kind not in LAST):
            return
        self.events.append(JobEvent(len(self.events) + 1, kind, data or {}))
        if kind in ("done", "failed", "cancelled"):
            self.state = kind  # type: ignore[assignment]  # it is one of the three
        elif kind != "queued":
            self.state = "running"
        self._changed.set()
        self._changed = anyio.Event()

    @property
    def finished(self) -> bool:
        """Whether the last event is there."""
        return self.state in LAST

    async def follow(self, after: int = 0) -> AsyncIterator[JobEvent]:
        """Give the events behind number `after`, then new ones as they come, up to the last.

        A number that is larger than any gives nothing until there is one behind it.
        """
        position = max(after, 0)
        while True:
            changed = self._changed
            while position < len(self.events):
                yield self.events[position]
                position += 1
            if self.finished:
                return
            await changed.wait()
