"""Guests for tests: real kernels from Debian's archive, kept in .cache between runs.

The first run downloads and boots each; later runs find the templates as long as kernel, init and
QEMU stay the same. Nothing here is fetched by a test that needs no guest.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import functools
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from app.errors import AppError
from app.sandbox.vm.protocol import GuestProgram, GuestRequest
from app.sandbox.vm.store import Guest, GuestStore
from app.sandbox.vm.template import Templates
from app.services.vm import add_guest
from engine.insn.codec import encode_insns
from engine.kernels.catalog import Catalog
from tests.support.asm import Code, exit_, mov_imm
from tests.support.tree import ROOT

CACHE = Path(os.environ.get("COREPLAY_TEST_CACHE", ROOT / ".cache"))
SERIES = ("5.10", "6.1", "6.12", "newest")
XDP, SOCKET_FILTER = 6, 1
HASH, ARRAY, PROG_ARRAY, PERCPU_ARRAY, ARRAY_OF_MAPS, RINGBUF = 1, 2, 3, 6, 12, 27
PATIENT = 30.0
"""Seconds for an answer where the deadline is not what is tested: machines may be busy."""


@functools.cache
def guest(series: str, *, misbehave: bool = False) -> tuple[Templates, Guest]:
    """Give a guest with its template; raises AppError where there can be none here."""
    folder = CACHE / ("vm-misbehave" if misbehave else "vm")
    templates = Templates(GuestStore(folder), misbehave=misbehave)
    with _one_builder(folder):  # processes of one test run share what the first of them makes
        return templates, _found_or_made(series, folder, templates)


@contextlib.contextmanager
def _one_builder(folder: Path) -> Iterator[None]:
    """Wait until no other process of tests fetches or boots; two at once are slower than one."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)  # ends with the file, also after a crash
        yield


def _found_or_made(series: str, folder: Path, templates: Templates) -> Guest:
    kept = folder / f"newest-{series}"
    name = kept.read_text() if kept.is_file() else ""
    found = next((g for g in templates.store.guests() if g.id == name), None)
    if found is None and templates.misbehave:  # the same kernel with another init
        found = guest(series)[1]
        source, copy = (base / "guests" / found.id for base in (CACHE / "vm", folder))
        shutil.copytree(source, copy, dirs_exist_ok=True)
        kept.write_text(found.id)
    if found is None:
        known = Catalog(CACHE / "vm-kernels", CACHE / "vm-kernels" / "cache")
        found = asyncio.run(add_guest(series, templates, known)).guest
        kept.write_text(found.id)
    elif templates.find(found) is None:
        asyncio.run(templates.build(found))
    return found


def reason_against() -> str:
    """Say why there are no guests here; empty where there are."""
    try:
        guest("6.1")
    except AppError as error:
        return f"{error.message} ({error.hint})" if error.hint else error.message
    return ""


def require() -> None:
    """Skip a test where there can be no guests; fail it in CI."""
    reason = reason_against()
    if reason and os.environ.get("CI") == "true":
        pytest.fail(f"no guests: {reason}")
    if reason:
        pytest.skip(f"NO REAL KERNEL IS TESTED: {reason}")


def program(code: Code = (), name: str = "prog", **fields: object) -> GuestProgram:
    """A program that returns 0 unless told otherwise, an XDP one unless told otherwise."""
    slots = encode_insns(code or mov_imm(0, 0) + exit_(), "little")
    return GuestProgram(name, **{"type": XDP, "instructions": slots, **fields})


def request(*programs: GuestProgram, **fields: object) -> GuestRequest:
    """A request with these programs."""
    return GuestRequest(programs=programs, **fields)


def descendants(pid: int) -> set[int]:
    """All processes below one."""
    found: set[int] = set()
    waiting = [pid]
    while waiting:
        for path in Path(f"/proc/{waiting.pop()}/task").glob("*/children"):
            try:
                children = {int(word) for word in path.read_text().split()}
            except OSError:
                continue
            waiting += children - found
            found |= children
    return found


def running(pids: set[int]) -> set[int]:
    """Those that are there and no zombies."""
    found = set()
    for pid in pids:
        try:
            state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        except OSError:
            continue
        if state != "Z":
            found.add(pid)
    return found


def left_over() -> set[str]:
    """Programs of guests below this process, zombies as well."""
    found = set()
    for pid in descendants(os.getpid()):
        try:
            found.add(Path(f"/proc/{pid}/comm").read_text().strip())
        except OSError:
            continue
    return {name for name in found if name.startswith(("qemu", "bwrap", "setpriv", "prlimit"))}
