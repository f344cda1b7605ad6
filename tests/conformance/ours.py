"""What coreplay answers, by the code behind `coreplay batch`."""

from __future__ import annotations

import json
from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path

from app.services.batch import Batch, relocated
from engine.btf.decode import Btf
from engine.btf.split import ModuleSet, parse_modules
from engine.core.candidates import Target
from engine.core.prepare import PreparedObject, prepare
from engine.core.relocate import relocate_object
from engine.elf.object import parse_object
from engine.loaders import policy_of
from engine.loaders.attach import for_loader
from tests.conformance.answers import Answer
from tests.conformance.jobs import Job

NOT_THERE = "stage-not-supported"


def run(jobs: Iterable[Job], loader: str) -> dict[str, Answer]:
    batch = Batch([Path("/")])
    answers = {}
    for job in sorted(jobs, key=lambda job: str(job.btf)):
        if job.modules:
            answers[job.id] = _with_modules(job, loader)
            continue
        line = {
            "id": job.id,
            "object": str(job.path),
            "btf": str(job.btf),
            "base_btf": None,
            "loader": loader,
            "stage": job.stage,
        }
        answers[job.id] = batch.answer(json.dumps(line))
    return answers


def _with_modules(job: Job, loader: str) -> Answer:
    policy, prepared = policy_of(loader), _object(job.path)
    return {"id": job.id} | relocated(
        prepared, for_loader(prepared, target_of(job), policy), policy
    )


def target_of(job: Job) -> Target:
    """The kernel that a job is about."""
    return Target(_btf(job.btf), _modules(job.btf, job.modules))


@lru_cache(maxsize=1)
def _modules(btf: Path, modules: tuple[tuple[str, Path], ...]) -> ModuleSet:
    return parse_modules(_btf(btf), ((name, path.read_bytes()) for name, path in modules))


def logs(jobs: Iterable[Job], loader: str) -> dict[str, str]:
    """What coreplay says that the loader prints while it relocates."""
    policy = policy_of(loader)
    said = {}
    for job in jobs:
        lines: list[str] = []
        relocate_object(
            _object(job.path),
            target_of(job),
            policy,
            debug=lambda level, text, lines=lines: lines.append(f"{level}: {text}\n"),
        )
        said[job.id] = "".join(lines)
    return said


@lru_cache(maxsize=24)
def _object(path: Path) -> PreparedObject:
    return prepare(parse_object(path.read_bytes()))


@lru_cache(maxsize=24)
def _btf(path: Path) -> Btf:
    return Btf.parse(path.read_bytes())


def links(jobs: list[Job], loader: str) -> bool:
    """Say whether coreplay has stage linked for this loader."""
    (answer,) = run(jobs[:1], loader).values()
    return not (answer["error"] and answer["error"]["code"] == NOT_THERE)
