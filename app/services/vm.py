"""The guests: added from a package or from the archive, listed, checked, removed."""

from __future__ import annotations

import re
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from app.errors import AppError, from_engine
from app.sandbox.vm.archive import NEWEST, fetch, offers
from app.sandbox.vm.pool import Pool
from app.sandbox.vm.qemu import qemu_version
from app.sandbox.vm.store import Guest, GuestStore, TemplateRecord
from app.sandbox.vm.template import WARM, Templates
from app.settings import Settings
from engine.errors import EngineError
from engine.kernels.bootable import Bootable, read_bootable
from engine.kernels.catalog import Catalog

Say = Callable[[str], None]
_SERIES: Final = re.compile(r"\d+\.\d+")
_CHECK_SECONDS: Final = 10.0


@dataclass(frozen=True, slots=True)
class GuestRow:
    """A guest in a list; `template` is None where it has to be made first."""

    guest: Guest
    template: TemplateRecord | None


@dataclass(frozen=True, slots=True)
class GuestCheck:
    """What came of a trial: milliseconds from request to verdict, or what is wrong.

    cold  with a clone that had to be started
    warm  with a clone that stood ready
    """

    guest: Guest
    cold: float | None = None
    warm: float | None = None
    problem: str = ""


def guest_templates(settings: Settings) -> Templates:
    """Give the guests of the data folder, and their templates."""
    return Templates(GuestStore(settings.data / "vm"))


def list_guests(templates: Templates) -> tuple[GuestRow, ...]:
    """List the guests, the oldest kernel first; works without QEMU."""
    rows = []
    for guest in templates.store.guests():
        try:
            found = templates.find(guest)
        except AppError:
            found = None
        rows.append(GuestRow(guest, found[1] if found else None))
    return tuple(rows)


async def add_guest(
    what: str, templates: Templates, catalog: Catalog, say: Say = lambda _: None
) -> GuestRow:
    """Add a guest: a file, a series (`6.1`), `newest`, or a kernel of the catalog.

    Its BTF joins the catalog. Takes about ten seconds, and the download. Raises AppError.
    """
    qemu_version()  # before anything is fetched
    path = Path(what)
    try:
        if path.is_file():
            guest = _keep(path, templates, catalog, say)
        else:
            series, release = _meant(what, catalog)
            with tempfile.TemporaryDirectory(prefix="coreplay-") as folder:
                offered = offers(series, release=release, say=say)
                _, package = fetch(offered, Path(folder), say)
                guest = _keep(package, templates, catalog, say)
    except EngineError as error:
        raise from_engine(error) from error
    found = templates.find(guest)
    return GuestRow(guest, found[1] if found else await templates.build(guest, say))


def remove_guest(what: str, templates: Templates) -> Guest:
    """Forget a guest and its template; raises AppError `guest-missing`."""
    guest = templates.store.resolve(what)
    templates.store.remove(guest)
    return guest


async def check_guest(guest: Guest, templates: Templates, say: Say = lambda _: None) -> GuestCheck:
    """Make the guest's template if there is none that fits, and ask it twice."""
    try:
        if templates.find(guest) is None:
            await templates.build(guest, say)
        say(f"asking {guest.id}")
        cold, warm = await _timed(templates, guest, 0), await _timed(templates, guest, 1)
        return GuestCheck(guest, cold, warm)
    except AppError as error:
        return GuestCheck(guest, problem=error.message)


async def _timed(templates: Templates, guest: Guest, keep: int) -> float:
    """Milliseconds of one request when `keep` clones stand ready."""
    async with Pool(templates, keep=keep, at_once=1) as pool:
        await pool.prepare(guest.id)
        began = time.perf_counter()
        answer = await pool.ask(guest.id, WARM, deadline=_CHECK_SECONDS)
        spent = (time.perf_counter() - began) * 1e3
    if not answer.programs[0].loaded:
        errno = answer.programs[0].errno
        raise AppError(
            f"the verifier of {guest.id} refuses a sound program (errno {errno})",
            code="vm-boot-failed",
        )
    return round(spent, 1)


def _keep(path: Path, templates: Templates, catalog: Catalog, say: Say) -> Guest:
    say(f"reading {path.name}")
    kernel: Bootable = read_bootable(path)
    say(f"adding the BTF of {kernel.release} to the kernels")
    (added, *_) = catalog.add_all(path, release=kernel.release)
    return templates.store.add(kernel, added.snapshot.id)


def _meant(what: str, catalog: Catalog) -> tuple[str, str | None]:
    """Give the series that is meant, and the release that is wanted of it, if one is."""
    if what == NEWEST or _SERIES.fullmatch(what):
        return what, None
    release = what
    try:
        release = catalog.resolve(what).release
    except EngineError:
        if not _SERIES.match(what):
            raise AppError(
                f"{what[:80]!r} is no file, no series and no kernel",
                code="vm-not-offered",
                hint="Say 6.1, newest, or the path of a package.",
            ) from None
    series = _SERIES.match(release)
    if series is None:
        raise AppError(f"{release!r} tells no series", code="vm-not-offered", hint="Say 6.1.")
    return series[0], re.sub(r"(?:-cloud)?-amd64$", "-cloud-amd64", release)
