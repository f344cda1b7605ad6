"""The committed kernels' BTF, read once for the whole test run."""

from __future__ import annotations

import functools
import lzma

from engine.btf.decode import Btf
from engine.kernels.catalog import COMMITTED

KERNELS = tuple(sorted(path.name.removesuffix(".btf.xz") for path in COMMITTED.glob("*.btf.xz")))
USUAL = "6.1.0-56-amd64"
"""The kernel of tests for which one kernel is enough."""


@functools.cache
def kernel_btf(kernel: str) -> Btf:
    """Give the whole BTF of a committed kernel."""
    return Btf.parse(lzma.decompress((COMMITTED / f"{kernel}.btf.xz").read_bytes()))
