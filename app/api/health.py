"""GET /healthz: for load balancers and container health checks."""

from __future__ import annotations

from fastapi import APIRouter

from app.api.models import HealthOut
from app.version import version

router = APIRouter(tags=["health"])


@router.get("/healthz", summary="Is the server up?", response_description="It is.")
async def health() -> HealthOut:
    """Answer as soon as requests are served; workers may still be warming up."""
    return HealthOut(status="ok", version=version())
