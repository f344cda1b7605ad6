"""The kernels a person can choose: listed, looked at closely, added.

One use case for the command line, the API and the page. Everything here may read files, so a
server calls it off its event loop.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from engine.btf.split import ModuleFault
from engine.errors import EngineError, KernelFileError
from engine.kernels.catalog import Added, Catalog
from engine.kernels.extract import debian_arch
from engine.kernels.fitting import misfit
from engine.kernels.health import Health
from engine.kernels.module_store import AddedModules
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


@dataclass(frozen=True, slots=True)
class ModuleCheck:
    """What is wrong with a kernel's modules.

    faults    modules whose BTF some loaders, or all, cannot read
    problems  a sentence for each module that does not fit its kernel
    """

    modules: int
    faults: tuple[ModuleFault, ...]
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


def add_file(
    catalog: Catalog,
    file: str | Path,
    *,
    release: str | None = None,
    kernel: str | None = None,
    modules: bool = True,
) -> tuple[tuple[Added, ...], AddedModules | None]:
    """Add whatever a file holds: kernels, modules, or both, as an older linux-image does.

    `kernel` is the id of the kernel that modules are for; then only modules are looked for.
    Raises KernelFileError.
    """
    if str(file) == RUNNING:
        return add_kernel(catalog, file, release=release), None
    kernels: tuple[Added, ...] = ()
    problem: KernelFileError | None = None
    if kernel is None:
        try:
            kernels = add_kernel(catalog, file, release=release)
        except KernelFileError as error:
            problem = error
    added = catalog.add_modules(Path(file), kernel=kernel) if modules else None
    if added is None and problem is not None:
        raise problem
    if added is None and kernel is not None:
        raise KernelFileError(
            "there is no module in it",
            place=str(file),
            hint="Give a .ko or a package with modules.",
        )
    return kernels, added


def check_modules(catalog: Catalog, text: str) -> ModuleCheck:
    """Look at every module of a kernel; takes some seconds for thousands of them.

    Raises KernelUnknown, and KernelFileError for a damaged file of modules.
    """
    snapshot = catalog.resolve(text)
    modules = catalog.module_set(snapshot.id)
    problems: list[str] = []
    for name, btf in modules:
        wrong = misfit(btf)
        if wrong:
            problems.append(f"{name}: {wrong}")
    return ModuleCheck(len(modules), modules.faults, tuple(problems))


def add_upload(
    catalog: Catalog, name: str, data: bytes, *, release: str | None = None
) -> tuple[Added, ...]:
    """Add the kernels in uploaded bytes; `name` is what the file was called."""
    return catalog.add_all(data, name=name, release=release)
