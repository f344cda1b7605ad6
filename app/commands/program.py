"""The program that a command line names, as a request."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from app.commands.files import read_bytes, read_sources
from app.services.analysis import AnalysisRequest

if TYPE_CHECKING:
    from app.services.compile import Diagnostic


def program_request(
    arguments: argparse.Namespace, kernels: tuple[str, ...], loaders: tuple[str, ...]
) -> AnalysisRequest:
    """Read F.c or F.o; what is not named *.c is taken for an object."""
    path: str = arguments.program
    if path.endswith(".c"):
        return compiler_request(arguments, path, kernels, loaders)
    return AnalysisRequest(
        object=read_bytes(path),
        object_name=Path(path).name,
        kernels=kernels,
        loaders=loaders,
        kconfig=tuple(getattr(arguments, "kconfig", ())),
    )


def compiler_request(
    arguments: argparse.Namespace,
    path: str,
    kernels: tuple[str, ...],
    loaders: tuple[str, ...],
) -> AnalysisRequest:
    """Read a C file and take the compiler's options from the command line.

    Headers beside the file that it includes by name come along.
    """
    return AnalysisRequest(
        files=read_sources(path),
        kernels=kernels,
        loaders=loaders,
        kconfig=tuple(getattr(arguments, "kconfig", ())),
        clang=arguments.clang,
        cpu=arguments.cpu,
        byte_order=arguments.byte_order,
        opt=f"O{arguments.opt.removeprefix('O')}",
        defines=tuple(arguments.defines),
    )


def print_diagnostics(diagnostics: Sequence[Diagnostic]) -> None:
    """Print the compiler's messages on stderr, as compilers do."""
    for d in diagnostics:
        print(f"{d.file}:{d.line}:{d.column}: {d.severity}: {d.text}", file=sys.stderr)
