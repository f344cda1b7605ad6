"""coreplay relocate: what loaders make of a program on a kernel."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from app.commands.files import read_bytes
from app.commands.program import print_diagnostics, program_request
from app.services.analyse import BtfOf, analyse_on, catalog, check
from app.services.analysis import Analysis, Run
from app.settings import Settings, load_settings
from engine import limits
from engine.btf.decode import Btf


def run(arguments: argparse.Namespace) -> int:
    """Print text or JSON; 1 when a run was refused."""
    settings = load_settings()
    kernels, btf_of = _kernels(arguments, settings)
    request = program_request(arguments, kernels, tuple(arguments.loader))
    check(request, settings, kernels=kernels)
    analysis = analyse_on(request, btf_of)
    if analysis.compile is not None:
        print_diagnostics(analysis.compile.diagnostics)
    sys.stdout.write(_rendered(analysis, as_json=arguments.json))
    return 1 if any(_refused(run) for run in analysis.runs) else 0


def _refused(run: Run) -> bool:
    """Tell whether the loader gave no code for some function."""
    if run.result is None or run.result.error is not None:
        return True
    return any(function.error is not None for function in run.result.functions)


def _kernels(arguments: argparse.Namespace, settings: Settings) -> tuple[tuple[str, ...], BtfOf]:
    if arguments.btf is None:
        known = catalog(settings)
        return tuple(known.resolve(name).id for name in arguments.kernel), known.btf
    btf = Btf.parse(read_bytes(arguments.btf, limit=limits.BTF_BYTES))
    return (Path(arguments.btf).name,), lambda _: btf


def _rendered(analysis: Analysis, *, as_json: bool) -> str:
    if as_json:
        from app.views.analysis_json import analysis_bytes  # late: the other form needs it not

        return analysis_bytes(analysis).decode() + "\n"
    from app.views.analysis_text import analysis_text

    return analysis_text(analysis)
