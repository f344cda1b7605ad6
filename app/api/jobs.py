"""/api/v1/jobs/{id}: a job's state and results, its events as they come, its end."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Annotated, Literal, cast

from fastapi import APIRouter, Depends, Header, Request
from fastapi.sse import EventSourceResponse, ServerSentEvent
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import PlainTextResponse

from app.api.models import ErrorOut
from app.errors import AppError
from app.services.jobs import Job, Results, VerificationJobs
from app.services.verification import VerifyResult
from app.views.verify_json import api_row

router = APIRouter(
    tags=["jobs"],
    responses={
        404: {"model": ErrorOut, "description": "No job."},
        422: {"model": ErrorOut, "description": "A number is none."},
    },
)


class VerifyResultOut(BaseModel):
    """One program under one loader on one guest kernel."""

    model_config = ConfigDict(extra="forbid")

    program: str
    section: str
    kernel: str = Field(description="The guest that judged.")
    asked: str = Field(description="The kernel that was asked for.")
    note: str = Field(description="How the two differ, if they do.")
    loader: str
    by: Literal["engine", "real"]
    loaded: bool | None = Field(description="null: the kernel was not asked.")
    errno: int | None
    code: str = Field(description="Why the kernel was not asked: loader-refused, not-supported ...")
    retval: int | None = Field(description="Of the test run.")
    run_error: str
    log: str | None = Field(None, description="Left out where it is long; see .../log.")
    log_bytes: int
    log_truncated: bool
    ms: float | None
    verdict: str = Field(description="What the engine says; see docs/flow.md.")
    headline: str
    verified_instructions: int | None
    peak_states: int | None
    total_states: int | None
    same_bytes: bool | None
    remarks: list[str]


class JobOut(BaseModel):
    """A job; `results` has what is there so far, null where the answer is still out."""

    id: str
    kind: str
    state: Literal["queued", "running", "done", "failed", "cancelled"]
    results: list[VerifyResultOut | None]
    error: dict[str, object] | None = None


def _job(job: str, request: Request) -> Job:
    """Find a job."""
    service = cast("VerificationJobs", request.app.state.verifications)
    found = service.jobs.get(job)
    if found is None:
        raise AppError(
            "There is no such job, or it has been forgotten",
            code="job-unknown",
            place="job",
            hint="Finished jobs are kept for half an hour.",
        )
    return found


FoundJob = Annotated[Job, Depends(_job)]


@router.get("/jobs/{job}", summary="Look at a job", response_model=JobOut)
async def show(found: FoundJob) -> JobOut:
    """Give a job's state, and its results with their logs."""
    rows = found.result.rows if isinstance(found.result, Results) else []
    last = found.log.events[-1]
    return JobOut(
        id=found.id,
        kind=found.kind,
        state=found.log.state,
        results=[_out(row) for row in rows],
        error=cast("dict[str, object]", last.data["error"]) if last.kind == "failed" else None,
    )


def _out(row: VerifyResult | None) -> VerifyResultOut | None:
    return None if row is None else VerifyResultOut.model_validate(api_row(row))


@router.get("/jobs/{job}/events", summary="Follow a job", response_class=EventSourceResponse)
async def events(
    found: FoundJob, last_event_id: Annotated[int | None, Header()] = None
) -> AsyncIterator[ServerSentEvent]:
    """Send a job's events as server-sent events, from the first, or from behind Last-Event-ID.

    The last one is done, failed or cancelled.
    """
    async for event in found.log.follow(last_event_id or 0):
        yield ServerSentEvent(data=dict(event.data), event=event.kind, id=str(event.id))


@router.get(
    "/jobs/{job}/results/{number}/log", summary="Fetch a log", response_class=PlainTextResponse
)
async def log(found: FoundJob, number: int) -> PlainTextResponse:
    """Give one result's log as a file."""
    rows = found.result.rows if isinstance(found.result, Results) else []
    row = rows[number] if 0 <= number < len(rows) else None
    if row is None:
        raise AppError("There is no such result yet", code="not-found", place="number")
    subject = row.subject
    name = f"{subject.program}-{subject.judge.guest.id}-{subject.loader}.log"
    safe = "".join(c if c.isascii() and (c.isalnum() or c in "._+-") else "_" for c in name)
    headers = {"Content-Disposition": f'attachment; filename="{safe}"'}
    return PlainTextResponse(row.log, headers=headers)


@router.delete("/jobs/{job}", summary="Cancel a job", status_code=204)
async def cancel(found: FoundJob) -> None:
    """Stop a job; one that has ended stays as it is."""
    found.cancel()
