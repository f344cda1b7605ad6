"""The guest kernels of this machine, opened for asking and closed again."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from app.errors import AppError
from app.services.verification import GuestKernel
from app.services.verify import Guests, Placed

if TYPE_CHECKING:
    from app.sandbox.vm.protocol import GuestAnswer, GuestRequest
    from app.settings import Settings


class NoGuests:
    """A machine without guest kernels."""

    def installed(self) -> tuple[GuestKernel, ...]:
        """Nothing."""
        return ()

    async def ask(self, kernel: str, request: GuestRequest, placed: Placed) -> GuestAnswer:
        """Raise AppError `guest-missing`."""
        raise AppError(f"No guest kernel {kernel[:80]!r} is installed", code="guest-missing")


@asynccontextmanager
async def opened_guests(settings: Settings) -> AsyncIterator[Guests]:
    """Give what asks guests; leaving the block ends all clones."""
    yield NoGuests()
