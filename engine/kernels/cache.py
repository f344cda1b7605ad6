"""Index files of kernel BTF: built once, then shared by every process as a mapped file.

    <cache folder>/<sha256 of the raw .BTF>.v<format>-<byte order of this machine>.idx

The first process to ask builds the file under a lock and renames it into place; others wait for
the lock and find it there. Where the folder cannot be written, the BTF is parsed in memory.
"""

from __future__ import annotations

import fcntl
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from engine.btf.decode import Btf
from engine.btf.index import FORMAT_VERSION, build_index, open_index
from engine.errors import KernelFileError

_CHUNK: Final = 1 << 16
"""Linux keeps what is written at once in one large page, and maps all of it where a byte is read.

Small writes make small pages: of a mapped index only what is looked up takes memory.
"""


class IndexCache:
    """A folder of index files; it is made when the first one is built."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def path(self, sha256: str) -> Path:
        """Where the index of the BTF with this sha256 stands once it is built."""
        return self.folder / f"{sha256}.v{FORMAT_VERSION}-{sys.byteorder}.idx"

    def open(self, sha256: str, raw: Callable[[], bytes]) -> Btf:
        """Open the index, building it from `raw()` where there is none or it is unusable.

        Raises what `raw` and `Btf.parse` raise; a folder that cannot be written is no error.
        """
        found = self._try(sha256)
        if found is not None:
            return found
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            with file_lock(self.folder / f"{sha256}.lock"):
                found = self._try(sha256)
                if found is None:
                    self._build(sha256, raw)
                    found = self._try(sha256)
        except OSError:
            found = None
        return found if found is not None else Btf.parse(raw())

    def _try(self, sha256: str) -> Btf | None:
        path = self.path(sha256)
        if not path.exists():
            return None
        try:
            btf = open_index(path)
        except KernelFileError:
            return None
        return btf if btf.sha256 == sha256 else None

    def _build(self, sha256: str, raw: Callable[[], bytes]) -> None:
        """Write the index; the lock is held, so whatever else has this sha256 is a leftover."""
        content = build_index(raw())
        write_atomically(self.path(sha256), content)
        for leftover in self.folder.glob(f"{sha256}.*"):
            if leftover != self.path(sha256) and leftover.suffix != ".lock":
                leftover.unlink(missing_ok=True)


@contextmanager
def file_lock(path: Path) -> Iterator[None]:
    """Hold an exclusive lock on `path` among processes and threads; OSError when it cannot be.

    The file stays: to remove it would let two holders in.
    """
    with path.open("ab") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def write_atomically(path: Path, content: bytes) -> None:
    """Write a file so that a reader sees all of it or none, even after a power cut."""
    import tempfile  # late: an index that stands there is only mapped

    handle, name = tempfile.mkstemp(prefix=f"{path.name}.", suffix=".tmp", dir=path.parent)
    temporary = Path(name)
    try:
        with os.fdopen(handle, "wb") as file:
            for start in range(0, len(content), _CHUNK):
                file.write(content[start : start + _CHUNK])
            file.flush()
            os.fsync(file.fileno())
        temporary.chmod(0o644)
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
