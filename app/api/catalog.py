"""What can be chosen: kernels, loaders, compilers."""

from __future__ import annotations

from dataclasses import asdict

from anyio import to_thread
from fastapi import APIRouter, Request

from app.api.models import (
    ClangOut,
    ClangsOut,
    ErrorOut,
    KernelOut,
    KernelsOut,
    LoaderOut,
    LoadersOut,
)
from app.errors import from_engine
from app.services import choices
from engine.errors import KernelUnknown

router = APIRouter(tags=["choices"])


@router.get("/kernels", summary="Kernel snapshots", response_description="All kernels.")
async def kernels(request: Request) -> KernelsOut:
    """List the kernels that programs can be relocated against."""
    known = choices.kernels(request.app.state.settings)
    return KernelsOut(kernels=[KernelOut(**asdict(kernel)) for kernel in known])


@router.get(
    "/kernels/{kernel}",
    summary="One kernel",
    response_description="The kernel.",
    responses={
        404: {
            "model": ErrorOut,
            "description": "No kernel has this id; the hint names the nearest.",
        },
        422: {"model": ErrorOut, "description": "The id is no text."},
    },
)
async def kernel(kernel: str, request: Request) -> KernelOut:
    """Describe one kernel."""
    try:
        return KernelOut(**asdict(choices.kernel(request.app.state.settings, kernel)))
    except KernelUnknown as unknown:
        error = from_engine(unknown)
        error.status = 404  # here the URL names it
        raise error from None


@router.get("/loaders", summary="Loader versions", response_description="All loaders.")
async def loaders() -> LoadersOut:
    """List the loader versions that can be asked."""
    return LoadersOut(loaders=[LoaderOut(**asdict(loader)) for loader in choices.loaders()])


@router.get("/clangs", summary="Compilers", response_description="All compilers.")
async def clangs() -> ClangsOut:
    """List the compilers of this machine, newest first, and whether they may be used."""
    found = await to_thread.run_sync(choices.compilers)
    return ClangsOut(
        clangs=[ClangOut(major=c.major, version=c.version) for c in found.clangs],
        jail=found.jail,
    )
