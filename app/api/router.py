"""All routes of the JSON API, /healthz and the page that describes them."""

from __future__ import annotations

from fastapi import APIRouter

from app.api import analyses, catalog, checks, describe, health, jobs, types, verifications

router = APIRouter()
router.include_router(analyses.router, prefix="/api/v1")
router.include_router(checks.router, prefix="/api/v1")
router.include_router(catalog.router, prefix="/api/v1")
router.include_router(types.router, prefix="/api/v1")
router.include_router(verifications.router, prefix="/api/v1")
router.include_router(jobs.router, prefix="/api/v1")
router.include_router(health.router)
router.include_router(describe.router)
