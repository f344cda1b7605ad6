"""coreplay batch: one answer line per job line, in order."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable
from pathlib import Path

from app.errors import AppError
from app.services.batch import Batch


def run(arguments: argparse.Namespace) -> int:
    """Answer all jobs; what a job gets wrong stands in its answer, and the code is 0.

    Relative paths count from the current folder, then from that of the job file.
    """
    if arguments.jobs == "-":
        return _answer(sys.stdin.buffer, Batch([Path()]))
    path = Path(arguments.jobs)
    try:
        file = path.open("rb")
    except OSError as problem:
        raise AppError(
            f"Cannot read {path}: {problem.strerror}", code="file-unreadable", place=str(path)
        ) from None
    with file:
        return _answer(file, Batch([Path(), path.parent]))


def _answer(lines: Iterable[bytes], batch: Batch) -> int:
    """Write and flush line by line, so that a program can talk to us through pipes."""
    for answer in batch.answers(line.decode("utf-8", "replace") for line in lines):
        print(answer, flush=True)
    return 0
