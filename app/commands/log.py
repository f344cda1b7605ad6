"""coreplay log: what a log of a verifier or a loader says, with or without the object."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator
from typing import BinaryIO, Final

from app.commands.explain import prepared_program
from app.errors import AppError
from app.services.analyse import catalog
from app.settings import load_settings
from engine.core.candidates import Target
from engine.explain.log_facts import LogReport
from engine.explain.logs import read_log

_CHUNK: Final = 1 << 20


def run(arguments: argparse.Namespace) -> int:
    """Print what was found as text or JSON."""
    if arguments.log == "-":
        report = read_log(_chunks(sys.stdin.buffer))
    else:
        try:
            with open(arguments.log, "rb") as file:
                report = read_log(_chunks(file))
        except OSError as problem:
            raise AppError(
                f"Cannot read {arguments.log}: {problem.strerror}",
                code="file-unreadable",
                place=arguments.log,
            ) from None
    if arguments.program is not None:
        report = _placed(report, arguments)
    sys.stdout.write(_rendered(report, as_json=arguments.json))
    return 0


def _chunks(file: BinaryIO) -> Iterator[bytes]:
    while chunk := file.read(_CHUNK):
        yield chunk


def _placed(report: LogReport, arguments: argparse.Namespace) -> LogReport:
    """Look the findings up in the object; C is compiled for the kernel."""
    from engine.explain.log_place import place  # late: logs alone need no loader
    from engine.loaders import all_policies, policy_of

    settings = load_settings()
    known = catalog(settings)
    if arguments.kernel is None and arguments.program.endswith(".c"):
        raise AppError(
            "C is compiled for a kernel, and none was given",
            code="kernel-missing",
            place="--kernel",
            hint="Give --kernel, or the object that was loaded.",
        )
    asked = arguments.kernel or known.snapshots()[0].id
    kernel = known.resolve(asked).id
    policy = policy_of(arguments.loader) if arguments.loader else None
    loader = policy.id if policy else all_policies()[0].id
    prepared = prepared_program(arguments, settings, kernel, loader)
    if arguments.kernel is None:
        return place(report, prepared, None, policy)
    release = known.snapshot(kernel).release
    return place(report, prepared, Target(known.btf(kernel)), policy, release)


def _rendered(report: LogReport, *, as_json: bool) -> str:
    if as_json:
        from app.views.explain_json import report_json  # late: the other form needs it not

        return json.dumps(report_json(report), indent=2) + "\n"
    from app.views.log_text import report_text

    return report_text(report)
