"""The kernels at hand: those committed with the program and those added to the data folder."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Collection
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

from engine.btf.decode import Btf
from engine.btf.split import ModuleSet
from engine.errors import EngineError, KernelFileError, KernelUnknown
from engine.kernels.cache import IndexCache, file_lock, write_atomically
from engine.kernels.snapshot import ID, SUFFIX, Origin, Snapshot, pack, read_manifest

if TYPE_CHECKING:
    from engine.kernels.extract import ExtractedBtf
    from engine.kernels.health import Health
    from engine.kernels.ko import ModuleFile
    from engine.kernels.module_store import AddedModules, ModuleStore

COMMITTED: Final = Path(__file__).with_name("data")
_SETTLED_NS: Final = 1_000_000_000
_NAMED_IN_HINT: Final = 8


@dataclass(frozen=True, slots=True)
class Added:
    """What became of a kernel that was given: `fresh` is False when it was there already."""

    snapshot: Snapshot
    fresh: bool


@dataclass(frozen=True, slots=True)
class _Listing:
    stamp: tuple[int, ...]
    snapshots: tuple[Snapshot, ...]
    problems: tuple[str, ...]


class Catalog:
    """Snapshots in `engine/kernels/data` and `data_dir/kernels`, their indexes in `cache_dir`.

    Safe to use from several threads, and from several processes on the same folders. Neither
    folder needs to exist, or to be writable, until something is added.
    """

    def __init__(self, data_dir: Path, cache_dir: Path, *, committed: Path = COMMITTED) -> None:
        self.folder = data_dir / "kernels"
        self._committed = committed
        self._indexes = IndexCache(cache_dir)
        self._store_of_modules: ModuleStore | None = None
        self._open: dict[str, Btf] = {}
        self._listing: _Listing | None = None
        self._lock = threading.RLock()

    def snapshots(self) -> tuple[Snapshot, ...]:
        """All snapshots by kernel version, then architecture; unreadable ones are left out."""
        return self._list().snapshots

    def problems(self) -> tuple[str, ...]:
        """One sentence for each snapshot that is left out because its files are damaged."""
        return self._list().problems

    def snapshot(self, snapshot_id: str) -> Snapshot:
        """The snapshot with exactly this id; raises KernelUnknown that names the nearest ones."""
        for snapshot in self.snapshots():
            if snapshot.id == snapshot_id:
                return snapshot
        raise self._unknown(snapshot_id, self._nearest(snapshot_id))

    def resolve(self, text: str) -> Snapshot:
        """The snapshot a person means: its id, or its beginning if no other begins so.

        `6.1` is 6.1.0-56-amd64 and not 6.12.117; `6.12` is several. Raises KernelUnknown with
        the ones that could be meant.
        """
        meant = [s for s in self.snapshots() if _begins(s.id, text)]
        exact = [s for s in meant if s.id == text]
        if len(exact or meant) == 1:
            return (exact or meant)[0]
        names = [s.id for s in meant] or self._nearest(text)
        raise self._unknown(text, names, several=bool(meant))

    def btf(self, snapshot_id: str) -> Btf:
        """The BTF of a snapshot; the same object each time in this process.

        The first call on a machine builds the index (a few hundred milliseconds); later ones
        map it. Raises KernelUnknown, or KernelFileError for a damaged snapshot.
        """
        snapshot = self.snapshot(snapshot_id)
        with self._lock:
            found = self._open.get(snapshot.sha256)
            if found is None:
                found = self._indexes.open(snapshot.sha256, snapshot.read)
                self._open[snapshot.sha256] = found
            return found

    def indexed(self, snapshot_id: str) -> bool:
        """Whether the index of a snapshot is built."""
        return self._indexes.path(self.snapshot(snapshot_id).sha256).is_file()

    @property
    def _modules(self) -> ModuleStore:
        if self._store_of_modules is None:
            from engine.kernels.module_store import ModuleStore  # late: most runs need none

            self._store_of_modules = ModuleStore(self.folder)
        return self._store_of_modules

    def modules(self, snapshot_id: str) -> tuple[str, ...]:
        """The names of the modules that were added to a kernel; raises what `btf` raises."""
        return self.module_set(snapshot_id).names

    def module_count(self, snapshot_id: str) -> int:
        """How many modules a kernel has, without opening anything but their file's head."""
        return self._modules.count(self.snapshot(snapshot_id))

    def module(self, snapshot_id: str, name: str) -> Btf:
        """The split BTF of one module on its kernel's; raises KernelUnknown with near names.

        Also raises what `btf` raises, and what decoding a broken module raises.
        """
        return self.module_set(snapshot_id, (name,)).open(name)

    def module_set(self, snapshot_id: str, names: Collection[str] | None = None) -> ModuleSet:
        """Some modules of a kernel, all when `names` is None; parsed when they are needed.

        Raises KernelUnknown for a module that was not added, and what `btf` raises.
        """
        snapshot = self.snapshot(snapshot_id)
        with self._lock:
            found = self._modules.modules(snapshot, self.btf(snapshot_id))
        if names is None:
            return found
        for name in names:
            if name not in found.names:
                raise self._no_module(snapshot, name, found.names)
        return found.only(names)

    def _no_module(self, snapshot: Snapshot, name: str, known: tuple[str, ...]) -> KernelUnknown:
        import difflib  # late: only for a wrong name

        close = difflib.get_close_matches(name[:100], known, n=3, cutoff=0.5)
        hint = f"Near: {', '.join(close)}." if close else f"It has {len(known)} modules."
        if not known:
            hint = "Add some: coreplay kernels add FILE.ko, or the package with its modules."
        return KernelUnknown(
            f"the kernel {snapshot.id} has no module {name[:80]!r}", place="module", hint=hint
        )

    def add_modules(
        self, source: Path | bytes, *, name: str = "", kernel: str | None = None
    ) -> AddedModules | None:
        """Add the modules in a .ko or a Debian package to the kernel they were built for.

        `kernel` is the id of that kernel, where the modules do not tell. None where the file
        has no modules. Raises KernelFileError, also when there is no such kernel.
        """
        name = name or (source.name if isinstance(source, Path) else "the file")

        def kernel_of(file: ModuleFile) -> Snapshot:
            if kernel is not None:
                return self.resolve(kernel)
            return self._kernel_of(file, name)

        with self._lock:
            return self._modules.add(source, name, kernel_of, lambda s: self.btf(s.id))

    def _kernel_of(self, file: ModuleFile, place: str) -> Snapshot:
        for snapshot in self.snapshots():
            if snapshot.release == file.release and snapshot.arch in (None, file.arch):
                return snapshot
        raise KernelFileError(
            f"the module {file.name} is for the kernel {file.release}, which is not known",
            place=place,
            hint="Add that kernel first, or say which one it is: --kernel ID.",
        )

    def check(self, snapshot_id: str) -> Health:
        """Unpack a snapshot and decode every type in it; takes about a second."""
        from engine.kernels.health import examine  # late: relocating needs none of it

        return examine(self.snapshot(snapshot_id).read())

    def add(
        self, source: Path | bytes, *, name: str = "", release: str | None = None
    ) -> tuple[Snapshot, ...]:
        """Add the kernels in a file; what is there already is given back as it is.

        `name` and `release` replace what the file's name and content tell. Raises
        KernelFileError; nothing is stored unless all of it can be read.
        """
        return tuple(added.snapshot for added in self.add_all(source, name=name, release=release))

    def add_all(
        self,
        source: Path | bytes,
        *,
        name: str = "",
        release: str | None = None,
        arch: str | None = None,
    ) -> tuple[Added, ...]:
        """Do what `add` does, and tell for each kernel whether it is new.

        `arch` is Debian's word for the architecture, for a file that does not tell it.
        """
        from engine.kernels.extract import checked_release, extract_btf  # late: see `check`

        if release is not None:
            checked_release(release, "release")
        found = extract_btf(source, name=name)
        rows = [(replace(btf, arch=btf.arch or arch), _parse(btf)) for btf in found]
        return tuple(self._store(btf, parsed, release or btf.release) for btf, parsed in rows)

    def _store(self, extracted: ExtractedBtf, btf: Btf, release: str | None) -> Added:
        same = _same(self.snapshots(), btf)
        if same is not None:
            return Added(same, fresh=False)
        packed = pack(extracted.data)
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            with self._lock, file_lock(self.folder / ".lock"):
                known = self._list(fresh=True).snapshots
                same = _same(known, btf)
                if same is not None:
                    return Added(same, fresh=False)
                snapshot = self._describe(extracted, btf, release, {s.id for s in known})
                # The record comes last: without it the other file is not listed.
                write_atomically(snapshot.path, packed)
                record = self.folder / f"{snapshot.id}.json"
                write_atomically(record, snapshot.manifest().encode())
                self._listing = None
                return Added(snapshot, fresh=True)
        except OSError as error:
            raise KernelFileError(
                f"the kernel cannot be stored: {error.strerror or error}",
                place=str(self.folder),
                hint="Make the data folder writable, or set COREPLAY_DATA to one that is.",
            ) from error

    def _describe(
        self, extracted: ExtractedBtf, btf: Btf, release: str | None, taken: set[str]
    ) -> Snapshot:
        snapshot_id = _choose_id(release, extracted, btf.sha256, taken)
        return Snapshot(
            id=snapshot_id,
            release=release or snapshot_id,
            arch=extracted.arch,
            byte_order=btf.byte_order,
            sha256=btf.sha256,
            raw_bytes=len(extracted.data),
            origin="added",
            types=len(btf) - 1,
            path=self.folder / (snapshot_id + SUFFIX),
            distribution=extracted.distribution,
            source=extracted.source[:300],
        )

    def _list(self, *, fresh: bool = False) -> _Listing:
        """Read the records of both folders; again only when a folder has changed."""
        stamp = tuple(_changed(folder) for folder in (self._committed, self.folder))
        with self._lock:
            if not fresh and self._listing is not None and self._listing.stamp == stamp:
                return self._listing
            found: dict[str, Snapshot] = {}
            problems: list[str] = []
            folders: tuple[tuple[Path, Origin], ...]
            folders = ((self.folder, "added"), (self._committed, "committed"))
            for folder, origin in folders:
                for path in sorted(folder.glob("*.json")):
                    try:
                        snapshot = read_manifest(path, origin)
                    except KernelFileError as error:
                        problems.append(str(error))
                    else:
                        found[snapshot.id] = snapshot
            ordered = tuple(sorted(found.values(), key=Snapshot.sort_key))
            listing = _Listing(stamp, ordered, tuple(problems))
            # A folder changed this very moment may change again within the same time stamp.
            settled = time.time_ns() - max(stamp) > _SETTLED_NS
            self._listing = listing if settled else None
            return listing

    def _nearest(self, text: str) -> list[str]:
        names = [snapshot.id for snapshot in self.snapshots()]
        import difflib  # late: only for a wrong name

        close = difflib.get_close_matches(text[:100], names, n=3, cutoff=0.5)
        return close or names[:_NAMED_IN_HINT]

    def _unknown(self, text: str, names: list[str], *, several: bool = False) -> KernelUnknown:
        shown = text if len(text) <= 80 else text[:80] + "..."
        listed = ", ".join(names[:_NAMED_IN_HINT])
        if several:
            return KernelUnknown(
                f"{shown!r} can mean {len(names)} kernels", place="kernel", hint=f"Say {listed}."
            )
        return KernelUnknown(
            f"no kernel {shown!r} is known",
            place="kernel",
            hint=f"Known are {listed}." if listed else "Add one: coreplay kernels add FILE.",
        )


