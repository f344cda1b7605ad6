"""What a request can choose from: kernels, loaders, compilers."""

from __future__ import annotations

from dataclasses import dataclass, fields

from app.services.analyse import catalog
from app.settings import Settings
from engine.btf.kinds import ByteOrder
from engine.kernels.catalog import Catalog
from engine.kernels.snapshot import Snapshot
from engine.loaders import all_policies


@dataclass(frozen=True, slots=True)
class Kernel:
    """One kernel snapshot; `sha256` and `raw_bytes` are those of the raw .BTF section."""

    id: str
    release: str
    series: str
    arch: str | None
    byte_order: ByteOrder
    origin: str
    distribution: str | None
    source: str
    types: int | None
    sha256: str
    raw_bytes: int
    modules: int


@dataclass(frozen=True, slots=True)
class Loader:
    """One loader version; `notes` say where it differs from its neighbours."""

    id: str
    title: str
    family: str
    version: str
    notes: list[str]


@dataclass(frozen=True, slots=True)
class Compilers:
    """Installed compilers, newest first; `jail` is `ready` or why none can be used."""

    clangs: tuple[Compiler, ...]
    jail: str


@dataclass(frozen=True, slots=True)
class Compiler:
    """One clang."""

    major: int
    version: str


def kernels(settings: Settings) -> tuple[Kernel, ...]:
    """List all kernels, as the catalog orders them."""
    known = catalog(settings)
    return tuple(kernel_of(snapshot, known) for snapshot in known.snapshots())


def kernel(settings: Settings, name: str) -> Kernel:
    """Give one kernel; raises KernelUnknown with the nearest ids."""
    known = catalog(settings)
    return kernel_of(known.snapshot(name), known)


def kernel_of(snapshot: Snapshot, known: Catalog) -> Kernel:
    """Give what is told of a snapshot outside; its path is not."""
    told = {f.name: getattr(snapshot, f.name) for f in fields(Kernel) if f.name != "modules"}
    return Kernel(**told, modules=known.module_count(snapshot.id))


def loaders() -> tuple[Loader, ...]:
    """List all loader versions."""
    return tuple(Loader(p.id, p.title, p.family, p.version, list(p.notes)) for p in all_policies())


def compilers() -> Compilers:
    """List the compilers; blocking, because it asks each for its version once."""
    from app.sandbox import clang, jail  # late: the command line often needs neither

    status = jail.available()
    return Compilers(
        tuple(Compiler(c.major, c.version) for c in clang.installed()),
        "ready" if status.ok else status.reason,
    )
