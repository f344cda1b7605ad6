"""POST /api/v1/verifications: what real kernels say of a program, as a job."""

from __future__ import annotations

import base64
import binascii
from typing import Final, Literal, cast

from fastapi import APIRouter, Request
from pydantic import ConfigDict, Field
from starlette.responses import Response

from app.api.analyses import asked
from app.api.jobs import JobOut
from app.api.models import EXAMPLE_SOURCE, AnalysisIn, ErrorOut
from app.errors import AppError
from app.services.jobs import VerificationJobs
from app.services.verification import INPUT_BYTES, VerifyRequest, VerifyResult
from app.views.verify_json import Row, api_row

router = APIRouter(tags=["verifications"])

LOG_IN_EVENT: Final = 16 << 10
"""Characters of a log that an event brings along; longer ones are fetched."""


class VerificationIn(AnalysisIn):
    """C source or an object, guest kernels and loaders."""

    model_config = ConfigDict(
        extra="forbid",
        strict=True,
        json_schema_extra={
            "examples": [
                {
                    "source": EXAMPLE_SOURCE,
                    "kernels": ["6.1"],
                    "loaders": ["libbpf@1.7.0", "cilium@0.13.0"],
                    "log_level": 2,
                }
            ]
        },
    )

    kernels: list[str] = Field(
        ["all"], description="Guest kernels: ids, series such as `6.1`, or `all`."
    )
    loaders: list[str] = Field(
        default_factory=list,
        description="Ids of loaders, a family for its newest version, or `all`; the newest "
        "libbpf and cilium/ebpf when left out.",
    )
    programs: list[str] = Field(
        default_factory=list, max_length=64, description="Names of programs; all when left out."
    )
    log_level: Literal[0, 1, 2] = Field(0, description="Of the verifier's log; 0: verdicts only.")
    input_base64: str | None = Field(
        None, description="Input of BPF_PROG_TEST_RUN; programs are not run when left out."
    )
    real: bool = Field(False, description="Let the loaders themselves load it in the guest, too.")


@router.post(
    "/verifications",
    status_code=202,
    response_model=JobOut,
    summary="Ask real kernels",
    response_description="The job; follow its events.",
    responses={
        413: {"model": ErrorOut, "description": "Source, object or body too large."},
        422: {"model": ErrorOut, "description": "The input is wrong, or no guest is installed."},
        503: {"model": ErrorOut, "description": "Too many verifications are under way."},
    },
)
async def verify(body: VerificationIn, request: Request, response: Response) -> JobOut:
    """Load the program into disposable VMs, and give the job that does it.

    Programs are loaded and never attached. The `Location` header leads to the job.
    """
    service = cast("VerificationJobs", request.app.state.verifications)
    job = service.start(verify_request(body), event_row)
    response.headers["Location"] = f"/api/v1/jobs/{job.id}"
    return JobOut(id=job.id, kind=job.kind, state=job.log.state, results=[])


def verify_request(body: VerificationIn) -> VerifyRequest:
    """Turn a request body into what the service takes."""
    return VerifyRequest(
        asked(body),
        programs=tuple(body.programs),
        log_level=body.log_level,
        input=None if body.input_base64 is None else _input(body.input_base64),
        real=body.real,
    )


def event_row(result: VerifyResult) -> Row:
    """Give a result as an event's data, without a log that is long."""
    return api_row(result, log=len(result.log) <= LOG_IN_EVENT)


def _input(text: str) -> bytes:
    try:
        data = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as problem:
        raise AppError(
            f"The input is not base64: {problem}", code="bad-request", place="input_base64"
        ) from None
    if len(data) > INPUT_BYTES:
        raise AppError(
            f"The input has {len(data)} bytes; {INPUT_BYTES} are the limit",
            code="bad-request",
            place="input_base64",
        )
    return data
