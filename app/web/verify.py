"""/verify: programs before real verifiers, as a job with a page; its logs, by pages."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from typing import Annotated, Final, cast

import anyio.to_thread
from fastapi import APIRouter, Form, Query, Request
from starlette.responses import RedirectResponse, Response

from app.errors import AppError
from app.services.analyse import Analyses
from app.services.jobs import Job, Results, VerificationJobs
from app.services.verification import INPUT_BYTES, LogLevel, VerifyRequest, VerifyResult
from app.services.verify_logs import PAGE, OpenLog, OpenLogs
from app.views.failure import Failure
from app.views.verify_json import Row, api_row
from app.views.verify_page import JobPage, job_page
from app.views.verify_page_log import LogPage, log_page, state_view
from app.web import again
from app.web.htmx import is_partial
from app.web.reading import Asked
from app.web.show import show

router = APIRouter(include_in_schema=False)
_LOGS: Final = OpenLogs()
_ZEROS: Final = "zeros:"
_LEVELS: Final[dict[str, LogLevel]] = {"0": 0, "1": 1, "2": 2}
Fn = Annotated[str, Query(max_length=200)]


@router.post("/verify")
async def ask(request: Request) -> Response:
    """Begin a verification of what the form holds, and lead to its page."""
    asked = await again.read(request)
    missing = await again.absent(request, asked)
    if missing is not None:
        return missing
    try:
        wanted = await _request(request, asked)
        job = _service(request).start(wanted, _event)
    except AppError as error:
        return await again.refused(request, asked, error)
    if not is_partial(request):
        return RedirectResponse(f"/verify/{job.id}", 303)
    return await show(request, "parts/_verify_job.html", _page(job, await _field(request, "v-fn")))


@router.get("/verify/{job}")
async def job_view(request: Request, job: str, fn: Fn = "") -> Response:
    """Show a verification, under way or finished."""
    return await again.show_part(request, "verify_job", _page(_job(request, job), fn))


@router.post("/verify/{job}/cancel")
async def cancel(request: Request, job: str) -> Response:
    """Stop a verification; one that has ended stays as it is."""
    _job(request, job).cancel()
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
    results = _results(_job(request, job))
    narrowed = _narrowed(results.request, _row(results, number), _LEVELS.get(level, 1))
    new = _service(request).start(narrowed, _event)
    if is_partial(request):
        return await show(request, "parts/_verify_job.html", _waiting(new, 0, fn))
    return RedirectResponse(f"/verify/{new.id}/log/0", 303)


@dataclass(frozen=True, slots=True)
class _Place:
    """Where in a log to look: a page or line (from 1), an instruction, some text."""

    page: Annotated[int, Query(ge=1, le=1_000_000)] = 0
    line: Annotated[int, Query(ge=1, le=100_000_000)] = 0
    insn: Annotated[str, Query(max_length=12)] = ""
    find: Annotated[str, Query(max_length=200)] = ""
    fn: Fn = ""


@router.get("/verify/{job}/log/{number}")
async def log(request: Request, job: str, number: int) -> Response:
    """Show a page of a log: that of the error unless another is asked for."""
    found = _job(request, job)
    place = _place(request)
    results = found.result if isinstance(found.result, Results) else None
    if not found.log.finished and (
        results is None or number >= len(results.rows) or results.rows[number] is None
    ):
        return await again.show_part(request, "verify_job", _waiting(found, number, place.fn))
    results = _results(found)
    build = partial(_log_page, found, number, _row(results, number), results.request, place)
    page = await anyio.to_thread.run_sync(build)
    return await again.show_part(request, "verify_log", page)


@router.get("/verify/{job}/log/{number}/state/{line}")
async def state(request: Request, job: str, number: int, line: int) -> Response:
    """Show the registers around a line, for scripts to put beside the log."""
    row = _row(_results(_job(request, job)), number)

    def known() -> object:
        found = _LOGS.get(job, number, row).known(line - 1)
        return None if found is None else state_view(found)

    model = {"state": await anyio.to_thread.run_sync(known)}
    return await show(request, "parts/_verify_state.html", model)


def _log_page(
    job: Job, number: int, row: VerifyResult, request: VerifyRequest, place: _Place
) -> LogPage:
    opened = _LOGS.get(job.id, number, row)
    line, found = _look(opened, place)
    page = place.page - 1 if place.page and line is None else (line or 0) // PAGE
    return log_page(
        job.id, number, row, request.log_level, opened,
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


def _service(request: Request) -> VerificationJobs:
    return cast("VerificationJobs", request.app.state.verifications)


def _job(request: Request, job: str) -> Job:
    found = _service(request).jobs.get(job)
    if found is None:
        raise AppError(
            "There is no such verification, or it has been forgotten",
            code="job-unknown",
            place="job",
            hint="Finished ones are kept for half an hour; ask again from the program's result.",
        )
    return found


def _results(job: Job) -> Results:
    if not isinstance(job.result, Results):
        raise AppError("There is no such result yet", code="not-found", place="number")
    return job.result


def _row(results: Results, number: int) -> VerifyResult:
    row = results.rows[number] if 0 <= number < len(results.rows) else None
    if row is None:
        raise AppError("There is no such result yet", code="not-found", place="number")
    return row


def _page(job: Job, fn: str = "") -> JobPage:
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


def _waiting(job: Job, number: int, fn: str) -> JobPage:
    """A job's page that turns into a log once that is there."""
    return replace(_page(job, fn), url=f"/verify/{job.id}/log/{number}")


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


