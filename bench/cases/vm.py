"""Real kernels: from request to verdict, with and without a clone that stands ready.

Milliseconds of the wall clock, because other processes do the work. The reference of each is
starting QEMU alone, without a guest, in the same minute: what the machine and its load make of
50 ms of work.
"""

from __future__ import annotations

import asyncio
import subprocess
import time
from collections.abc import Awaitable, Callable, Iterator
from statistics import median

from app.errors import AppError
from app.sandbox.vm.pool import Pool
from app.sandbox.vm.protocol import GuestRequest
from app.sandbox.vm.qemu import MACHINE, qemu_path
from app.sandbox.vm.store import Guest
from app.sandbox.vm.template import Templates
from bench.figures import Figure, Skipped, milliseconds
from tests.support import guests
from tests.support.asm import alu_imm, exit_, jmp, mov_imm

TIMES = 9
BURST = 20
FOUR = ("5.10", "6.1", "6.12", "newest")
PATIENT = 60.0
_CODE = mov_imm(0, 0) + jmp("==", 0, 1, 1) + alu_imm("+", 0, 1) + exit_()
SMALL = GuestRequest(programs=(guests.program(_CODE, type=guests.SOCKET_FILTER),))


def measure() -> Iterator[Figure]:
    """Give the figures of issue 6; skipped where there can be no guests."""
    reason = guests.reason_against()
    if reason:
        raise Skipped(reason)
    reference = milliseconds(_start_qemu, times=TIMES, clock=time.perf_counter)

    def figure(name: str, value: float, bound: float, unit: str = "ms") -> Figure:
        return Figure(name, value, unit, bound, reference, "starting QEMU alone")

    for series in ("6.1", "6.12"):
        templates, guest = guests.guest(series)
        warm = asyncio.run(_medians(templates, guest, keep=1))
        yield figure(f"vm {series}: request to verdict, ready", warm, 90.0)
        cold = asyncio.run(_medians(templates, guest, keep=0))
        yield figure(f"vm {series}: request to verdict, no pool", cold, 200.0)
    chosen = [guests.guest(series) for series in FOUR]
    yield figure("vm: four kernels at once", asyncio.run(_four(chosen)), 350.0)
    yield figure("vm: burst of 20, per request", asyncio.run(_burst(*chosen[1])), 1000 / 15)
    yield _memory(*chosen[2])
    yield from _templates()


async def _medians(templates: Templates, guest: Guest, *, keep: int) -> float:
    spent = []
    async with Pool(templates, keep=keep, at_once=1) as pool:
        await pool.ask(guest.id, SMALL, deadline=PATIENT)  # loads the template
        for _ in range(TIMES):
            if keep:
                await pool.prepare(guest.id)
                await asyncio.sleep(0.2)  # what was used is being reaped
            spent.append(await _timed(lambda: pool.ask(guest.id, SMALL, deadline=PATIENT)))
    return median(spent)


async def _timed(work: Callable[[], Awaitable[object]]) -> float:
    began = time.perf_counter()
    await work()
    return (time.perf_counter() - began) * 1e3


async def _four(chosen: list[tuple[Templates, Guest]]) -> float:
    """All kernels at once, a clone of each standing ready."""
    templates = chosen[0][0]
    spent = []
    async with Pool(templates, keep=1, at_once=4) as pool:

        async def all_of_them() -> None:
            asked = (pool.ask(guest.id, SMALL, deadline=PATIENT) for _, guest in chosen)
            await asyncio.gather(*asked)

        await all_of_them()
        for _ in range(5):
            for _, guest in chosen:
                await pool.prepare(guest.id)
            spent.append(await _timed(all_of_them))
    return median(spent)


async def _burst(templates: Templates, guest: Guest) -> float:
    """Twenty requests at the same moment, two clones standing ready; each must be answered."""
    spent = []
    for _ in range(3):
        async with Pool(templates, keep=2) as pool:
            await pool.prepare(guest.id)

            async def burst(pool: Pool = pool) -> None:
                asked = (pool.ask(guest.id, SMALL, deadline=PATIENT) for _ in range(BURST))
                answers = await asyncio.gather(*asked)
                assert all(answer.programs[0].loaded for answer in answers)

            spent.append(await _timed(burst) / BURST)
    return median(spent)


def _memory(templates: Templates, guest: Guest) -> Figure:
    """What a clone that stands ready has written of its own, jail and all."""

    async def clones() -> list[int]:
        async with Pool(templates, keep=2) as pool:
            await pool.prepare(guest.id)
            return [clone.machine.private_bytes() for clone in pool.standing(guest.id)]

    megabytes = max(asyncio.run(clones())) / 1e6
    return Figure("vm: idle clone, private", megabytes, "MB", 25.0, 192.0, "the guest's memory")


def _templates() -> Iterator[Figure]:
    """How long each template took to make, when it was made."""
    start = milliseconds(_start_qemu, times=3, clock=time.perf_counter) / 1e3
    for series in FOUR:
        templates, guest = guests.guest(series)
        try:
            record = asyncio.run(templates.build(guest))
        except AppError as error:
            raise Skipped(error.message) from error
        name = f"vm: template of {guest.series}"
        yield Figure(name, record.seconds, "s", 10.0, start, "starting QEMU alone")


def _start_qemu() -> None:
    quit_at_once = b'{"execute":"qmp_capabilities"}{"execute":"quit"}'
    command = [qemu_path(), "-M", MACHINE, "-m", "256M", "-S", "-nodefaults", "-nic", "none"]
    command += ["-display", "none", "-qmp", "stdio", "-accel", "tcg"]
    subprocess.run(command, input=quit_at_once, stdout=subprocess.DEVNULL, check=True)
