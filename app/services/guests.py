"""The guest kernels of this machine, opened for asking and closed again."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Final

from app.sandbox.vm.pool import Pool
from app.sandbox.vm.store import Guest, GuestStore
from app.sandbox.vm.template import Templates
from app.services.verification import GuestKernel
from app.services.verify import Guests, Placed

if TYPE_CHECKING:
    from app.sandbox.vm.protocol import GuestAnswer, GuestRequest
    from app.settings import Settings

FOLDER: Final = "vm"
"""Below the data folder."""
_VERSION: Final = re.compile(r"^# Linux/\S+ (\d+)\.(\d+)\.(\d+)", re.MULTILINE)
_RELEASE: Final = re.compile(r"(\d+)\.(\d+)(?:\.(\d+))?")
_OPTION: Final = re.compile(r"^(CONFIG_\w+)=(.*)$", re.MULTILINE)
_LAST: Final = 255
"""The greatest third number that a version code holds."""


class PoolGuests:
    """Guests of a pool of clones."""

    def __init__(self, pool: Pool) -> None:
        self.pool = pool
        self._known: dict[Guest, GuestKernel] = {}

    def installed(self) -> tuple[GuestKernel, ...]:
        """Guests that can be asked, oldest first."""
        return tuple(self._kernel(guest) for guest in self.pool.guests())

    async def ask(
        self, kernel: str, request: GuestRequest, placed: Placed, seconds: float | None = None
    ) -> GuestAnswer:
        """Ask one clone; raises AppError when it did not answer."""
        return await self.pool.ask(kernel, request, placed, deadline=seconds)

    def _kernel(self, guest: Guest) -> GuestKernel:
        found = self._known.get(guest)
        if found is None:
            config = self.pool.templates.store.config(guest).decode("utf-8", "replace")
            found = self._known[guest] = GuestKernel(
                guest.id,
                guest.id,
                guest.series,
                guest.kernel,
                version_code(config, guest.id),
                options(config),
            )
        return found


def version_code(config: str, release: str) -> int:
    """KERNEL_VERSION of a kernel, by the first lines of its .config, else by its release."""
    found = _VERSION.search(config) or _RELEASE.match(release)
    if found is None:
        return 0
    first, second, third = (int(part or 0) for part in found.groups())
    return first << 16 | second << 8 | min(third, _LAST)


def options(config: str) -> Mapping[str, str]:
    """The options that a .config sets."""
    return dict(_OPTION.findall(config))


@asynccontextmanager
async def opened_guests(settings: Settings, *, keep: int | None = None) -> AsyncIterator[Guests]:
    """Give what asks guests; leaving the block ends all clones. No guest at all is no error.

    `keep` clones stand ready for each guest once it was asked; None: as the settings say.
    """
    async with Pool(
        Templates(GuestStore(settings.data / FOLDER)),
        keep=settings.vm_ready if keep is None else keep,
        queue=settings.vm_queue,
        deadline=settings.vm_deadline,
    ) as pool:
        yield PoolGuests(pool)


def standing_guests(settings: Settings) -> str:
    """Say in a line which guest kernels can be asked, or how to add some; reads small files."""
    guests = GuestStore(settings.data / FOLDER).guests()
    if guests:
        return f"real kernels to ask: {', '.join(guest.id for guest in guests)}"
    return "no real kernel to ask; ./run vm adds two (about 1 min and 200 MB)"
