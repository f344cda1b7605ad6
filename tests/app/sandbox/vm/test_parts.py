"""The parts around a guest that need none: line, area, initramfs, QMP, machine."""

from __future__ import annotations

import asyncio
import json
import os
import socket
import struct
import sys

import pytest

from app.errors import AppError
from app.sandbox.vm import initramfs as initramfs_module
from app.sandbox.vm import qemu
from app.sandbox.vm.area import PAGE, REQUEST_BYTES, Area, Status
from app.sandbox.vm.cpio import character_device, pack
from app.sandbox.vm.initramfs import build_initramfs
from app.sandbox.vm.line import Line
from app.sandbox.vm.machine import SERIAL_BYTES, Machine
from app.sandbox.vm.qmp import Qmp, QmpError


def test_the_fields_of_a_member():
    packed = pack([character_device("dev/mem", 1, 1)])
    assert packed[:6] == b"070701"
    fields = [int(packed[6 + 8 * i : 14 + 8 * i], 16) for i in range(13)]
    assert fields == [0, 0o20600, 0, 0, 1, 0, 0, 0, 0, 1, 1, 8, 0]
    assert packed[110:118] == b"dev/mem\0"
    assert len(packed) % 4 == 0
    assert b"TRAILER!!!\0" in packed


def test_init_is_compiled_once(tmp_path, monkeypatch):
    first = build_initramfs(tmp_path)

    def compiles(arguments):
        raise AssertionError(arguments)

    monkeypatch.setattr(initramfs_module, "_compile", compiles)
    assert build_initramfs(tmp_path) == first
    assert [path.name.startswith("init-") for path in tmp_path.iterdir()] == [True]


def test_without_a_compiler(tmp_path, monkeypatch):
    monkeypatch.setattr(initramfs_module.shutil, "which", lambda name: None)
    initramfs_module._compiler.cache_clear()
    try:
        with pytest.raises(AppError, match="no C compiler") as caught:
            build_initramfs(tmp_path)
    finally:
        initramfs_module._compiler.cache_clear()
    assert (caught.value.code, caught.value.hint) == ("vm-unavailable", "apt install gcc")


def test_without_qemu(monkeypatch):
    monkeypatch.setattr(qemu.shutil, "which", lambda name: None)
    qemu.qemu_path.cache_clear()
    try:
        with pytest.raises(AppError, match="QEMU is not installed") as caught:
            qemu.qemu_path()
    finally:
        qemu.qemu_path.cache_clear()
    assert caught.value.code == "vm-unavailable"


@pytest.fixture
def area():
    made = Area()
    yield made
    made.close()


def answers(area: Area, status: int, length: int, data: bytes = b"") -> None:
    """Write what a guest would."""
    (ticket,) = struct.unpack("<Q", os.pread(area.fd, 8, 8))
    (at,) = struct.unpack("<Q", os.pread(area.fd, 8, 24))
    os.pwrite(area.fd, data, at)
    os.pwrite(area.fd, struct.pack("<3Q", ticket, status, length), 32)


def test_an_area_carries_a_request_and_its_answer(area):
    area.put(b"request")
    assert os.pread(area.fd, 7, PAGE) == b"request"
    assert area.status() is Status.SILENT
    answers(area, 1, 6, b"answer")
    assert area.status() is Status.ANSWERED
    assert area.answer() == b"answer"
    area.put(b"another")
    assert area.status() is Status.SILENT


@pytest.mark.parametrize("length", [(64 << 20) - PAGE, 1 << 63, (1 << 64) - 1])
def test_lengths_that_leave_the_area(area, length):
    area.put(b"request")
    answers(area, 1, length)
    with pytest.raises(ValueError, match="does not fit"):
        area.answer()


def test_a_status_that_there_is_not_and_a_request_too_large(area):
    area.put(b"request")
    answers(area, 1 << 40, 0)
    assert area.status() is Status.MALFORMED
    with pytest.raises(ValueError, match="too large"):
        area.put(bytes(REQUEST_BYTES + 1))


def test_a_line_lets_so_many_run_in_the_order_they_came():
    done: list[int] = []
    told: dict[int, list[int]] = {}

    async def turn(line: Line, number: int) -> None:
        async with line.turn(told.setdefault(number, []).append):
            await asyncio.sleep(0.001)
            done.append(number)

    async def main() -> None:
        line = Line(2, 10)
        await line.empty()
        await asyncio.gather(*(turn(line, number) for number in range(6)))
        await line.empty()
        assert line.waiting == 0

    asyncio.run(main())
    assert done == list(range(6))
    assert told[5] == [4, 3, 2, 1, 0]


