"""coreplay check: verdicts and findings for many kernels and loaders, for people and pipelines."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from app.commands.files import read_bytes
from app.commands.program import print_diagnostics, program_request
from app.services.analyse import catalog
from app.services.analysis import AnalysisRequest
from app.services.check import check_source
from app.services.gate import (
    ALL,
    Check,
    FailOn,
    KernelChooser,
    check_program,
    choose_loaders,
)
from app.settings import load_settings
from engine import limits
from engine.btf.decode import Btf
from engine.core.policy import LoaderPolicy
from engine.kernels.catalog import Catalog
from engine.lint.scene import Kernel


def run(arguments: argparse.Namespace) -> int:
    """Print the answer; 1 where a finding is as bad as --fail-on."""
    asked = read_choices(arguments)
    found = check_program(asked.request, asked.kernels, asked.policies)
    if found.compile is not None:
        print_diagnostics(found.compile.diagnostics)
    sys.stdout.write(_rendered(found, arguments.format, arguments.fail_on))
    refused = False
    if arguments.verify:
        from app.commands.verify import verify_checked  # late: it needs the machines' side

        out = sys.stdout if arguments.format == "text" else sys.stderr
        refused = verify_checked(asked.request, asked.kernels, out)
    return 1 if refused or found.fails(arguments.fail_on) else 0


class Choices(NamedTuple):
    """What a command line with --kernels and --loaders asks for."""

    request: AnalysisRequest
    kernels: tuple[Kernel, ...]
    policies: tuple[LoaderPolicy, ...]
    catalog: Catalog


def read_choices(arguments: argparse.Namespace) -> Choices:
    """Find the kernels and loaders, read the program."""
    settings = load_settings()
    policies = choose_loaders(_words(arguments.loaders))
    known = catalog(settings)
    chooser = KernelChooser(known, arguments.modules, _read_btf)
    kernels = chooser.choose(_words(arguments.kernels) if arguments.kernels else [ALL])
    names = tuple(kernel.id for kernel in kernels)
    request = program_request(arguments, names, tuple(policy.id for policy in policies))
    if request.object is None:
        check_source(request, settings)
    return Choices(request, kernels, policies, known)


def _words(given: Sequence[str]) -> list[str]:
    """Split `a,b`; a file's name with a comma in it has to be given by itself."""
    found: list[str] = []
    for text in given:
        found += [text] if Path(text).exists() else text.split(",")
    return [word for word in found if word]


def _read_btf(path: str) -> Btf:
    return Btf.parse(read_bytes(path, limit=limits.BTF_BYTES))


def _rendered(check: Check, form: str, fail_on: FailOn) -> str:
    """Imports only the form that is asked for."""
    if form == "json":
        from app.views.check_json import check_json_text

        return check_json_text(check)
    if form == "sarif":
        from app.views.sarif import sarif_text

        return sarif_text(check)
    if form == "junit":
        from app.views.junit import junit

        return junit(check, fail_on)
    if form == "markdown":
        from app.views.check_markdown import check_markdown

        return check_markdown(check)
    if form == "github":
        from app.views.check_github import check_github

        return check_github(check)
    from app.views.check_text import check_text

    colour = sys.stdout.isatty() and not os.environ.get("NO_COLOR")
    return check_text(check, colour=colour)
