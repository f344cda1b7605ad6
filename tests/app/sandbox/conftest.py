"""Real clangs in a real jail; without them these tests are skipped, except in CI."""

from __future__ import annotations

import contextlib
import os
import secrets
import time
from pathlib import Path

import pytest

from app.sandbox import clang as clangs
from app.sandbox import jail
from app.sandbox.clang import Clang

IN_CI = os.environ.get("CI") == "true"


def missing(what: str) -> None:
    """Skip loudly; in CI fail."""
    if IN_CI:
        pytest.fail(what)
    pytest.skip(what)


@pytest.fixture
def real_jail(monkeypatch: pytest.MonkeyPatch) -> None:
    """A jail that is one, whatever COREPLAY_JAIL says outside."""
    monkeypatch.delenv(jail.MODE_VARIABLE, raising=False)
    status = jail.available()
    if not status.ok:
        missing(f"no jail here: {status.reason} {status.hint}")


@pytest.fixture
def clang(real_jail: None) -> Clang:
    """The newest clang."""
    found = clangs.installed()
    if not found:
        missing("no clang >= 14 here")
    return found[0]


@pytest.fixture(params=[c.major for c in clangs.installed()] or [None])
def each_clang(request: pytest.FixtureRequest, clang: Clang) -> Clang:
    """Every clang of this machine in turn."""
    return clangs.choose(request.param)


class Gone:
    """Looks for processes by a number in their command line that nobody else uses."""

    def __init__(self, mark: str) -> None:
        self.mark = mark
        self._commands = {f"{sleep}\0{mark}\0".encode() for sleep in ("sleep", "/usr/bin/sleep")}

    def alive(self) -> bool:
        for path in Path("/proc").glob("[0-9]*/cmdline"):
            with contextlib.suppress(OSError):
                if path.read_bytes() in self._commands:
                    return True
        return False

    def wait_until_there(self) -> None:
        assert self._within(10.0, present=True), "it never started"

    def check(self) -> None:
        assert self._within(3.0, present=False), "a process is left"

    def _within(self, seconds: float, *, present: bool) -> bool:
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            if self.alive() == present:
                return True
            time.sleep(0.02)
        return False


@pytest.fixture
def gone() -> Gone:
    """A mark for this test's processes."""
    return Gone(f"{secrets.randbelow(10**6) + 10**6}.{secrets.randbelow(10**9)}")