def test_who_leaves_a_line_makes_room():
    places: list[int] = []

    async def main() -> None:
        line = Line(1, 2)
        hold, release = asyncio.Event(), asyncio.Event()

        async def first() -> None:
            async with line.turn(places.append):
                hold.set()
                await release.wait()

        async def wait(into: list[int]) -> None:
            async with line.turn(into.append):
                pass

        running = asyncio.create_task(first())
        await hold.wait()
        second, third = asyncio.create_task(wait([])), asyncio.create_task(wait(places))
        await asyncio.sleep(0)
        with pytest.raises(AppError, match="2 requests wait"):
            await wait([])
        second.cancel()
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        release.set()
        await asyncio.gather(running, third)
        await line.empty()

    asyncio.run(main())
    assert places == [0, 2, 1, 0]


def test_a_turn_that_comes_in_the_moment_of_giving_up_is_passed_on():
    async def main() -> list[int]:
        line, order = Line(1, 5), []

        async def wait(number: int) -> None:
            async with line.turn(lambda place: None):
                order.append(number)

        async with line.turn(lambda place: None):
            second, third = asyncio.create_task(wait(2)), asyncio.create_task(wait(3))
            await asyncio.sleep(0)
        second.cancel()  # its turn has come, but it has not run since
        await asyncio.gather(second, third, return_exceptions=True)
        await line.empty()
        return order

    assert asyncio.run(main()) == [3]


def spoken(*lines: object) -> bytes:
    return b"".join(json.dumps(line).encode() + b"\r\n" for line in lines)


GREETING = {"QMP": {"version": {}}}


def with_qmp(said: bytes, work):
    """Run `work` with a connection to a QEMU that has said all that it will say."""

    async def main():
        ours, its = socket.socketpair()
        with ours, its:
            ours.setblocking(False)
            its.sendall(said)
            its.shutdown(socket.SHUT_WR)
            return await work(Qmp(ours))

    return asyncio.run(main())


def test_qmp_answers_and_events():
    async def work(qmp):
        answer = await qmp.command("query-status")
        event = await qmp.event("MIGRATION", status="completed")
        return answer, event["data"]["n"]

    said = spoken(
        GREETING,
        {"return": {}},
        {"event": "STOP"},
        {"event": "MIGRATION", "data": {"status": "setup"}},
        {"return": {"status": "paused"}},
        {"event": "MIGRATION", "data": {"status": "completed", "n": 7}},
    )
    assert with_qmp(said, work) == ({"status": "paused"}, 7)


@pytest.mark.parametrize(
    ("said", "what"),
    [
        (b"", "^$"),
        (spoken({"return": {}}), "did not greet"),
        (spoken(GREETING), "^$"),
        (b"nonsense\n", "no JSON"),
        (b"[]\n", "no message"),
        (spoken(GREETING, {"return": {}}, {"error": {"desc": "no such"}}), "stop: no such"),
    ],
)
def test_qmp_that_fails(said, what):
    with pytest.raises(QmpError, match=what):
        with_qmp(said, lambda qmp: qmp.command("stop"))


def start(script: str) -> Machine:
    """A machine whose QEMU is a script; `serial` is its serial line."""
    fd = os.memfd_create("ram")
    whole = "import os, sys, time; serial = int(sys.argv[1]); " + script
    try:
        return Machine(fd, lambda wires: [sys.executable, "-c", whole, str(wires.serial)])
    finally:
        os.close(fd)


@pytest.mark.parametrize(
    ("script", "code", "sentence"),
    [
        ("sys.exit(1)", "vm-guest-died", "ended before it answered"),
        ("sys.exit('qemu: no\\nqemu: no memory')", "vm-guest-died", "QEMU ended: qemu: no memory"),
        (
            "os.write(serial, b'Kernel panic - not syncing: oh\\r\\nmore')",
            "vm-guest-died",
            "the guest's kernel panicked: oh",
        ),
        (
            f"os.write(serial, bytes({SERIAL_BYTES + 9})); time.sleep(60)",
            "vm-guest-flooded",
            "64 KiB",
        ),
    ],
    ids=["ends", "complains", "panics", "floods"],
)
def test_a_machine_that_ends_or_floods(script, code, sentence):
    async def main() -> AppError:
        machine = start(script)
        try:
            machine.area.put(b"")
            with pytest.raises(AppError) as caught:
                async with asyncio.timeout(20):
                    await machine.wait_for_guest()
            return caught.value
        finally:
            await machine.close()
            await machine.close()
            assert not machine.alive

    error = asyncio.run(main())
    assert (error.code, sentence in error.message) == (code, True), error.message


def test_a_machine_that_cannot_be_started_leaves_nothing_open():
    before = set(os.listdir("/proc/self/fd"))
    with pytest.raises(FileNotFoundError):
        Machine(0, lambda wires: ["/no/such/program"])
    assert set(os.listdir("/proc/self/fd")) == before
