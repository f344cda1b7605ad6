"""Fuzzing one target led by coverage: `python -m tests.fuzz.led TARGET SEED SECONDS`."""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["engine"]):
    from tests.fuzz import targets, worker


def main(name: str, seed: int, seconds: int) -> None:
    """Run libFuzzer on a folder with the seeds; the first finding ends it."""

    def one(data: bytes) -> None:
        finding = worker.try_one(name, data)
        if finding is not None:
            print(finding.keep(), flush=True)
            os._exit(1)  # libFuzzer would print the whole input

    corpus = Path(tempfile.mkdtemp(prefix="coreplay-fuzz-"))
    for number, data in enumerate(targets.TARGETS[name][1]()):
        (corpus / f"seed-{number}").write_bytes(data)
    worker.bound_memory()
    options = [f"-max_total_time={seconds}", f"-seed={seed or 1}", "-max_len=65536", "-timeout=60"]
    atheris.Setup([sys.argv[0], *options, "-rss_limit_mb=1024", str(corpus)], one)
    atheris.Fuzz()


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
