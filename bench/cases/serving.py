"""The server: Run with the default example, compile included, and memory with all kernels open."""

from __future__ import annotations

import itertools
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from time import perf_counter

from bench.figures import Figure, Skipped, milliseconds
from bench.server import Server, running

ROOT = Path(__file__).resolve().parents[2]
EXAMPLE = ROOT / "app/learn/examples/enum-1348.bpf.c"
LOADERS = ("libbpf@1.7.0", "cilium@0.13.0")
MB = 1e6


def measure() -> Iterator[Figure]:
    """Time requests from outside, which is a little more than the server's own time."""
    with running() as server:
        kernels = [path.name.removesuffix(".btf.xz") for path in _kernels()]
        numbers = itertools.count()
        for kernel in kernels:  # as often as there may be workers, so that each has it open
            for _ in range(4):
                _run(server, kernel, next(numbers))
        yield Figure(
            "Run, default example, two loaders",
            milliseconds(
                lambda: _run(server, "6.1.0-56-amd64", next(numbers)),
                times=25,
                warm=5,
                clock=perf_counter,
            ),
            "ms",
            200.0,
            milliseconds(_empty_file, times=10, clock=perf_counter),
            "clang on an empty file",
        )
        alone, together = server.memory()
        bare = _bare_python()
        yield Figure("server process, RSS", alone / MB, "MB", 200.0, bare, "Python with FastAPI")
        yield Figure("with its workers, PSS", together / MB, "MB", 200.0, bare, "the same")


def _kernels() -> list[Path]:
    return sorted((ROOT / "engine/kernels/data").glob("*.btf.xz"))


def _run(server: Server, kernel: str, number: int) -> None:
    """Send the example with a comment of its own, so that no answer is one from before."""
    order = "big" if "s390x" in kernel else "little"
    body = {
        "source": f"{EXAMPLE.read_text()}// {number}\n",
        "kernels": [kernel],
        "loaders": list(LOADERS),
        "byte_order": order,
    }
    server.post("/api/v1/analyses", body)


def _empty_file() -> None:
    clang = next((c for n in range(40, 13, -1) if (c := shutil.which(f"clang-{n}"))), None)
    if clang is None:
        raise Skipped("no clang-N is installed")
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "empty.c").touch()
        command = [clang, "-target", "bpf", "-g", "-O2", "-c", "empty.c", "-o", "empty.o"]
        subprocess.run(command, cwd=folder, check=True)


def _bare_python() -> float:
    """RSS in MB of a process that has imported the framework and nothing of ours."""
    code = "import fastapi, uvicorn; print(open('/proc/self/smaps_rollup').read())"
    command = [sys.executable, "-c", code]
    text = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    (line,) = [line for line in text.splitlines() if line.startswith("Rss:")]
    return int(line.split()[1]) * 1024 / MB
