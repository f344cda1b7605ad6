"""The pages: one router a page family, and how an error becomes a page."""

from __future__ import annotations

from fastapi import APIRouter

from app.web import (
    analyse,
    cards,
    docs,
    graph,
    home,
    kernel_diff,
    kernels,
    loaders,
    log,
    matrix,
    relocation,
    types,
    verify,
    verify_log,
)
from app.web.errors import render_error

__all__ = ["render_error", "router"]

router = APIRouter()
router.include_router(home.router)
router.include_router(analyse.router)
router.include_router(loaders.router)
router.include_router(log.router)
router.include_router(docs.router)
router.include_router(kernel_diff.router)
router.include_router(kernels.router)
router.include_router(types.router)
router.include_router(cards.router)
router.include_router(relocation.router)
router.include_router(graph.router)
router.include_router(matrix.router)
router.include_router(verify.router)
router.include_router(verify_log.router)
