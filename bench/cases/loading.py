"""Whole loads, beside the real loaders where `./run conformance` has built them."""

from __future__ import annotations

import json
import lzma
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from time import perf_counter

from bench.figures import Figure, Skipped, milliseconds, yardstick
from engine.btf.index import build_index, open_index
from engine.core.prepare import prepare
from engine.core.relocate import Target, relocate_object
from engine.elf.object import parse_object
from engine.kernels.cache import write_atomically
from engine.kernels.catalog import COMMITTED
from engine.loaders import all_policies, policy_of
from tests.support.libbpf_tools import objects
from tests.support.tree import ROOT

KERNEL = "6.1.0-56-amd64"
LOADER = "libbpf@1.7.0"
HARNESSES = {
    "libbpf's process": ROOT / "build" / "conformance" / "libbpf-1.7.0" / "harness-el",
    "cilium/ebpf's process": ROOT / "build" / "conformance" / "cilium-0.22.0" / "harness",
}
KERNELS, LOADERS = 24, 8
CORPUS = ROOT / "tests" / "golden"


def measure() -> Iterator[Figure]:
    """One object in this process, on many kernels, through the command line, and in batch."""
    found = objects().get("execsnoop")
    if found is None:
        raise Skipped("the package libbpf-tools is not installed")
    raw = lzma.decompress((COMMITTED / f"{KERNEL}.btf.xz").read_bytes())
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "execsnoop.o").write_bytes(found)
        (folder / "kernel.btf").write_bytes(raw)
        yield from _one_object(found, raw, folder)
        yield from _many_kernels(found, raw, folder)
        yield from _commands(folder)
    yield _batch()


def _one_object(found: bytes, raw: bytes, folder: Path) -> Iterator[Figure]:
    index = folder / "kernel.idx"
    index.write_bytes(build_index(raw))
    target, policy = Target(open_index(index)), policy_of(LOADER)
    spent = milliseconds(
        lambda: relocate_object(parse_object(found), target, policy), times=30, warm=5
    )
    plain = milliseconds(yardstick, times=20)
    yield Figure("execsnoop, read and relocated", spent, "ms", 3.0, plain, "100,000 squares")
    for words, harness in HARNESSES.items():
        if harness.exists():
            real = milliseconds(partial(_ask, harness, folder), times=9, clock=perf_counter)
            yield Figure("the same", spent, "ms", 3.0, real, words)


def _ask(harness: Path, folder: Path) -> None:
    job = "\t".join(("1", "execsnoop.o", "kernel.btf", "core")) + "\n"
    done = subprocess.run([harness], cwd=folder, input=job, capture_output=True, text=True)
    assert "insns" in done.stdout, done.stderr


def _many_kernels(found: bytes, raw: bytes, folder: Path) -> Iterator[Figure]:
    before = _resident()
    content = build_index(raw)
    targets = []
    for number in range(KERNELS):
        path = folder / f"{number}.idx"
        write_atomically(path, content)
        targets.append(Target(open_index(path)))
    policies = all_policies()[:LOADERS]

    def everything() -> None:
        prepared = prepare(parse_object(found))
        for target in targets:
            for policy in policies:
                relocate_object(prepared, target, policy)

    spent = milliseconds(everything, times=5)
    plain = milliseconds(yardstick, times=20)
    yield Figure(
        f"{KERNELS} kernels x {LOADERS} loaders", spent, "ms", 500.0, plain, "100,000 squares"
    )
    yield Figure(f"this process with {KERNELS} kernels", _resident(), "MB", 150.0, before, "before")


def _resident() -> float:
    """Proportional memory of this process in MB: what it shares counts in part."""
    rows = Path("/proc/self/smaps_rollup").read_text().splitlines()
    return next(int(row.split()[1]) for row in rows if row.startswith("Pss:")) / 1024


def _commands(folder: Path) -> Iterator[Figure]:
    start = milliseconds(lambda: _run("-c", "pass"), times=9, clock=perf_counter)
    told = milliseconds(lambda: _run("-m", "app.cli", "--help"), times=9, clock=perf_counter)
    yield Figure("coreplay --help", told, "ms", 120.0, start, "starting Python")
    words = ("relocate", str(folder / "execsnoop.o"), "--kernel", KERNEL, "--loader", LOADER)
    told = milliseconds(lambda: _run("-m", "app.cli", *words), times=9, clock=perf_counter)
    yield Figure("coreplay relocate", told, "ms", 250.0, start, "starting Python")


def _run(*words: str) -> None:
    done = subprocess.run((sys.executable, *words), capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 0, done.stderr


def _batch() -> Figure:
    """300 jobs of the corpus in a process of their own, its start included."""
    with lzma.open(CORPUS / "goldens.jsonl.xz", "rt") as lines:
        jobs = [json.loads(line) for line in lines if "own-" in line][:6000:20]
    wanted = ("id", "object", "btf", "base_btf", "loader", "stage")
    text = "".join(json.dumps({key: job[key] for key in wanted}) + "\n" for job in jobs)
    command = (sys.executable, "-m", "app.cli", "batch", "-")

    def answer() -> None:
        done = subprocess.run(command, input=text, capture_output=True, text=True, cwd=CORPUS)
        assert done.stdout.count("\n") == len(jobs), done.stderr
        assert "file-unreadable" not in done.stdout

    spent = milliseconds(answer, times=3, clock=perf_counter) * 300 / len(jobs)
    plain = milliseconds(yardstick, times=20)
    return Figure("300 jobs of coreplay batch", spent, "ms", 1000.0, plain, "100,000 squares")
