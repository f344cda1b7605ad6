"""Fuzzing one target by chance alone: `python -m tests.fuzz.plain TARGET SEED SECONDS`."""

from __future__ import annotations

import gc
import sys
import time
from random import Random

from tests.fuzz.mutate import mutate
from tests.fuzz.targets import TARGETS
from tests.fuzz.worker import bound_memory, last_place, try_one


def main(name: str, seed: int, seconds: int) -> int:
    """Try the seeds as they are, then changed ones; give 1 when something was found.

    What was found at the same line of the engine is told once.
    """
    seeds = TARGETS[name][1]()
    random, known, tried = Random(seed), set(), 0
    waiting = list(seeds)
    bound_memory()
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        data = waiting.pop() if waiting else mutate(random.choice(seeds), random, seeds)
        finding = try_one(name, data)
        tried += 1
        if finding is not None:
            place = last_place(finding.trace)
            if place not in known:
                known.add(place)
                print(finding.keep(), flush=True)
            gc.collect()
    print(f"{tried:,} inputs, {tried / seconds:.0f} a second")
    return 1 if known else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3])))
