"""/verify: programs before real verifiers, as a job with a page."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Form, Query, Request
from starlette.responses import RedirectResponse, Response

from app.errors import AppError
from app.services.verification import VerifyResult
from app.views.verify_json import Row, api_row
from app.web import again
from app.web.htmx import is_partial
from app.web.show import show
from app.web.verify_form import LEVELS, field, narrowed, read_request
from app.web.verify_jobs import job_of, page_of, results_of, row_of, service, waiting

router = APIRouter(include_in_schema=False)
Fn = Annotated[str, Query(max_length=200)]


@router.post("/verify")
async def ask(request: Request) -> Response:
    """Begin a verification of what the form holds, and lead to its page."""
    asked = await again.read(request)
    missing = await again.absent(request, asked)
    if missing is not None:
        return missing
    try:
        wanted = await read_request(request, asked)
        job = service(request).start(wanted, _event)
    except AppError as error:
        return await again.refused(request, asked, error)
    if not is_partial(request):
        return RedirectResponse(f"/verify/{job.id}", 303)
    return await show(request, "parts/_verify_job.html", page_of(job, await field(request, "v-fn")))


@router.get("/verify/{job}")
async def job_view(request: Request, job: str, fn: Fn = "") -> Response:
    """Show a verification, under way or finished."""
    return await again.show_part(request, "verify_job", page_of(job_of(request, job), fn))


@router.post("/verify/{job}/cancel")
async def cancel(request: Request, job: str) -> Response:
    """Stop a verification; one that has ended stays as it is."""
    job_of(request, job).cancel()
    return RedirectResponse(f"/verify/{job}", 303)


@router.post("/verify/{job}/again")
async def ask_again(
    request: Request,
    job: str,
    number: Annotated[int, Form()],
    level: Annotated[str, Form()],
    fn: Annotated[str, Form(max_length=200)] = "",
) -> Response:
    """Ask about one result again, for a log of another level, and lead to that."""
    results = results_of(job_of(request, job))
    wanted = narrowed(results.request, row_of(results, number), LEVELS.get(level, 1))
    new = service(request).start(wanted, _event)
    if is_partial(request):
        return await show(request, "parts/_verify_job.html", waiting(new, 0, fn))
    return RedirectResponse(f"/verify/{new.id}/log/0", 303)


def _event(result: VerifyResult) -> Row:
    return api_row(result, log=False)
