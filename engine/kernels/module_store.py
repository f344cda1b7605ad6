"""Adding modules to kernels: which kernel they belong to, and writing its bundle."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from engine import limits
from engine.btf.decode import Btf
from engine.btf.distilled import fit_to_kernel
from engine.btf.split import ModuleSet
from engine.errors import EngineError, KernelFileError
from engine.kernels.cache import file_lock, write_atomically
from engine.kernels.extract import read_image
from engine.kernels.inflate import Image
from engine.kernels.ko import ModuleFile, module_in, modules_in_package
from engine.kernels.modules import SUFFIX, Bundle, read_head, write_bundle
from engine.kernels.snapshot import Snapshot


@dataclass(frozen=True, slots=True)
class AddedModules:
    """What became of the modules in a file."""

    snapshot: Snapshot
    """The kernel they belong to."""
    names: tuple[str, ...]
    total: int
    """Modules that this kernel has now."""
    without_btf: int
    """Modules in the file that have no .BTF section; they are not stored."""


class ModuleStore:
    """Bundles in the data folder, `<kernel id>.modules`, also for committed kernels."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._open: dict[str, tuple[int, Bundle]] = {}

    def path(self, snapshot: Snapshot) -> Path:
        """Where the modules of a kernel stand."""
        return self._folder / f"{snapshot.id}{SUFFIX}"

    def count(self, snapshot: Snapshot) -> int:
        """How many modules a kernel has; 0 where the bundle is damaged."""
        try:
            head = read_head(self.path(snapshot))
        except KernelFileError:
            return 0
        return head.modules if head else 0

    def bundle(self, snapshot: Snapshot, base: Btf) -> Bundle | None:
        """Open a kernel's bundle, once; None where it has none. Raises KernelFileError."""
        path = self.path(snapshot)
        try:
            stamp = path.stat().st_mtime_ns
        except OSError:
            return None
        found = self._open.get(snapshot.id)
        if found is None or found[0] != stamp:
            found = self._open[snapshot.id] = stamp, Bundle(path, base)
        return found[1]

    def modules(self, snapshot: Snapshot, base: Btf) -> ModuleSet:
        """All modules of a kernel; empty where none were added."""
        bundle = self.bundle(snapshot, base)
        return bundle.module_set() if bundle else ModuleSet({})

    def add(
        self,
        source: Path | bytes,
        name: str,
        kernel_of: Callable[[ModuleFile], Snapshot],
        base_of: Callable[[Snapshot], Btf],
    ) -> AddedModules | None:
        """Store the modules of a .ko or a package; None where the file has none.

        Raises KernelFileError; then nothing is stored.
        """
        files = read_modules(source, name)
        if not files:
            return None
        snapshot = kernel_of(files[0])
        base = base_of(snapshot)
        usable = [file for file in files if file.btf]
        if not usable:
            raise KernelFileError(
                "no module in it has BTF",
                place=name,
                hint="The kernel was built without CONFIG_DEBUG_INFO_BTF_MODULES.",
            )
        sections = {file.name: fitted(file, base) for file in usable}
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            with file_lock(self._folder / ".lock"):
                before = self.bundle(snapshot, base)
                known = {} if before is None else {n: before.raw(n) for n in before.rows}
                content = write_bundle(base, (known | sections).items())
                write_atomically(self.path(snapshot), content)
        except OSError as error:
            raise KernelFileError(
                f"the modules cannot be stored: {error.strerror or error}",
                place=str(self._folder),
                hint="Make the data folder writable, or set COREPLAY_DATA to one that is.",
            ) from error
        total = len(known | sections)
        return AddedModules(snapshot, tuple(sections), total, len(files) - len(usable))


def read_modules(source: Path | bytes, name: str) -> Sequence[ModuleFile]:
    """Read the modules of a .ko (also .xz, .zst, .gz) or of a Debian package.

    Raises KernelFileError for a damaged file.
    """
    image: Image = source if isinstance(source, bytes) else read_image(source)
    single = module_in(image, name, name)
    files = [single] if single is not None else []
    total = 0
    if single is None:
        for file in modules_in_package(image, name):
            total += len(file.btf)
            if total > limits.MODULES_BTF_BYTES or len(files) >= limits.KERNEL_MODULES:
                raise KernelFileError("the package has more modules than are read", place=name)
            files.append(file)
    return files


def fitted(file: ModuleFile, base: Btf) -> bytes:
    """The .BTF of a module as split BTF on its kernel, as the kernel has it once it is loaded.

    Raises KernelFileError for a .BTF.base that does not fit: the kernel does not load it, either.
    """
    if not file.own_base:
        return file.btf
    try:
        return fit_to_kernel(file.btf, file.own_base, base)
    except EngineError as error:
        raise KernelFileError(
            f"the module {file.name} was not built for this kernel: {error.message}",
            place=f"{file.name}.ko, section .BTF.base",
            hint="It was built outside of the kernel's tree; build it for this kernel.",
        ) from error


def module_btf(data: bytes, name: str, base: Btf) -> Btf:
    """Read a module's BTF on its kernel's, from a .ko or as it stands in /sys/kernel/btf.

    Raises KernelFileError, and what `Btf.parse` raises.
    """
    file = module_in(data, name, name)
    return Btf.parse(data if file is None else fitted(file, base), base=base)
