"""POST /api/v1/checks: verdicts and findings for many kernels, as `coreplay check` gives them."""

from __future__ import annotations

from typing import Literal

from fastapi import APIRouter, Request
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import Response

from app.api.analyses import asked
from app.api.models import EXAMPLE_SOURCE, AnalysisIn, ErrorOut
from app.services.checks import checked
from app.views.check_json import check_json_text
from engine.flow.verdict import VerdictKind

router = APIRouter(tags=["checks"])


class CheckIn(AnalysisIn):
    """C source or an object; kernels and loaders may be left out."""

    model_config = ConfigDict(
        extra="forbid",
        strict=True,
        json_schema_extra={
            "examples": [{"source": EXAMPLE_SOURCE, "kernels": ["all"], "loaders": ["cilium"]}]
        },
    )

    kernels: list[str] = Field(["all"], description="Ids of kernels, or `all`.")
    loaders: list[str] = Field(
        default_factory=list,
        description="Ids of loaders, a family for its newest version, or `all`; the newest "
        "libbpf and cilium/ebpf when left out.",
    )


class FindingOut(BaseModel):
    """What one lint rule found; see docs/lint.md."""

    rule: str = Field(examples=["reachable-poison"])
    severity: Literal["error", "warning", "note"]
    program: str
    message: str
    function: str
    slot: int | None = Field(description="In the function, before relocation.")
    line: int = Field(description="0 where it is not known.")
    file: str
    relocation: str
    hint: str


class CheckResultOut(BaseModel):
    """One program on one kernel under one loader."""

    program: str
    kernel: str
    loader: str
    verdict: VerdictKind
    headline: str
    findings: list[FindingOut]


class SkippedOut(BaseModel):
    """A kernel that was left out."""

    kernel: str
    reason: str


class SettingOut(BaseModel):
    """An extern in .kconfig and what was given for it; null where nothing was."""

    name: str
    given: str | None


class CheckOut(BaseModel):
    """All results, by kernel, then loader, then program."""

    results: list[CheckResultOut]
    skipped: list[SkippedOut]
    kconfig: list[SettingOut]


@router.post(
    "/checks",
    response_model=CheckOut,
    summary="Judge and lint a program",
    response_description="One result for each program, kernel and loader.",
    responses={
        413: {"model": ErrorOut, "description": "Source, object or body too large."},
        422: {"model": ErrorOut, "description": "The input is wrong; the code says how."},
        503: {"model": ErrorOut, "description": "No worker, or no jail to compile in."},
    },
)
async def check(body: CheckIn, request: Request) -> Response:
    """Compile C once (or take an object) and check it on all kernels of its byte order."""
    state = request.app.state
    answer = await checked(asked(body), state.workers, state.settings, check_json_text)
    return Response(answer, media_type="application/json")
