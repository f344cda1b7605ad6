"""What of real verifiers a result offers; templates call it, so that other pages do not pay."""

from __future__ import annotations

from collections.abc import Iterable
from typing import cast

from starlette.requests import Request

from app.errors import AppError
from app.services.analyse import catalog
from app.services.jobs import VerificationJobs
from app.services.verification import GuestKernel, Judge
from app.services.verify_plan import choose_guests
from app.services.vm_loaders import real_loaders
from app.settings import Settings
from app.views.verify_page_offer import Offer, offer


def offered(request: Request, kernels: Iterable[str], loaders: Iterable[str]) -> Offer:
    """Give the menus for what a result shows; called in a thread."""
    state = request.app.state
    service = cast("VerificationJobs | None", getattr(state, "verifications", None))
    guests = service.installed() if service is not None else ()
    if not guests:
        return Offer()
    settings = cast("Settings", state.settings)
    judges = {kernel: _judge(settings, kernel, guests) for kernel in kernels}
    return offer(guests, judges, tuple(loaders), tuple(real_loaders(settings)))


def _judge(settings: Settings, kernel: str, guests: tuple[GuestKernel, ...]) -> Judge | None:
    try:
        return choose_guests((kernel,), guests, catalog(settings))[0]
    except AppError:
        return None  # no guest of its series
