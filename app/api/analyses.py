"""POST /api/v1/analyses: what loaders make of a program on kernels."""

from __future__ import annotations

import base64
import binascii
from typing import Final, cast

from fastapi import APIRouter, Request
from starlette.responses import Response

from app.api.models import AnalysisIn, AnalysisOut, ErrorOut
from app.errors import AppError
from app.services.analyse import Analyses
from app.services.analysis import AnalysisRequest
from app.views.analysis_json import analysis_bytes

router = APIRouter(tags=["analyses"])

SOURCE_NAME: Final = "main.bpf.c"


@router.post(
    "/analyses",
    response_model=AnalysisOut,
    summary="Relocate a program",
    response_description="What each loader makes of it on each kernel.",
    responses={
        413: {"model": ErrorOut, "description": "Source, object or body too large."},
        422: {"model": ErrorOut, "description": "The input is wrong; the code says how."},
        503: {"model": ErrorOut, "description": "No worker, or no jail to compile in."},
    },
)
async def relocate(body: AnalysisIn, request: Request) -> Response:
    """Compile C (or take an object) and run each loader on each kernel; nothing is stored.

    A loader that refuses the program is an answer (status 200, the error of its run); input
    that cannot be analysed is an error (status 4xx).
    """
    analyses = cast("Analyses", request.app.state.analyses)
    answer = await analyses.rendered(asked(body), analysis_bytes)
    return Response(answer, media_type="application/json")


def asked(body: AnalysisIn) -> AnalysisRequest:
    """Turn a request body into what the service takes."""
    given = [body.source is not None, body.files is not None, body.object_base64 is not None]
    if sum(given) != 1:
        raise AppError(
            "Give exactly one of source, files and object_base64",
            code="source-missing" if not any(given) else "bad-request",
            place="body",
        )
    files = {SOURCE_NAME: body.source} if body.source is not None else body.files or {}
    return AnalysisRequest(
        files=files,
        object=None if body.object_base64 is None else _decoded(body.object_base64),
        object_name=body.object_name,
        kernels=tuple(body.kernels),
        loaders=tuple(body.loaders),
        modules=tuple(body.modules),
        kconfig=tuple(body.kconfig),
        clang=body.clang,
        cpu=body.cpu,
        byte_order=body.byte_order,
        opt=body.opt,
        defines=tuple(body.defines),
    )


def _decoded(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as problem:
        raise AppError(
            f"The object is not base64: {problem}", code="object-not-base64", place="object_base64"
        ) from None
