"""coreplay relocate: what loaders make of a program on a kernel."""

from __future__ import annotations

import argparse
import sys
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

from app.commands.files import read_bytes
from app.commands.program import print_diagnostics, program_request
from app.errors import AppError
from app.services.analyse import (
    BtfOf,
    ModulesOf,
    analyse_on,
    catalog,
    check,
    chosen_modules,
)
from app.services.analysis import Analysis, Run
from app.settings import Settings, load_settings
from engine import limits
from engine.btf.decode import Btf
from engine.btf.split import ModuleSet
from engine.loaders import prints_debug_lines

if TYPE_CHECKING:
    from engine.core.work import DebugSink


class Kernels(NamedTuple):
    """The kernels of a command line, and where their types and modules come from."""

    ids: tuple[str, ...]
    btf_of: BtfOf
    modules_of: ModulesOf | None = None


def run(arguments: argparse.Namespace) -> int:
    """Print text or JSON; 1 when a run was refused."""
    settings = load_settings()
    kernels = find_kernels(arguments, settings)
    request = program_request(arguments, kernels.ids, tuple(arguments.loader))
    check(request, settings, kernels=kernels.ids)
    analysis = analyse_on(
        request,
        kernels.btf_of,
        modules_of=kernels.modules_of,
        debug_of=_log if arguments.debug_log else None,
    )
    if analysis.compile is not None:
        print_diagnostics(analysis.compile.diagnostics)
    sys.stdout.write(_rendered(analysis, as_json=arguments.json))
    return 1 if any(_refused(run) for run in analysis.runs) else 0


def _refused(run: Run) -> bool:
    """Tell whether the loader gave no code for some function."""
    if run.result is None or run.result.error is not None:
        return True
    return any(function.error is not None for function in run.result.functions)


def find_kernels(arguments: argparse.Namespace, settings: Settings) -> Kernels:
    """Read --kernel, --btf, --base-btf and --module."""
    if arguments.base_btf and (arguments.btf is None or arguments.modules):
        raise AppError(
            "--base-btf says what the split BTF of --btf extends",
            code="bad-request",
            place="--base-btf",
            hint="Give --base-btf VMLINUX --btf MODULE, or --kernel ID --module NAME.",
        )
    if arguments.btf is None:
        return _catalogued(arguments, settings)
    if arguments.modules:
        raise AppError(
            "--module takes modules of a --kernel",
            code="bad-request",
            place="--module",
            hint="Give a module's own file with --base-btf VMLINUX --btf MODULE.",
        )
    if arguments.base_btf is None:
        btf = _read(arguments.btf)
        return Kernels((arguments.btf.rpartition("/")[2],), lambda _: btf)
    base = _read(arguments.base_btf)
    data = read_bytes(arguments.btf, limit=limits.MODULE_BYTES)
    from engine.kernels.module_store import module_btf  # late: most runs need none

    module = module_btf(data, arguments.btf, base)
    name = _stem(arguments.btf)
    modules = ModuleSet.of([(name, module)])
    return Kernels((f"{_stem(arguments.base_btf)}+{name}",), lambda _: base, lambda _: modules)


def _catalogued(arguments: argparse.Namespace, settings: Settings) -> Kernels:
    known = catalog(settings)
    ids = tuple(known.resolve(name).id for name in arguments.kernel)
    if not arguments.modules:
        return Kernels(ids, known.btf)
    modules_of = partial(chosen_modules, known, arguments.modules)
    for kernel in ids:
        # a wrong name is the command line's mistake, not a loader's
        if not modules_of(kernel).names:
            print(f"coreplay: no modules were added to {kernel}", file=sys.stderr)
    return Kernels(ids, known.btf, modules_of)


def _read(path: str) -> Btf:
    return Btf.parse(read_bytes(path, limit=limits.BTF_BYTES))


def _stem(path: str) -> str:
    return path.rpartition("/")[2].removesuffix(".btf")


def _log(kernel: str, loader: str) -> DebugSink | None:
    """Print what libbpf prints, on stderr; other loaders tell nothing of the kind."""
    if not prints_debug_lines(loader):
        print(f"coreplay: {loader} prints no debug lines", file=sys.stderr)
        return None
    print(f"coreplay: {loader} on {kernel}:", file=sys.stderr)
    return lambda _, text: print(f"libbpf: {text}", file=sys.stderr)


def _rendered(analysis: Analysis, *, as_json: bool) -> str:
    if as_json:
        from app.views.analysis_json import analysis_bytes  # late: the other form needs it not

        return analysis_bytes(analysis).decode() + "\n"
    from app.views.analysis_text import analysis_text

    return analysis_text(analysis)
