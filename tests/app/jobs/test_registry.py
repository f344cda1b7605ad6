"""Jobs: started, found again, cancelled, forgotten; each ends with a last event."""

from __future__ import annotations

import anyio
import pytest

from app.jobs.registry import Job, Jobs, TooManyJobs

pytestmark = pytest.mark.anyio


def told(error: Exception) -> dict[str, object]:
    return {"message": str(error)}


async def nothing(job: Job) -> None:
    job.result, job.bytes = "a result", 8


async def endless(job: Job) -> None:
    job.log.append("started")
    await anyio.sleep_forever()


async def finished(job: Job) -> Job:
    async for _ in job.log.follow():
        pass
    await anyio.lowlevel.checkpoint()
    return job


async def test_a_job_is_done_and_can_be_found():
    jobs = Jobs()
    async with jobs.running():
        job = await finished(jobs.start("verify", nothing, told))
    assert jobs.get(job.id) is job
    assert job.log.state == "done"
    assert job.result == "a result"
    assert jobs.get("another") is None


async def test_a_cancelled_job_says_so():
    jobs = Jobs()
    async with jobs.running():
        job = jobs.start("verify", endless, told)
        await anyio.wait_all_tasks_blocked()
        assert job.cancel()
        await finished(job)
        assert not job.cancel()
    assert [event.kind for event in job.log.events] == ["queued", "started", "cancelled"]


async def test_a_job_is_cancelled_before_it_began():
    jobs = Jobs()
    async with jobs.running():
        job = jobs.start("verify", endless, told)
        job.cancel()
        await finished(job)
    assert job.log.state == "cancelled"


async def test_an_exception_is_an_event():
    async def fails(job: Job) -> None:
        raise ValueError("no")

    jobs = Jobs()
    async with jobs.running():
        job = await finished(jobs.start("verify", fails, told))
    assert job.log.events[-1].data == {"message": "no"}
    assert job.log.state == "failed"


async def test_jobs_end_with_the_server():
    jobs = Jobs()
    async with jobs.running():
        job = jobs.start("verify", endless, told)
        await anyio.wait_all_tasks_blocked()
    assert job.log.state == "cancelled"
    with pytest.raises(TooManyJobs):
        jobs.start("verify", nothing, told)


async def test_no_more_than_so_many_run_at_a_time():
    jobs = Jobs(running=2)
    async with jobs.running():
        kept = [jobs.start("verify", endless, told) for _ in range(2)]
        with pytest.raises(TooManyJobs):
            jobs.start("verify", nothing, told)
        kept[0].cancel()
        await finished(kept[0])
        assert jobs.start("verify", nothing, told)


@pytest.mark.parametrize(
    ("bounds", "kept"), [({"kept": 2}, 2), ({"most": 20}, 2), ({"seconds": 0}, 0), ({}, 4)]
)
async def test_old_jobs_are_forgotten(bounds: dict[str, int], kept: int):
    jobs = Jobs(**bounds)  # type: ignore[arg-type]
    async with jobs.running():
        ids = [(await finished(jobs.start("verify", nothing, told))).id for _ in range(4)]
        found = [jobs.get(job_id) is not None for job_id in ids]
    assert found == [False] * (4 - kept) + [True] * kept
