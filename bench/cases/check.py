"""`coreplay check` as a process, start to exit: execsnoop on six kernels with three loaders."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from time import perf_counter

from bench.figures import Figure, Skipped, milliseconds
from engine.elf.object import parse_object
from engine.kernels.catalog import COMMITTED
from tests.support.libbpf_tools import objects

LOADERS = "libbpf,cilium,aya"
START = (sys.executable, "-c", "pass")


def measure() -> Iterator[Figure]:
    """Give the wall-clock time; the arm64 and s390x kernels are among the six."""
    found = objects().get("execsnoop")
    if found is None:
        raise Skipped("the package libbpf-tools is not installed")
    assert parse_object(found).byte_order == "little"
    assert len(list(COMMITTED.glob("*.btf.xz"))) >= 6
    with tempfile.TemporaryDirectory() as folder:
        program = Path(folder) / "execsnoop.o"
        program.write_bytes(found)
        command = (sys.executable, "-m", "app.cli", "check", str(program), "--loaders", LOADERS)
        reference = milliseconds(lambda: _run(START), times=5, clock=perf_counter)
        yield Figure(
            "coreplay check, execsnoop, 6 x 3",
            milliseconds(lambda: _run(command), times=5, clock=perf_counter),
            "ms",
            1500.0,
            reference,
            "starting Python",
        )


def _run(command: tuple[str, ...]) -> None:
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
