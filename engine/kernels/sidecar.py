"""Files derived from kernels' BTF, beside the indexes: built once, then mapped by every process.

They are named `<what>-<key>.v<version>-<byte order of this machine>.bin`.
"""

from __future__ import annotations

import mmap
import sys
from collections.abc import Callable
from pathlib import Path

from engine.kernels.cache import file_lock, write_atomically


class Sidecars:
    """A folder of derived files; it is made when the first one is built."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def path(self, what: str, key: str, version: int) -> Path:
        """Where a file stands once it is built."""
        return self.folder / f"{what}-{key}.v{version}-{sys.byteorder}.bin"

    def ready(self, what: str, key: str, version: int) -> bool:
        """Whether a file is built."""
        return self.path(what, key, version).is_file()

    def open(self, what: str, key: str, version: int, build: Callable[[], bytes]) -> memoryview:
        """Map a file, building it where there is none; others wait for the one that builds.

        Where the folder cannot be written, the content is kept in memory. Raises what `build`
        raises.
        """
        path = self.path(what, key, version)
        try:
            found = _map(path)
            if found is not None:
                return found
            self.folder.mkdir(parents=True, exist_ok=True)
            with file_lock(self.folder / f"{what}-{key}.lock"):
                found = _map(path)
                if found is None:
                    write_atomically(path, build())
                    found = _map(path)
        except OSError:
            found = None
        return found if found is not None else memoryview(build())


def _map(path: Path) -> memoryview | None:
    try:
        with path.open("rb") as file:
            return memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))
    except (FileNotFoundError, ValueError):  # an empty file cannot be mapped
        return None
