"""coreplay kernels: list, show, add, check."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterable
from dataclasses import asdict

from app.services import choices
from app.services.analyse import catalog
from app.services.kernels import (
    KernelDetails,
    ModuleCheck,
    add_file,
    check_modules,
    list_kernels,
    show_kernel,
)
from app.settings import load_settings
from engine.explain.modules import handling
from engine.kernels.catalog import Catalog
from engine.kernels.snapshot import Snapshot
from engine.loaders import all_policies


def run(arguments: argparse.Namespace) -> int:
    """Do the action that was asked for."""
    kernels = catalog(load_settings())
    if arguments.action == "add":
        return _add(kernels, arguments)
    if arguments.action == "check":
        return _check(kernels, arguments.kernel, as_json=arguments.json)
    if arguments.action == "show":
        details = show_kernel(kernels, arguments.kernel)
        return _show(details, kernels, as_json=arguments.json)
    listing = list_kernels(kernels)
    _list([row.snapshot for row in listing.rows], kernels, as_json=arguments.json)
    for problem in listing.problems:
        print(f"coreplay: {problem}", file=sys.stderr)
    return 0


def _add(kernels: Catalog, arguments: argparse.Namespace) -> int:
    added, modules = add_file(
        kernels,
        arguments.file,
        release=arguments.release,
        kernel=arguments.kernel,
        modules=not arguments.no_modules,
    )
    shown = {kernel.snapshot.id: kernel.snapshot for kernel in added}
    if modules is not None:
        shown[modules.snapshot.id] = modules.snapshot
    _list(shown.values(), kernels, as_json=arguments.json)
    for kernel in added:
        if not kernel.fresh:
            print(f"coreplay: {kernel.snapshot.id} was there already", file=sys.stderr)
    if modules is not None:
        without = f", {modules.without_btf} without BTF" if modules.without_btf else ""
        print(
            f"coreplay: {len(modules.names)} modules for {modules.snapshot.id}{without}; "
            f"it has {modules.total} now",
            file=sys.stderr,
        )
    return 0


def _list(snapshots: Iterable[Snapshot], known: Catalog, *, as_json: bool) -> None:
    kernels = [choices.kernel_of(snapshot, known) for snapshot in snapshots]
    if as_json:
        print(json.dumps([asdict(kernel) for kernel in kernels], indent=2))
        return
    width = max((len(kernel.id) for kernel in kernels), default=0)
    for kernel in kernels:
        types = "" if kernel.types is None else f"{kernel.types:,} types"
        size = f"{kernel.raw_bytes / 1e6:.2f} MB"
        modules = f"  {kernel.modules:,} modules" if kernel.modules else ""
        print(
            f"{kernel.id:{width}}  {kernel.byte_order:6}  {types:>15}  {size:>8}  "
            f"{kernel.origin}{modules}"
        )


def _show(details: KernelDetails, known: Catalog, *, as_json: bool) -> int:
    """Print what is known of a kernel and what is wrong with it; 1 when something is."""
    told = asdict(choices.kernel_of(details.snapshot, known))
    kinds = {} if details.health is None else {k.word: n for k, n in details.health.by_kind}
    if as_json:
        more = {"indexed": details.indexed, "kinds": kinds, "problems": details.problems}
        print(json.dumps(told | more, indent=2))
    else:
        shown = told | {"indexed": "yes" if details.indexed else "not yet"}
        shown["kinds"] = ", ".join(f"{word} {number:,}" for word, number in kinds.items())
        shown["problems"] = "none" if not details.problems else "; ".join(details.problems)
        for name, value in shown.items():
            print(f"{name.replace('_', ' '):12}  {'' if value is None else value}".rstrip())
    return 1 if details.problems else 0


def _check(known: Catalog, text: str, *, as_json: bool) -> int:
    """Look at a kernel's BTF and at that of its modules; 1 when something is wrong."""
    details = show_kernel(known, text)
    modules = check_modules(known, text)
    if as_json:
        print(json.dumps(_answer(details, modules), indent=2))
    else:
        _print_check(details, modules)
    return 1 if details.problems or modules.faults or modules.problems else 0


def _answer(details: KernelDetails, modules: ModuleCheck) -> dict[str, object]:
    faults = [
        asdict(fault) | {"loaders": {p.id: handling(p, fault) for p in all_policies()}}
        for fault in modules.faults
    ]
    return {
        "id": details.snapshot.id,
        "problems": [*details.problems, *modules.problems],
        "modules": modules.modules,
        "faults": faults,
    }


def _print_check(details: KernelDetails, modules: ModuleCheck) -> None:
    for problem in (*details.problems, *modules.problems):
        print(problem)
    kinds: dict[str, list[str]] = {}
    for fault in modules.faults:
        print(f"module {fault.module}: {fault.kind} BTF: {fault.problem}")
        kinds.setdefault(fault.kind, []).append(fault.module)
    for kind, names in kinds.items():
        print(f"\nWhile a module with {kind} BTF is loaded ({', '.join(names[:5])}):")
        fault = next(fault for fault in modules.faults if fault.kind == kind)
        for policy in all_policies():
            print(f"  {policy.id:14}  {handling(policy, fault)}")
    if not (details.problems or modules.faults or modules.problems):
        print(f"{details.snapshot.id}: nothing is wrong, {modules.modules} modules")
