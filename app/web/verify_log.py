"""/verify/JOB/log/NUMBER: a verifier's log by pages, and the registers around its lines."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Final

import anyio.to_thread
from fastapi import APIRouter, Request
from starlette.responses import Response

from app.services.jobs import Job, Results
from app.services.verification import VerifyRequest, VerifyResult
from app.services.verify_logs import PAGE, OpenLog, OpenLogs
from app.views.verify_page_log import LogPage, log_page, state_view
from app.web import again
from app.web.show import show
from app.web.verify_jobs import job_of, results_of, row_of, waiting

router = APIRouter(include_in_schema=False)
_LOGS: Final = OpenLogs()


@dataclass(frozen=True, slots=True)
class _Place:
    """Where in a log to look: a page or line (from 1), an instruction, some text."""

    page: int = 0
    line: int = 0
    insn: str = ""
    find: str = ""
    fn: str = ""


@router.get("/verify/{job}/log/{number}")
async def log(request: Request, job: str, number: int) -> Response:
    """Show a page of a log: that of the error unless another is asked for."""
    found = job_of(request, job)
    place = _place(request)
    results = found.result if isinstance(found.result, Results) else None
    if not found.log.finished and (
        results is None or number >= len(results.rows) or results.rows[number] is None
    ):
        return await again.show_part(request, "verify_job", waiting(found, number, place.fn))
    results = results_of(found)
    build = partial(_log_page, found, number, row_of(results, number), results.request, place)
    page = await anyio.to_thread.run_sync(build)
    return await again.show_part(request, "verify_log", page)


@router.get("/verify/{job}/log/{number}/state/{line}")
async def state(request: Request, job: str, number: int, line: int) -> Response:
    """Show the registers around a line, for scripts to put beside the log."""
    row = row_of(results_of(job_of(request, job)), number)

    def known() -> object:
        found = _LOGS.get(job, number, row).known(line - 1)
        return None if found is None else state_view(found)

    model = {"state": await anyio.to_thread.run_sync(known)}
    return await show(request, "parts/_verify_state.html", model)


def _log_page(
    job: Job, number: int, row: VerifyResult, request: VerifyRequest, place: _Place
) -> LogPage:
    opened = _LOGS.get(job.id, number, row)
    # What is refused is loaded again for a log of level 1 where none was asked for.
    level = request.log_level or (row.loaded is False)
    line, found = _look(opened, place)
    page = place.page - 1 if place.page and line is None else (line or 0) // PAGE
    return log_page(
        job.id, number, row, level, opened,
        page=min(max(page, 0), max(opened.pages - 1, 0)), line=line,
        find=place.find or place.insn, found=found, fn=place.fn,
    )  # fmt: skip


def _look(opened: OpenLog, place: _Place) -> tuple[int | None, str]:
    """Find the line that is meant, and say what became of the search."""
    after = place.line - 1
    words = place.find.strip()
    number = place.insn.strip() or words.removeprefix("insn ").strip()
    if number.isdecimal() and len(number) < 10:
        line = opened.of_insn(int(number), after)
        return line, "" if line is not None else f"Instruction {number} is not in this log."
    if words:
        line = opened.containing(words, after)
        return line, "" if line is not None else "No line has this text."
    if place.line:
        return min(after, max(len(opened.lines) - 1, 0)), ""
    if place.page or opened.error is None:
        return None, ""
    near = opened.before(opened.error)
    return (near if near is not None and near // PAGE == opened.error // PAGE else opened.error), ""


def _place(request: Request) -> _Place:
    query = request.query_params
    return _Place(
        again.number(request, "page") or 0,
        again.number(request, "line") or 0,
        query.get("insn", "")[:12],
        query.get("find", "")[:200],
        query.get("fn", "")[:200],
    )
