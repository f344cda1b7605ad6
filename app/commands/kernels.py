"""coreplay kernels: list, show, add."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterable
from dataclasses import asdict

from app.services import choices
from app.services.analyse import catalog
from app.services.kernels import KernelDetails, add_kernel, list_kernels, show_kernel
from app.settings import load_settings
from engine.kernels.catalog import Catalog
from engine.kernels.snapshot import Snapshot


def run(arguments: argparse.Namespace) -> int:
    """Do the action that was asked for."""
    kernels = catalog(load_settings())
    if arguments.action == "add":
        return _add(kernels, arguments)
    if arguments.action == "show":
        return _show(show_kernel(kernels, arguments.kernel), as_json=arguments.json)
    listing = list_kernels(kernels)
    _list([row.snapshot for row in listing.rows], as_json=arguments.json)
    for problem in listing.problems:
        print(f"coreplay: {problem}", file=sys.stderr)
    return 0


def _add(kernels: Catalog, arguments: argparse.Namespace) -> int:
    added = add_kernel(kernels, arguments.file, release=arguments.release)
    _list([kernel.snapshot for kernel in added], as_json=arguments.json)
    for kernel in added:
        if not kernel.fresh:
            print(f"coreplay: {kernel.snapshot.id} was there already", file=sys.stderr)
    return 0


def _list(snapshots: Iterable[Snapshot], *, as_json: bool) -> None:
    kernels = [choices.kernel_of(snapshot) for snapshot in snapshots]
    if as_json:
        print(json.dumps([asdict(kernel) for kernel in kernels], indent=2))
        return
    width = max((len(kernel.id) for kernel in kernels), default=0)
    for kernel in kernels:
        types = "" if kernel.types is None else f"{kernel.types:,} types"
        size = f"{kernel.raw_bytes / 1e6:.2f} MB"
        print(
            f"{kernel.id:{width}}  {kernel.byte_order:6}  {types:>15}  {size:>8}  {kernel.origin}"
        )


def _show(details: KernelDetails, *, as_json: bool) -> int:
    """Print what is known of a kernel and what is wrong with it; 1 when something is."""
    known = asdict(choices.kernel_of(details.snapshot))
    kinds = {} if details.health is None else {k.word: n for k, n in details.health.by_kind}
    if as_json:
        more = {"indexed": details.indexed, "kinds": kinds, "problems": details.problems}
        print(json.dumps(known | more, indent=2))
    else:
        shown = known | {"indexed": "yes" if details.indexed else "not yet"}
        shown["kinds"] = ", ".join(f"{word} {number:,}" for word, number in kinds.items())
        shown["problems"] = "none" if not details.problems else "; ".join(details.problems)
        for name, value in shown.items():
            print(f"{name.replace('_', ' '):12}  {'' if value is None else value}".rstrip())
    return 1 if details.problems else 0
