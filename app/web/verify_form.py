"""What a form asks of real verifiers: the very object that the result on the page is of."""

from __future__ import annotations

from dataclasses import replace
from typing import Final, cast

from fastapi import Request

from app.errors import AppError
from app.services.analyse import Analyses
from app.services.verification import INPUT_BYTES, LogLevel, VerifyRequest, VerifyResult
from app.web import again
from app.web.reading import Asked

_ZEROS: Final = "zeros:"
LEVELS: Final[dict[str, LogLevel]] = {"0": 0, "1": 1, "2": 2}


async def field(request: Request, name: str) -> str:
    """Give a field of the form, empty where there is none."""
    found = (await request.form()).get(name)
    return found.strip()[:200] if isinstance(found, str) else ""


async def read_request(request: Request, asked: Asked) -> VerifyRequest:
    """Turn the form into what the service takes: the very object that the result is of."""
    analyses = cast("Analyses", request.app.state.analyses)
    analysis = await analyses.analyse(asked.request())
    kernel = await field(request, "v-guest") or asked.choices.shown_kernel
    kernel = "all" if "all" in request.query_params else kernel
    loader = await field(request, "v-loader")
    program = await field(request, "v-program")
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
        log_level=LEVELS.get(await field(request, "v-log"), 0),
        input=_input(await field(request, "v-input")) if await field(request, "v-run") else None,
        real=bool(await field(request, "v-real")),
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


def narrowed(request: VerifyRequest, row: VerifyResult, level: LogLevel) -> VerifyRequest:
    """Ask about one result only."""
    judge = row.subject.judge
    kernel = judge.asked if judge.note else judge.guest.id
    program = replace(request.program, kernels=(kernel,), loaders=(row.subject.loader,))
    names = (row.subject.program,)
    return replace(request, program=program, programs=names, log_level=level, real=False)
