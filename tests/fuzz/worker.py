"""One process that fuzzes one target, within its bounds of time and memory."""

from __future__ import annotations

import hashlib
import resource
import signal
import traceback
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from engine.errors import EngineError
from tests.fuzz.targets import TARGETS
from tests.support.tree import ROOT

FOLDER = ROOT / ".fuzz"
SECONDS = 2.0
"""Processor time that one input may take."""
MEMORY = 512 << 20
"""Bytes of address space beyond what the process has before the first input."""


class TooSlow(BaseException):
    """Not an Exception, so that nothing on the way takes it for a malformed input."""


@dataclass
class Finding:
    """An input that was not answered as it should be."""

    target: str
    data: bytes
    trace: str

    def keep(self) -> str:
        """Write the input where it can be tried again; give the words to print."""
        FOLDER.mkdir(parents=True, exist_ok=True)
        path = FOLDER / f"{self.target}-{hashlib.sha256(self.data).hexdigest()[:12]}"
        path.write_bytes(self.data)
        path.with_suffix(".txt").write_text(self.trace)
        last = self.trace.strip().splitlines()[-1]
        return f"{last[:200]}\n  ./run fuzz --try {path.relative_to(ROOT)}"


def try_one(name: str, data: bytes) -> Finding | None:
    """Run a target on one input; give what is wrong with its answer."""
    run = TARGETS[name][0]
    signal.signal(signal.SIGPROF, _too_slow)
    signal.setitimer(signal.ITIMER_PROF, SECONDS)
    try:
        run(data)
    except EngineError as error:
        if error.code == EngineError.code or not error.message:
            return Finding(name, data, f"an error without a code of its own: {error!r}")
    except (Exception, TooSlow):
        signal.setitimer(signal.ITIMER_PROF, 0)
        return Finding(name, data, traceback.format_exc())
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
    return None


def _too_slow(_signal: int, _frame: Any) -> None:
    raise TooSlow(f"more than {SECONDS} s of processor time")


def bound_memory() -> None:
    """Let this process grow by `MEMORY` and no more."""
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    limit = pages * resource.getpagesize() + MEMORY
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))


def last_place(trace: str) -> str:
    """Tell findings apart: the error's kind and the innermost line of the engine."""
    lines = [line.strip() for line in trace.splitlines()]
    places = [line for line in lines if line.startswith("File ") and "/engine/" in line]
    return f"{places[-1] if places else ''} {lines[-1].split(':')[0]}"
