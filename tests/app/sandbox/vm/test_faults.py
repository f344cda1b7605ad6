"""What goes wrong in a guest ends in time, with a sentence that names it, and alone."""

from __future__ import annotations

import asyncio
import os
import signal
import time

import pytest

from app.errors import AppError
from app.sandbox.vm.initramfs import build_initramfs
from app.sandbox.vm.protocol import GuestMap, GuestProgram, GuestRequest
from engine.insn.codec import encode_insns
from tests.support.asm import exit_, mov_imm
from tests.support.guests import (
    ARRAY,
    HASH,
    PATIENT,
    SOCKET_FILTER,
    descendants,
    guest,
    left_over,
    program,
    request,
)

pytestmark = pytest.mark.vm

DEADLINE = 3.0
GRACE = 30.0
"""What a busy machine may take to start a clone and to kill it."""


def misdeed(name: str) -> GuestRequest:
    """A request that only the misbehaving init of tests understands."""
    return GuestRequest(btf=name.encode())


@pytest.fixture
def fails(in_pool):
    """Ask for a misdeed, and afterwards for something sound; give the error of the first."""

    def one(name: str, seconds: float = DEADLINE) -> AppError:
        kernel = guest("6.1", misbehave=True)[1].id

        async def work(pool):
            began = time.monotonic()
            with pytest.raises(AppError) as caught:
                await pool.ask(kernel, misdeed(name), deadline=seconds)
            assert time.monotonic() - began < seconds + GRACE
            sound = await pool.ask(kernel, request(program()), deadline=PATIENT)
            assert sound.programs[0].loaded
            return caught.value

        error = in_pool(work, misbehave=True)
        assert left_over() == set()
        return error

    return one


@pytest.mark.parametrize(
    ("name", "code", "sentence"),
    [
        ("panic", "vm-guest-died", "the guest's kernel panicked: Attempted to kill init"),
        ("reboot", "vm-guest-died", "ended before it answered: its kernel rebooted"),
        ("loop", "vm-timeout", "did not answer within 3 s"),
        ("fork", "vm-timeout", "did not answer within 3 s"),
        ("flood", "vm-guest-flooded", "more than 64 KiB to its serial line"),
        ("forge length", "vm-answer-invalid", "forged or damaged: an answer of"),
        ("forge answer", "vm-answer-invalid", "forged or damaged"),
        ("forge status", "vm-request-refused", "could not read the request"),
    ],
)
def test_a_guest_that_was_taken_over(fails, name, code, sentence):
    error = fails(name, DEADLINE if code == "vm-timeout" else PATIENT)
    assert (error.code, sentence in error.message) == (code, True), error.message


def test_a_guest_that_takes_all_memory(fails):
    error = fails("hog")
    assert error.code in ("vm-guest-died", "vm-timeout"), error.message
    assert "panicked" in error.message or "within 3 s" in error.message, error.message


def test_nothing_of_a_request_reaches_the_next(in_pool):
    kernel = guest("6.1", misbehave=True)[1].id

    async def work(pool):
        await pool.ask(kernel, misdeed("leave"), deadline=PATIENT)
        return await pool.ask(kernel, misdeed("look"), deadline=PATIENT)

    assert in_pool(work, misbehave=True).btf is not None


def test_the_misdeeds_are_in_no_init_for_real_use(tmp_path):
    assert b"forge" in build_initramfs(tmp_path, misbehave=True)
    assert b"forge" not in build_initramfs(tmp_path)


def test_a_program_of_a_million_instructions(in_pool):
    kernel = guest("6.1")[1].id
    slot = encode_insns(mov_imm(0, 0), "little")
    code = slot * 999_999 + encode_insns(exit_(), "little")
    large = GuestProgram("large", SOCKET_FILTER, code)

    async def work(pool):
        began = time.monotonic()
        (outcome,) = await asyncio.gather(pool.ask(kernel, request(large)), return_exceptions=True)
        assert time.monotonic() - began < DEADLINE + GRACE
        if isinstance(outcome, AppError):
            assert outcome.code == "vm-timeout"
        else:
            assert outcome.programs[0].errno in (0, 7, 12)  # E2BIG, ENOMEM
        with pytest.raises(AppError, match="a guest takes") as caught:
            await pool.ask(kernel, request(large, large))
        assert caught.value.code == "vm-request-too-large"

    in_pool(work)


def test_a_map_of_two_to_the_31_entries(ask):
    answer = ask(request(program(), maps=(GuestMap("huge", HASH, 8, 8, 1 << 31),)))
    assert answer.maps[0].errno in (7, 12, 22)
    assert answer.programs[0].loaded


def test_more_programs_than_a_guest_takes(in_pool):
    kernel = guest("6.1")[1].id
    many = request(*[program()] * 65)
    with pytest.raises(AppError, match="could not read the request") as caught:
        in_pool(lambda pool: pool.ask(kernel, many, deadline=PATIENT))
    assert caught.value.code == "vm-request-refused"


def test_a_value_that_does_not_fit_is_left_out(ask):
    wide = GuestMap("wide", ARRAY, 4, 40 << 20, 1, read_back=(bytes(4),))
    answer = ask(request(program(), maps=(wide,)))
    assert (answer.maps[0].errno, answer.maps[0].values) == (0, (None,))
    assert answer.programs[0].loaded


def test_qemu_killed_in_the_middle_of_a_request(in_pool):
    kernel = guest("6.1", misbehave=True)[1].id

    async def work(pool):
        await pool.prepare(kernel)
        (clone, *_) = pool.standing(kernel)
        asked = asyncio.create_task(pool.ask(kernel, misdeed("loop"), deadline=PATIENT))
        await asyncio.sleep(0.3)
        for pid in descendants(clone.machine.pid):
            os.kill(pid, signal.SIGKILL)
        with pytest.raises(AppError, match="QEMU was killed") as caught:
            await asked
        return caught.value

    assert in_pool(work, misbehave=True, keep=1).code == "vm-guest-died"


def test_others_do_not_notice_and_the_pool_refills(in_pool):
    kernel = guest("6.1", misbehave=True)[1].id
    names = ("panic", "loop", "flood")

    async def work(pool):
        await pool.prepare(kernel)
        bad = [pool.ask(kernel, misdeed(name)) for name in names]
        good = [pool.ask(kernel, request(program()), deadline=PATIENT) for _ in range(4)]
        outcomes = await asyncio.gather(*bad, *good, return_exceptions=True)
        assert [type(outcome) for outcome in outcomes[:3]] == [AppError] * 3
        assert all(outcome.programs[0].loaded for outcome in outcomes[3:])
        async with asyncio.timeout(GRACE):
            while len(pool.standing(kernel)) < 2:
                await asyncio.sleep(0.05)
        assert all(clone.warm for clone in pool.standing(kernel))

    in_pool(work, misbehave=True, keep=2)
    assert left_over() == set()
