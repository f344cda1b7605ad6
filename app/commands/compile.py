"""coreplay compile: C to a BPF object, in the jail, against a kernel's vmlinux.h."""

from __future__ import annotations

import argparse
import sys

from app.commands.files import write_bytes
from app.commands.program import compiler_request, print_diagnostics
from app.services.analyse import catalog, compile_source
from app.services.check import check_source
from app.settings import load_settings


def run(arguments: argparse.Namespace) -> int:
    """Compile one file; diagnostics and the exact command go to stderr."""
    settings = load_settings()
    kernels = catalog(settings)
    kernel = kernels.resolve(arguments.kernel) if arguments.kernel else kernels.snapshots()[0]
    request = compiler_request(arguments, arguments.source, (kernel.id,), ())
    check_source(request, settings)
    result = compile_source(request, kernels.btf)
    print_diagnostics(result.diagnostics)
    print(f"coreplay: {result.clang_version}: {result.command}", file=sys.stderr)
    write_bytes(arguments.output, result.object or b"")
    return 0