def _same(known: tuple[Snapshot, ...], btf: Btf) -> Snapshot | None:
    return next((snapshot for snapshot in known if snapshot.sha256 == btf.sha256), None)


def _begins(snapshot_id: str, text: str) -> bool:
    """Whether an id starts with `text` and a number or word of it ends there."""
    return snapshot_id == text or (
        bool(text) and snapshot_id.startswith(text) and snapshot_id[len(text)] in ".-+~"
    )


def _changed(folder: Path) -> int:
    try:
        return folder.stat().st_mtime_ns
    except OSError:
        return 0


def _parse(extracted: ExtractedBtf) -> Btf:
    """Read types and names once, so that nothing broken is stored; raises KernelFileError."""
    try:
        btf = Btf.parse(extracted.data)
        btf.keyed_ids()
    except EngineError as error:
        raise KernelFileError(
            f"the BTF is damaged: {error.message}",
            place=f"{extracted.source}, {error.place}",
            hint=error.hint or "If it is a module's BTF, add its kernel instead.",
        ) from error
    if len(btf) < 2:
        raise KernelFileError(
            "the BTF has no types in it",
            place=extracted.source,
            hint="It was made by a broken build; take the BTF from another package.",
        )
    return btf


def _choose_id(release: str | None, extracted: ExtractedBtf, sha256: str, taken: set[str]) -> str:
    """Give the release, with the architecture if it lacks it, and a digest if that is taken."""
    stem = re.sub(r"[^A-Za-z0-9._+~-]+", "-", release or f"kernel-{sha256[:8]}").lstrip("._+~-")
    if extracted.arch and not re.search(rf"(?:^|[-.]){re.escape(extracted.arch)}$", stem):
        stem = f"{stem}-{extracted.arch}"
    stem = stem[:71] or "kernel"
    chosen = stem if stem not in taken else f"{stem}-{sha256[:8]}"
    if not ID.fullmatch(chosen) or chosen in taken:
        raise KernelFileError(
            f"another kernel has the id {chosen!r} already",
            place=extracted.source,
            hint="Give the release it is to be known by.",
        )
    return chosen