def _event(result: VerifyResult) -> Row:
    return api_row(result, log=False)


async def _field(request: Request, name: str) -> str:
    found = (await request.form()).get(name)
    return found.strip()[:200] if isinstance(found, str) else ""


async def _request(request: Request, asked: Asked) -> VerifyRequest:
    """Turn the form into what the service takes: the very object that the result is of."""
    analyses = cast("Analyses", request.app.state.analyses)
    analysis = await analyses.analyse(asked.request())
    kernel = await _field(request, "v-guest") or asked.choices.shown_kernel
    kernel = "all" if "all" in request.query_params else kernel
    loader = await _field(request, "v-loader")
    program = await _field(request, "v-program")
    sides = asked.choices.compared or ()
    loaders = tuple(dict.fromkeys(side.loader for side in sides)) or asked.choices.loaders
    return VerifyRequest(
        replace(
            asked.request(),
            files={},
            object=again.object_of(asked, analysis),
            kernels=(kernel,),
            loaders=(loader,) if loader else loaders,
        ),
        programs=(program,) if program else (),
        log_level=_LEVELS.get(await _field(request, "v-log"), 0),
        input=_input(await _field(request, "v-input")) if await _field(request, "v-run") else None,
        real=bool(await _field(request, "v-real")),
    )


def _input(text: str) -> bytes:
    """Read `zeros:64`, or bytes in hex; raises AppError."""
    count = text.removeprefix(_ZEROS)
    if text.startswith(_ZEROS) and count.isdecimal() and int(count[:9]) <= INPUT_BYTES:
        return bytes(int(count))
    try:
        if len(text) <= 200:
            return bytes.fromhex(text)
    except ValueError:
        pass
    raise AppError(
        f"{text[:40]!r} is no input for a run",
        code="bad-request",
        place="v-input",
        hint=f"Say zeros:64, at most zeros:{INPUT_BYTES}, or the bytes in hex.",
    )


def _narrowed(request: VerifyRequest, row: VerifyResult, level: LogLevel) -> VerifyRequest:
    """Ask about one result only."""
    judge = row.subject.judge
    kernel = judge.asked if judge.note else judge.guest.id
    program = replace(request.program, kernels=(kernel,), loaders=(row.subject.loader,))
    names = (row.subject.program,)
    return replace(request, program=program, programs=names, log_level=level, real=False)
