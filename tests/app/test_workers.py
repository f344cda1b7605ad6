"""Workers: real processes, killed at the deadline, replaced when they die."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import anyio
import pytest

from app.errors import AppError
from app.services.workers import Workers, WorkerSurprise
from engine.errors import BtfDecodeError

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
def workers() -> Workers:
    return Workers(2, queue=1, timeout=20)


def pid_after(seconds: float) -> int:
    time.sleep(seconds)
    return os.getpid()


def leave_a_mark(folder: Path) -> None:
    (folder / str(os.getpid())).touch()
    time.sleep(0.5)


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def fail_in_the_engine() -> None:
    raise BtfDecodeError("bad", at=3)


def go_too_deep(depth: int = 0) -> int:
    return go_too_deep(depth + 1) + 1


def take_memory() -> int:
    return len(bytearray(8 << 30))


def make_a_mistake() -> None:
    {}["missing"]


async def test_call_runs_elsewhere_and_the_process_is_used_again(workers: Workers) -> None:
    first = await workers.run(pid_after, 0.0)
    assert first != os.getpid()
    assert await workers.run(pid_after, 0.0) == first


async def test_dead_worker_is_one_clear_error_and_the_next_call_works(workers: Workers) -> None:
    with pytest.raises(AppError) as raised:
        await workers.run(die)
    assert (raised.value.code, raised.value.status) == ("worker-died", 503)
    assert await workers.run(pid_after, 0.0) > 0


async def test_deadline_kills_the_worker(workers: Workers) -> None:
    pid = await workers.run(pid_after, 0.0)
    workers.timeout = 0.2
    with pytest.raises(AppError) as raised:
        await workers.run(pid_after, 60.0)
    assert raised.value.code == "analysis-timeout"
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)
    workers.timeout = 20
    assert await workers.run(pid_after, 0.0) != pid


async def test_event_loop_stays_free(workers: Workers) -> None:
    await workers.run(pid_after, 0.0)
    gaps = []

    async def tick() -> None:
        while True:
            began = anyio.current_time()
            await anyio.sleep(0.01)
            gaps.append(anyio.current_time() - began)

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(tick)
        await workers.run(pid_after, 0.5)
        tasks.cancel_scope.cancel()
    assert len(gaps) > 10
    assert sorted(gaps)[len(gaps) // 2] < 0.1


async def test_too_long_a_queue_is_refused() -> None:
    workers = Workers(1, queue=1, timeout=20)
    refused = []

    async def call() -> None:
        try:
            await workers.run(pid_after, 0.3)
        except AppError as error:
            refused.append(error.code)

    async with anyio.create_task_group() as tasks:
        for _ in range(3):
            tasks.start_soon(call)
    assert refused == ["server-busy"]


async def test_engine_error_comes_back_whole(workers: Workers) -> None:
    with pytest.raises(BtfDecodeError) as raised:
        await workers.run(fail_in_the_engine)
    assert (raised.value.at, raised.value.place) == (3, "byte 0x3 of .BTF")


@pytest.mark.parametrize("hungry", [go_too_deep, take_memory])
async def test_exhaustion_is_a_limit_not_a_fault(workers: Workers, hungry: object) -> None:
    with pytest.raises(AppError) as raised:
        await workers.run(hungry)  # type: ignore[arg-type]
    assert (raised.value.code, raised.value.status) == ("limit-exceeded", 413)


async def test_our_own_mistake_brings_its_traceback(workers: Workers) -> None:
    with pytest.raises(WorkerSurprise, match="make_a_mistake"):
        await workers.run(make_a_mistake)


async def test_loss_of_a_worker_is_told_once(workers: Workers) -> None:
    with pytest.raises(AppError):
        await workers.run(die)
    with anyio.fail_after(1):
        await workers.wait_for_loss()
    with pytest.raises(TimeoutError), anyio.fail_after(0.1):
        await workers.wait_for_loss()


async def test_each_worker_is_called(workers: Workers, tmp_path: Path) -> None:
    await workers.in_each(leave_a_mark, tmp_path)
    assert len(list(tmp_path.iterdir())) == 2
