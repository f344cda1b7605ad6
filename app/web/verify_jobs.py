"""Verifications as pages need them: found by their id, presented with what is under way."""

from __future__ import annotations

from dataclasses import replace
from typing import cast

from fastapi import Request

from app.errors import AppError
from app.services.jobs import Job, Results, VerificationJobs
from app.services.verification import VerifyResult
from app.views.failure import Failure
from app.views.verify_page import JobPage, job_page


def service(request: Request) -> VerificationJobs:
    """Give what runs verifications."""
    return cast("VerificationJobs", request.app.state.verifications)


def job_of(request: Request, job: str) -> Job:
    """Find a job; raises AppError `job-unknown`."""
    found = service(request).jobs.get(job)
    if found is None:
        raise AppError(
            "There is no such verification, or it has been forgotten",
            code="job-unknown",
            place="job",
            hint="Finished ones are kept for half an hour; ask again from the program's result.",
        )
    return found


def results_of(job: Job) -> Results:
    """Give a job's results so far; raises AppError where it has not begun."""
    if not isinstance(job.result, Results):
        raise AppError("There is no such result yet", code="not-found", place="number")
    return job.result


def row_of(results: Results, number: int) -> VerifyResult:
    """Give one result; raises AppError where it is not there."""
    row = results.rows[number] if 0 <= number < len(results.rows) else None
    if row is None:
        raise AppError("There is no such result yet", code="not-found", place="number")
    return row


def page_of(job: Job, fn: str = "") -> JobPage:
    """Present a job; `fn` is the function that a result around it shows."""
    results = job.result if isinstance(job.result, Results) else None
    last = job.log.events[-1]
    problem = None
    if last.kind == "failed":
        error = cast("dict[str, str]", last.data["error"])
        problem = Failure(
            error["code"], "The real verifier was not asked", error["message"],
            error.get("place", ""), error.get("hint", ""),
        )  # fmt: skip
    return job_page(
        job.id,
        job.log.state,
        results.request if results else None,
        results.rows if results else (),
        _steps(job),
        problem,
        fn,
    )


def waiting(job: Job, number: int, fn: str) -> JobPage:
    """A job's page that turns into a log once that is there."""
    return replace(page_of(job, fn), url=f"/verify/{job.id}/log/{number}")


def _steps(job: Job) -> list[str]:
    """Say what each clone does that has not answered."""
    steps: dict[tuple[object, object], str] = {}
    planned = False
    for event in job.log.events:
        key = event.data.get("kernel"), event.data.get("loader")
        who = f"{key[0]}, {str(key[1]).replace('@', ' ')}"
        if event.kind == "place":
            steps[key] = f"{who}: place {event.data['place']} in line"
        elif event.kind == "started":
            steps[key] = f"{who}: a guest has it"
        elif event.kind == "result":
            steps.pop(key, None)
        planned = planned or event.kind == "planned"
    if not planned:
        return ["Relocating against the types of the kernels that judge"]
    return list(steps.values())
