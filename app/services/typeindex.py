"""What is derived from kernels so that types are found at once: built once, then mapped.

    names         of one kernel, 0.6 s and 4 MB
    all names     of all kernels together, 1 s and 8 MB
    refs          who refers to whom, of one kernel: 0.4 s and 1 MB
    prints        a number for each name of one kernel: some seconds, 0.5 MB
    difference    the names that two kernels differ in: 0.5 s
    health        what is wrong with one kernel: some seconds

The functions here block, and may build; a server calls `ready` first and has a worker build what
is missing (`build`).
"""

from __future__ import annotations

import asyncio
import json
from collections import OrderedDict
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from threading import RLock
from typing import TYPE_CHECKING, Final, Literal, TypeVar, cast

from app.services.analyse import catalog
from app.services.kernels import show_kernel
from app.settings import Settings
from engine.btf import backrefs, names
from engine.btf.backrefs import Backrefs, backrefs_of, open_backrefs
from engine.btf.names import Names, difference, merged, names_of, open_names
from engine.explain import fingerprints
from engine.explain.fingerprints import fingerprints_of, open_fingerprints
from engine.kernels.sidecar import Sidecars

if TYPE_CHECKING:
    from app.services.workers import Workers

T = TypeVar("T")
What = Literal["names", "all-names", "refs", "prints", "difference", "health"]

_KEPT: Final = 12
"""Files kept open in one process, about 1 MB of memory each."""
_VERSIONS: Final[dict[What, int]] = {
    "names": names.VERSION,
    "all-names": names.VERSION,
    "refs": backrefs.VERSION,
    "prints": fingerprints.VERSION * 100 + names.VERSION,
    "difference": fingerprints.VERSION * 100 + names.VERSION,
    "health": 1,
}
_open: OrderedDict[Path, object] = OrderedDict()
_lock = RLock()


def kernel_names(settings: Settings, kernel: str) -> Names:
    """Give the names of one kernel."""
    btf = catalog(settings).btf
    return _opened(
        settings, "names", (kernel,), lambda: names_of(btf(kernel)), lambda data: open_names(data)
    )


def all_kernels(settings: Settings) -> tuple[str, ...]:
    """Give the ids of all kernels in the order of their bits in `all_names`."""
    return tuple(snapshot.id for snapshot in catalog(settings).snapshots())


def all_names(settings: Settings) -> Names:
    """Give the names of all kernels."""
    kernels = all_kernels(settings)

    def build() -> bytes:
        return merged(
            [kernel_names(settings, kernel) for kernel in kernels], _key(settings, kernels)
        )

    return _opened(settings, "all-names", kernels, build, open_names)


def references(settings: Settings, kernel: str) -> Backrefs:
    """Give who refers to whom in one kernel."""
    btf = catalog(settings).btf
    return _opened(settings, "refs", (kernel,), lambda: backrefs_of(btf(kernel)), open_backrefs)


def prints(settings: Settings, kernel: str) -> tuple[memoryview, ...]:
    """Give a number for each name of one kernel, group by group."""
    btf = catalog(settings).btf
    rows = kernel_names(settings, kernel)
    return _opened(
        settings,
        "prints",
        (kernel,),
        lambda: fingerprints_of(btf(kernel), rows),
        lambda data: open_fingerprints(data, rows),
    )


def differing(settings: Settings, before: str, after: str) -> Names:
    """Give the names that two kernels differ in; see `engine.btf.names.difference`."""

    def build() -> bytes:
        old, new = kernel_names(settings, before), kernel_names(settings, after)
        numbers = (prints(settings, before), prints(settings, after))
        return difference(old, new, numbers, _key(settings, (before, after)))

    return _opened(settings, "difference", (before, after), build, open_names)


def health(settings: Settings, kernel: str) -> tuple[str, ...]:
    """Give a sentence for each thing that is wrong with one kernel."""

    def build() -> bytes:
        return json.dumps(show_kernel(catalog(settings), kernel).problems).encode()

    return _opened(
        settings, "health", (kernel,), build, lambda data: tuple(json.loads(bytes(data)))
    )


def known_health(settings: Settings) -> dict[str, tuple[str, ...]]:
    """Give the same for all kernels that were looked at before."""
    return {
        kernel: health(settings, kernel)
        for kernel in all_kernels(settings)
        if not missing(settings, "health", (kernel,))
    }


def _build(settings: Settings, what: What, kernels: tuple[str, ...]) -> None:
    """Build one file, and those it is made of; runs in a worker."""
    if what == "names":
        kernel_names(settings, *kernels)
    elif what == "all-names":
        all_names(settings)
    elif what == "refs":
        references(settings, *kernels)
    elif what == "prints":
        prints(settings, *kernels)
    elif what == "health":
        health(settings, *kernels)
    else:
        differing(settings, *kernels)


def missing(
    settings: Settings, what: What, kernels: tuple[str, ...] = ()
) -> tuple[tuple[What, tuple[str, ...]], ...]:
    """Give what has to be built before one file can be opened, itself included, in order.

    Raises KernelUnknown.
    """
    kernels = kernels or all_kernels(settings)
    if _sidecars(settings).ready(what, _key(settings, kernels), _VERSIONS[what]):
        return ()
    parts: tuple[What, ...] = {"all-names": ("names",), "difference": ("names", "prints")}.get(
        what, ("names",) if what == "prints" else ()
    )  # type: ignore[assignment]  # words of What
    before = [step for part in parts for one in kernels for step in missing(settings, part, (one,))]
    return (*dict.fromkeys(before), (what, kernels))


async def build(
    workers: Workers, settings: Settings, what: What, kernels: tuple[str, ...] = ()
) -> None:
    """Have workers build what is missing, one file at a time."""
    for step in missing(settings, what, kernels):
        await workers.run(_build, settings, *step)


_building: dict[tuple[Path, tuple[str, ...]], asyncio.Task[None]] = {}


async def begin(
    workers: Workers, settings: Settings, kernels: tuple[str, str]
) -> tuple[What, tuple[str, ...]] | None:
    """Begin to compare two kernels, without waiting; give the next step, None when it is done.

    Raises what went wrong with the comparison that an earlier call began.
    """
    steps = missing(settings, "difference", kernels)
    key = (settings.cache_dir, kernels)
    task = _building.get(key)
    if task is not None and task.done():
        del _building[key]
        task.result()
    elif steps and task is None:
        _building[key] = asyncio.create_task(build(workers, settings, "difference", kernels))
    return steps[0] if steps else None


def _opened(
    settings: Settings,
    what: What,
    kernels: tuple[str, ...],
    make: Callable[[], bytes],
    read: Callable[[memoryview], T],
) -> T:
    """Open a file, or give it from those that are kept open."""
    key, version = _key(settings, kernels), _VERSIONS[what]
    sidecars = _sidecars(settings)
    path = sidecars.path(what, key, version)
    with _lock:
        found = _open.get(path)
        if found is not None:
            _open.move_to_end(path)
            return cast("T", found)
    opened = read(sidecars.open(what, key, version, make))
    with _lock:
        _open[path] = opened
        while len(_open) > _KEPT:
            _open.popitem(last=False)
    return opened


def _sidecars(settings: Settings) -> Sidecars:
    return Sidecars(settings.cache_dir)


def _key(settings: Settings, kernels: tuple[str, ...]) -> str:
    """Name kernels by their content: an id may come to mean another file."""
    known = catalog(settings)
    digests = [known.snapshot(kernel).sha256 for kernel in kernels]
    return digests[0] if len(digests) == 1 else sha256(" ".join(digests).encode()).hexdigest()
