"""Fuzz every target for some minutes: `python -m tests.fuzz MINUTES [TARGET ...]`.

With atheris (requirements/fuzz.txt) inputs are led by coverage; without, by chance alone.
Inputs that were answered wrongly are kept in .fuzz, with their traceback; `--try FILE` runs one.
"""

from __future__ import annotations

import argparse
import importlib.util
import os
import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

from tests.fuzz.targets import TARGETS
from tests.fuzz.worker import FOLDER, try_one
from tests.support.tree import ROOT


def main() -> int:
    """Give 1 when something was found."""
    parser = argparse.ArgumentParser(prog="./run fuzz", description=__doc__)
    parser.add_argument("minutes", type=float, nargs="?", default=2.0)
    parser.add_argument("targets", nargs="*", choices=[*TARGETS, []], default=[])
    parser.add_argument("--seed", type=int, default=int.from_bytes(os.urandom(4)))
    parser.add_argument("--try", dest="file", type=Path, help="run one kept input")
    parser.add_argument("--plain", action="store_true", help="without atheris")
    arguments = parser.parse_intermixed_args()
    if arguments.file is not None:
        finding = try_one(arguments.file.name.partition("-")[0], arguments.file.read_bytes())
        print(finding.trace if finding else "answered as it should be")
        return 1 if finding else 0
    names = arguments.targets or list(TARGETS)
    led = not arguments.plain and importlib.util.find_spec("atheris") is not None
    print(f"fuzzing {', '.join(names)} for {arguments.minutes:g} min, seed {arguments.seed}, "
          f"{'led by coverage (atheris)' if led else 'without coverage'}")  # fmt: skip
    cores = os.cpu_count() or 1
    seconds = arguments.minutes * 60 / max(len(names) / cores, 1)
    one = partial(_one, seed=arguments.seed, seconds=int(seconds) or 1, led=led)
    with ThreadPoolExecutor(cores) as pool:
        failed = [name for name, ok in zip(names, pool.map(one, names), strict=True) if not ok]
    print(f"findings in {', '.join(failed)}, kept in {FOLDER}" if failed else "nothing found")
    return 1 if failed else 0


def _one(name: str, *, seed: int, seconds: int, led: bool) -> bool:
    """Fuzz one target in a process of its own; tell whether nothing was found."""
    module = "tests.fuzz.led" if led else "tests.fuzz.plain"
    command = [sys.executable, "-m", module, name, str(seed), str(seconds)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    told = re.search(r"^Done (\d+) runs", done.stderr, re.MULTILINE)  # libFuzzer's last words
    if told:
        print(f"{name}: {int(told[1]):,} inputs", flush=True)
    for line in done.stdout.splitlines():
        print(f"{name}: {line}", flush=True)
    if done.returncode and not done.stdout:
        print(done.stderr[-2000:], flush=True)
    return not done.returncode


if __name__ == "__main__":
    sys.exit(main())
