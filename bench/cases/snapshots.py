"""Kernels: opening one whose index is built, and building the index."""

from __future__ import annotations

import hashlib
import mmap
import tempfile
from collections.abc import Iterator
from pathlib import Path

from bench.figures import Figure, milliseconds
from engine.btf.index import build_index, open_index
from engine.kernels.catalog import Catalog

KERNEL = "6.1.0-56-amd64"


def measure() -> Iterator[Figure]:
    """Use the kernel with the middle number of types."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        raw = Catalog(folder, folder / "cache").snapshot(KERNEL).read()
        path = folder / "index"
        path.write_bytes(build_index(raw))
        assert len(open_index(path)) > 100_000
        yield Figure(
            "open a kernel, index built",
            milliseconds(lambda: open_index(path), times=200, warm=5),
            "ms",
            1.0,
            milliseconds(lambda: _map(path), times=200, warm=5),
            "open and mmap the same file",
        )
        yield Figure(
            "build a kernel's index",
            milliseconds(lambda: build_index(raw), times=5),
            "ms",
            400.0,
            milliseconds(lambda: hashlib.sha256(raw).digest(), times=5),
            "SHA-256 of the same bytes",
        )


def _map(path: Path) -> int:
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        return data[0]
