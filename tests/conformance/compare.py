"""Compares coreplay with the real loaders over sets of jobs, and counts."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import zip_longest

from tests.conformance import ours
from tests.conformance.answers import difference
from tests.conformance.build import Unavailable
from tests.conformance.jobs import Job
from tests.conformance.loaders import Loader

_SHOWN = 8


@dataclass
class Tally:
    """What came of one loader and stage; `skipped` says why there is nothing to count."""

    loader: str
    stage: str
    identical: int = 0
    compared: int = 0
    texts: int = 0
    errors: int = 0
    differences: list[str] = field(default_factory=list)
    skipped: str = ""

    @property
    def is_wrong(self) -> bool:
        return bool(self.differences)

    def line(self) -> str:
        name = f"{self.loader:<14}{self.stage:<8}"
        if self.skipped:
            return f"{name}skipped: {self.skipped}"
        texts = f", error texts {self.texts}/{self.errors}" if self.errors else ""
        return f"{name}identical {self.identical}/{self.compared}{texts}"


def compare(loader: Loader, jobs: Iterable[Job], stage: str) -> Tally:
    """Ask both about each job that the loader takes."""
    tally = Tally(loader.id, stage)
    asked = [job for job in jobs if loader.takes(job)]
    if not asked:
        tally.skipped = "it takes none of these objects"
    elif stage == "linked" and not ours.links(asked, loader.id):
        tally.skipped = "coreplay does not link for this loader"
    else:
        try:
            count = _count_logs if stage == "log" else _count
            count(loader, asked, tally)
        except Unavailable as reason:
            tally.skipped = str(reason)
    return tally


def _count(loader: Loader, jobs: Sequence[Job], tally: Tally) -> None:
    real = loader.run(jobs)
    mine = ours.run(jobs, loader.id)
    for job in jobs:
        theirs, own = real[job.id], mine[job.id]
        found = difference(theirs, own, job)
        tally.compared += 1
        if found is None:
            tally.identical += 1
        else:
            tally.differences.append(f"{job.id}: {found}")
        for wanted, given in _error_pairs(theirs, own):
            if wanted["text"].startswith(f"file {job.object}: "):
                wanted["text"] = wanted["text"].partition(": ")[2]
            tally.errors += 1
            tally.texts += wanted == given


def _count_logs(loader: Loader, jobs: Sequence[Job], tally: Tally) -> None:
    real = loader.run(jobs)
    mine = ours.logs(jobs, loader.id)
    for job in jobs:
        # before 1.2, libbpf ends one warning in a newline and a blank
        theirs = [line.lstrip() for line in real[job.id]["log"].splitlines()]
        own = mine[job.id].splitlines()
        tally.compared += 1
        if theirs == own:
            tally.identical += 1
            continue
        pairs = zip_longest(theirs, own, fillvalue="the end")
        number, (wanted, given) = next(
            (number, pair) for number, pair in enumerate(pairs, 1) if pair[0] != pair[1]
        )
        tally.differences.append(f"{job.id}: line {number} is {given!r}, not {wanted!r}")


def _error_pairs(real: dict, own: dict) -> Iterable[tuple[dict, dict | None]]:
    """Pair errors at the same place, for a count of those in the loader's own words."""
    if real["error"]:
        yield real["error"], own["error"]
        return
    for name, program in real["programs"].items():
        if program["error"]:
            yield program["error"], own["programs"].get(name, {}).get("error")


def report(title: str, tallies: Iterable[Tally]) -> bool:
    """Print a table and the first differences; True where there is none."""
    print(f"\n{title}", flush=True)
    good = True
    for tally in tallies:
        print(f"  {tally.line()}", flush=True)
        for text in tally.differences[:_SHOWN]:
            print(f"      {text}")
        if len(tally.differences) > _SHOWN:
            print(f"      and {len(tally.differences) - _SHOWN} more")
        good &= not tally.is_wrong
    return good
