"""coreplay btf minimize: reduce a kernel's BTF to what an object needs."""

from __future__ import annotations

import argparse
import sys

from app.commands.files import read_bytes, write_bytes
from app.services.analyse import catalog, read_object
from app.settings import load_settings
from engine import limits
from engine.btf.decode import Btf


def run(arguments: argparse.Namespace) -> int:
    """Write the mini-BTF; 1, and nothing is written, where a loader would not do the same."""
    from engine.loaders import all_policies
    from engine.loaders.minimize import mini_btf  # late: showing types needs no loader

    prepared = read_object(read_bytes(arguments.object))
    full = kernel_btf(arguments)
    mini = mini_btf(prepared, full, all_policies())
    if mini.differs:
        print(
            f"coreplay: {', '.join(mini.differs)} would not give the same code for a smaller BTF; "
            "nothing was written",
            file=sys.stderr,
        )
        return 1
    write_bytes(arguments.output, mini.data)
    ids = "those of the kernel" if mini.kept_ids else "new ones"
    print(f"{arguments.output}: {len(mini.data):,} bytes, {mini.types:,} types, ids are {ids}")
    return 0


def kernel_btf(arguments: argparse.Namespace) -> Btf:
    """Open what --btf, or --kernel and --module, name."""
    if arguments.btf is not None:
        return Btf.parse(read_bytes(arguments.btf, limit=limits.BTF_BYTES))
    known = catalog(load_settings())
    kernel = known.resolve(arguments.kernel).id
    if arguments.modules:
        return known.module(kernel, arguments.modules)
    return known.btf(kernel)
