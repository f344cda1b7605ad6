"""The real loaders: what builds each one's harness, and how it is asked."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from functools import partial
from itertools import groupby
from pathlib import Path
from typing import Final

from tests.conformance import build
from tests.conformance.answers import Answer, completed
from tests.conformance.jobs import Job


@dataclass(frozen=True, slots=True)
class Loader:
    """`make` gives the harness for little- or big-endian objects, or raises Unavailable.

    Without `has_modules` the loader does not look into modules, and is not told of any.
    """

    id: str
    make: Callable[[bool], Path]
    big_endian: bool = True
    has_log: bool = False
    has_modules: bool = True

    def takes(self, job: Job) -> bool:
        return (self.big_endian or not job.is_big_endian) and (self.has_log or job.stage != "log")

    def run(self, jobs: Iterable[Job]) -> dict[str, Answer]:
        """Answer all jobs, sorted by target, as harnesses keep only one in memory."""
        answers: dict[str, Answer] = {}
        ordered = sorted(jobs, key=lambda job: (job.is_big_endian, str(job.folder), str(job.btf)))
        for (big, folder), group in groupby(
            ordered, key=lambda job: (job.is_big_endian, job.folder)
        ):
            told = [job if self.has_modules else replace(job, modules=()) for job in group]
            answers |= _ask(self.make(big), folder, told)
        return answers


def _ask(harness: Path, folder: Path, jobs: list[Job]) -> dict[str, Answer]:
    lines = "".join(map(_line, jobs))
    done = subprocess.run(
        [harness], cwd=folder, input=lines, capture_output=True, text=True, check=False
    )
    answers = [json.loads(line) for line in done.stdout.splitlines()]
    if done.returncode or len(answers) != len(jobs):
        stopped = jobs[len(answers)].id if len(answers) < len(jobs) else "the end"
        raise build.Unavailable(f"{harness.name} stopped at {stopped}: {done.stderr[-2000:]}")
    return {job.id: completed(answer, job.path) for job, answer in zip(jobs, answers, strict=True)}


def _line(job: Job) -> str:
    fields = [job.id, job.object, str(job.btf), job.stage]
    if job.modules:
        fields.append(",".join(f"{name}={path}" for name, path in job.modules))
    return "\t".join(fields) + "\n"


def _libbpf(version: str, *, big_endian: bool = True) -> Loader:
    make = partial(build.libbpf, version)
    return Loader(f"libbpf@{version}", make, big_endian=big_endian, has_log=True)


def _cilium(version: str, shim: str) -> Loader:
    return Loader(f"cilium@{version}", lambda big: build.cilium(version, shim))


LOADERS: Final = (
    _libbpf("1.7.0"),
    _libbpf("1.5.0"),
    _libbpf("1.1.2", big_endian=False),
    _libbpf("0.8.0", big_endian=False),
    _cilium("0.9.1", "v0.9"),
    _cilium("0.12.3", "v0.12"),
    _cilium("0.13.0", "v0.13"),
    _cilium("0.13.1", "v0.13"),
    _cilium("0.15.0", "v0.15"),
    _cilium("0.19.0", "v0.19"),
    _cilium("0.22.0", "v0.19"),
    Loader("aya@0.14.0", lambda big: build.aya(), big_endian=False, has_modules=False),
)
"""In the order of the goldens."""
