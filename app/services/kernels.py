"""The kernels a person can choose: listed, looked at closely, added.

One use case for the command line, the API and the page. Everything here may read files, so a
server calls it off its event loop.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from engine.errors import EngineError
from engine.kernels.catalog import Added, Catalog
from engine.kernels.extract import debian_arch
from engine.kernels.health import Health
from engine.kernels.snapshot import Snapshot

RUNNING: Final = "running"
"""Given in place of a file, this means the kernel this machine runs."""
RUNNING_BTF: Final = Path("/sys/kernel/btf/vmlinux")


@dataclass(frozen=True, slots=True)
class KernelRow:
    """A kernel in a list; `indexed` says that it opens at once."""

    snapshot: Snapshot
    indexed: bool


@dataclass(frozen=True, slots=True)
class KernelList:
    """All kernels in the order they are shown, and a sentence for each one that is damaged."""

    rows: tuple[KernelRow, ...]
    problems: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class KernelDetails:
    """One kernel and the outcome of decoding all of it; `health` is None if it cannot be read."""

    snapshot: Snapshot
    indexed: bool
    health: Health | None
    problems: tuple[str, ...]


def list_kernels(catalog: Catalog) -> KernelList:
    """List the kernels; takes about a millisecond, for nothing is unpacked."""
    rows = tuple(KernelRow(s, catalog.indexed(s.id)) for s in catalog.snapshots())
    return KernelList(rows, catalog.problems())


def show_kernel(catalog: Catalog, text: str) -> KernelDetails:
    """Check the kernel that `text` names or begins; takes a few seconds.

    Raises KernelUnknown. What is wrong with the kernel is no error but one of the problems.
    """
    snapshot = catalog.resolve(text)
    indexed = catalog.indexed(snapshot.id)
    try:
        health = catalog.check(snapshot.id)
    except EngineError as error:
        return KernelDetails(snapshot, indexed, None, (str(error),))
    return KernelDetails(snapshot, indexed, health, health.problems)


def add_kernel(
    catalog: Catalog, file: str | Path, *, release: str | None = None
) -> tuple[Added, ...]:
    """Add the kernels in a file, or the running one when `file` is the word `running`.

    `release` names a kernel whose file does not. Raises KernelFileError.
    """
    if str(file) != RUNNING:
        return catalog.add_all(Path(file), release=release)
    machine = os.uname()
    return catalog.add_all(
        RUNNING_BTF,
        name=RUNNING,
        release=release or machine.release,
        arch=debian_arch(machine.machine),
    )


def add_upload(
    catalog: Catalog, name: str, data: bytes, *, release: str | None = None
) -> tuple[Added, ...]:
    """Add the kernels in uploaded bytes; `name` is what the file was called."""
    return catalog.add_all(data, name=name, release=release)
