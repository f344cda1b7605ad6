"""A job's log: numbered events, any number of followers, nothing behind the last one."""

from __future__ import annotations

import anyio
import pytest

from app.jobs import log as jobs_log
from app.jobs.log import JobLog

pytestmark = pytest.mark.anyio


async def read(log: JobLog, after: int = 0) -> list[tuple[int, str]]:
    return [(event.id, event.kind) async for event in log.follow(after)]


async def test_followers_get_what_was_and_what_comes():
    log = JobLog()
    log.append("queued")
    found: list[list[tuple[int, str]]] = []

    async def follow(after: int) -> None:
        found.append(await read(log, after))

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(follow, 0)
        tasks.start_soon(follow, 1)
        await anyio.wait_all_tasks_blocked()
        log.append("result", {"n": 1})
        await anyio.wait_all_tasks_blocked()
        log.append("done")
    assert sorted(found, key=len) == [
        [(2, "result"), (3, "done")],
        [(1, "queued"), (2, "result"), (3, "done")],
    ]


async def test_a_follower_that_comes_back_gets_the_rest():
    log = JobLog()
    for kind in ("queued", "started", "result", "done"):
        log.append(kind)
    assert await read(log, 2) == [(3, "result"), (4, "done")]
    assert await read(log, 99) == []


async def test_nothing_stands_behind_the_last_event():
    log = JobLog()
    log.append("failed", {"code": "x"})
    log.append("result")
    log.append("cancelled")
    assert [event.kind for event in log.events] == ["failed"]
    assert log.state == "failed"


async def test_states():
    log = JobLog()
    assert log.state == "queued"
    log.append("queued", {"place": 3})
    assert log.state == "queued"
    log.append("started")
    assert log.state == "running"
    assert not log.finished


async def test_a_flood_of_events_is_cut_but_its_end_is_told(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(jobs_log, "EVENTS", 3)
    log = JobLog()
    for _ in range(10):
        log.append("progress")
    log.append("done")
    assert [event.kind for event in log.events] == ["progress"] * 3 + ["done"]
