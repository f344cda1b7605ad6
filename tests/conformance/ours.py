"""What coreplay answers, by the code behind `coreplay batch`."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path

from app.services.batch import Batch
from tests.conformance.answers import Answer
from tests.conformance.jobs import Job

NOT_THERE = "stage-not-supported"


def run(jobs: Iterable[Job], loader: str) -> dict[str, Answer]:
    batch = Batch([Path("/")])
    answers = {}
    for job in sorted(jobs, key=lambda job: str(job.btf)):
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


def links(jobs: list[Job], loader: str) -> bool:
    """Say whether coreplay has stage linked for this loader."""
    (answer,) = run(jobs[:1], loader).values()
    return not (answer["error"] and answer["error"]["code"] == NOT_THERE)
