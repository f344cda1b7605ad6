"""Guests that answer without a machine: what a kernel would say, decided by a function."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import anyio

from app.errors import AppError
from app.sandbox.vm.protocol import (
    BtfAnswer,
    CommandAnswer,
    GuestAnswer,
    GuestProgram,
    GuestRequest,
    MapAnswer,
    ProgramAnswer,
    Step,
    TestAnswer,
)
from app.services.verification import GuestKernel
from app.services.verify import Placed

GUEST_61 = GuestKernel("6.1.0-56-amd64", "6.1.0-56-amd64", "6.1", "6.1.0-56-amd64", 0x060192)
GUEST_510 = GuestKernel("5.10.0-46-amd64", "5.10.0-46-amd64", "5.10", "5.10.0-46-amd64", 0x050AFB)

REFUSAL = (
    b"0: (85) call unknown#195896080\ninvalid func unknown#195896080\n"
    b"processed 3 insns (limit 1000000) peak_states 2\n"
)
Decide = Callable[[GuestProgram], ProgramAnswer]


def loaded(program: GuestProgram, *, log: bytes = b"") -> ProgramAnswer:
    summary = (
        b"processed 7 insns (limit 1000000) max_states_per_insn 0 total_states 1 peak_states 1\n"
    )
    return ProgramAnswer(
        step=Step.DONE,
        errno=0,
        summary=summary,
        log=log,
        log_truncated=False,
        nanoseconds=1_500_000,
        translated=b"",
        jited=b"",
    )


def refused(program: GuestProgram, *, errno: int = 22, said: bytes = REFUSAL) -> ProgramAnswer:
    return ProgramAnswer(
        step=Step.LOAD,
        errno=errno,
        summary=said,
        log=said if program.log_level else b"",
        log_truncated=False,
        nanoseconds=900_000,
        translated=b"",
        jited=b"",
    )


def by_poison(program: GuestProgram) -> ProgramAnswer:
    """Refuse what holds cilium/ebpf's one-slot poison, load everything else."""
    has = program.instructions.count(bytes.fromhex("8500000010 23ad0b")) == 1
    return (
        refused(program)
        if has
        else loaded(program, log=b"0: R1=ctx()" if program.log_level else b"")
    )


@dataclass
class FakeGuests:
    """Remembers what it was asked; `fails` gives the error for a request, or None."""

    kernels: Sequence[GuestKernel] = (GUEST_510, GUEST_61)
    decide: Decide = by_poison
    fails: Callable[[GuestRequest], AppError | None] = lambda request: None
    retval: int = 0
    asked: list[tuple[str, GuestRequest]] = field(default_factory=list)
    endless: bool = False
    command: CommandAnswer | None = None

    def installed(self) -> tuple[GuestKernel, ...]:
        return tuple(self.kernels)

    async def ask(
        self, kernel: str, request: GuestRequest, placed: Placed, seconds: float | None = None
    ) -> GuestAnswer:
        placed(2)
        await anyio.lowlevel.checkpoint()
        placed(0)
        self.asked.append((kernel, request))
        if self.endless:
            await anyio.sleep_forever()
        problem = self.fails(request)
        if problem is not None:
            raise problem
        programs = tuple(self.decide(program) for program in request.programs)
        runs = tuple(
            TestAnswer(errno=0, retval=self.retval, nanoseconds=5, data=b"", context=b"")
            if program.test_run is not None and answer.loaded
            else None
            for program, answer in zip(request.programs, programs, strict=True)
        )
        maps = tuple(MapAnswer(step=Step.DONE, errno=0, entry=0, values=()) for _ in request.maps)
        return GuestAnswer(
            btf=BtfAnswer(0, b""),
            programs=programs,
            test_runs=runs,
            maps=maps,
            command=self.command if request.command is not None else None,
        )
