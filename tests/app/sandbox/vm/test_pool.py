"""Clones stand ready, are used once, and go with whoever owns them."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

from app.errors import AppError
from app.sandbox.vm import pool as pool_module
from app.sandbox.vm import template as templates_module
from app.sandbox.vm.pool import Pool
from app.sandbox.vm.qemu import qemu_path
from app.sandbox.vm.snapshot import STATE_FILE
from app.sandbox.vm.store import GuestStore, TemplateRecord
from app.sandbox.vm.template import WARM, Templates
from tests.support.guests import (
    CACHE,
    PATIENT,
    descendants,
    guest,
    left_over,
    program,
    request,
    running,
)

pytestmark = pytest.mark.vm

SOUND = request(program())


def wait_until(true, seconds: float = 30.0) -> None:
    end = time.monotonic() + seconds
    while not true() and time.monotonic() < end:
        time.sleep(0.05)
    assert true()


def test_a_clone_is_used_once_and_replaced(in_pool):
    kernel = guest("6.1")[1].id

    async def work(pool):
        await pool.prepare(kernel)
        first = pool.standing(kernel)
        assert [clone.warm for clone in first] == [True, True]
        await pool.ask(kernel, SOUND, deadline=PATIENT)
        async with asyncio.timeout(PATIENT):
            while len(pool.standing(kernel)) < 2 or first[0].machine.alive:
                await asyncio.sleep(0.05)
        assert first[0] not in pool.standing(kernel)
        assert first[1] in pool.standing(kernel)

    in_pool(work, keep=2)
    assert left_over() == set()


def test_a_request_that_is_given_up_takes_its_clone_along(in_pool):
    kernel = guest("6.1", misbehave=True)[1].id

    async def work(pool):
        await pool.prepare(kernel)
        (clone,) = pool.standing(kernel)
        asked = asyncio.create_task(pool.ask(kernel, request(btf=b"loop"), deadline=PATIENT))
        await asyncio.sleep(0.3)
        asked.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asked
        async with asyncio.timeout(PATIENT):
            while clone.machine.alive:
                await asyncio.sleep(0.02)
        answer = await pool.ask(kernel, SOUND, deadline=PATIENT)
        assert answer.programs[0].loaded

    in_pool(work, misbehave=True, keep=1)


def test_requests_wait_in_line_and_too_many_are_refused(in_pool):
    kernel = guest("6.1")[1].id
    places: dict[int, list[int]] = {number: [] for number in range(3)}

    async def work(pool):
        asked = [
            asyncio.create_task(pool.ask(kernel, SOUND, places[n].append, deadline=PATIENT))
            for n in places
        ]
        await asyncio.sleep(0)
        with pytest.raises(AppError, match="2 requests wait") as caught:
            await pool.ask(kernel, SOUND)
        assert caught.value.code == "server-busy"
        await asyncio.gather(*asked)

    in_pool(work, at_once=1, queue=2)
    assert places == {0: [0], 1: [1, 0], 2: [2, 1, 0]}


@pytest.mark.parametrize("with_signal", [signal.SIGKILL, signal.SIGINT], ids=lambda s: s.name)
def test_nothing_is_left_of_an_owner_that_is_killed(in_pool, tmp_path, with_signal):
    guest("6.1")
    owner = subprocess.Popen(
        [sys.executable, "-m", "tests.app.sandbox.vm.owner", str(CACHE / "vm")],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env=os.environ | {"TMPDIR": str(tmp_path)},
        text=True,
    )
    with owner:
        assert owner.stdout.readline() == "ready\n"
        below = descendants(owner.pid)
        assert len(running(below)) >= 4
        shared = set(Path("/dev/shm").iterdir())
        owner.send_signal(with_signal)
        owner.wait(timeout=30)
    wait_until(lambda: not running(below))
    assert list(tmp_path.iterdir()) == []
    assert set(Path("/dev/shm").iterdir()) <= shared


def test_a_template_of_another_qemu_is_named_and_made_again(in_pool, monkeypatch):
    _, one = guest("6.1")
    built = []

    async def build(self, which, say=None):
        built.append(which)

    monkeypatch.setattr(Templates, "build", build)
    monkeypatch.setattr(templates_module, "qemu_version", lambda: "99.9")
    monkeypatch.setattr(templates_module, "machine_fingerprint", lambda accelerator: "another")

    async def work(pool):
        with pytest.raises(AppError, match=r"was made with QEMU \d.*, and this is 99\.9") as caught:
            await pool.ask(one.id, SOUND)
        await asyncio.sleep(0)
        return caught.value.code

    assert in_pool(work) == "vm-template-stale"
    assert built == [one]


def test_a_state_that_qemu_does_not_take(in_pool, tmp_path, monkeypatch):
    kept, one = guest("6.1")
    folder, record = kept.find(one)
    store = GuestStore(tmp_path)

    def fill(made: Path) -> None:
        (made / "ram").symlink_to(folder / "ram")
        (made / STATE_FILE).write_bytes((folder / STATE_FILE).read_bytes()[:1000] + bytes(1000))

    store.keep_template(one, kept.digest(one, "tcg"), replace(record, bytes=0), fill)
    templates = Templates(store)
    monkeypatch.setattr(GuestStore, "resolve", lambda self, text: one)

    async def build(self, which, say=None):
        return None

    monkeypatch.setattr(Templates, "build", build)

    async def main() -> AppError:
        async with Pool(templates, keep=0) as pool:
            with pytest.raises(AppError) as caught:
                await pool.ask(one.id, SOUND)
            return caught.value

    error = asyncio.run(main())
    assert error.code == "vm-template-stale"
    assert "does not take the template's state" in error.message
    assert left_over() == set()


def test_a_guest_without_a_template(tmp_path, in_pool, monkeypatch):
    _, one = guest("6.1")
    monkeypatch.setattr(GuestStore, "resolve", lambda self, text: one)

    async def build(self, which, say=None):
        return TemplateRecord(one.id, "tcg", "", 0, 0.0)

    monkeypatch.setattr(Templates, "build", build)

    async def main() -> str:
        async with Pool(Templates(GuestStore(tmp_path))) as pool:
            with pytest.raises(AppError, match="was not made yet") as caught:
                await pool.ask(one.id, WARM)
            return caught.value.code

    assert asyncio.run(main()) == "vm-template-missing"


def test_templates_that_nobody_asks_for_are_put_away(in_pool, monkeypatch):
    kernel = guest("6.1")[1].id
    monkeypatch.setattr(pool_module, "IDLE_SECONDS", -1.0)

    async def work(pool):
        await pool.ask(kernel, SOUND, deadline=PATIENT)
        async with asyncio.timeout(PATIENT):
            while pool._shelves:
                await asyncio.sleep(0.02)
        answer = await pool.ask(kernel, SOUND, deadline=PATIENT)
        assert answer.programs[0].loaded

    in_pool(work, keep=1)


def test_without_a_jail_clones_end_with_their_owner_too(in_pool, monkeypatch):
    kernel = guest("6.1")[1].id
    monkeypatch.setenv("COREPLAY_JAIL", "none")

    async def work(pool):
        await pool.prepare(kernel)
        (clone,) = pool.standing(kernel)
        command = Path(f"/proc/{clone.machine.pid}/cmdline").read_bytes()
        assert command.startswith(qemu_path().encode())
        answer = await pool.ask(kernel, SOUND, deadline=PATIENT)
        assert answer.programs[0].loaded

    in_pool(work, keep=1)


def test_kvm_is_used_only_where_a_guest_booted_under_it(in_pool, monkeypatch):
    tried = []

    async def boot(kernel, initramfs, accelerator, warm):
        tried.append(accelerator)
        raise AppError(f"no {accelerator} here", code="vm-boot-failed")

    kept, one = guest("6.1")
    monkeypatch.setattr(templates_module, "boot", boot)
    monkeypatch.setattr(templates_module, "_accelerators", lambda: ("kvm", "tcg"))
    with pytest.raises(AppError, match="no tcg here"):
        asyncio.run(kept.build(one))
    assert tried == ["kvm", "tcg"]
    assert kept.digest(one, "kvm") != kept.digest(one, "tcg")
