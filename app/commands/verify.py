"""coreplay verify: what the real verifier of guest kernels says of a program."""

from __future__ import annotations

import argparse
import os
import re
import sys
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Final, TextIO

import anyio

from app.commands.files import read_bytes
from app.commands.program import print_diagnostics, program_request
from app.errors import AppError
from app.services.verification import (
    INPUT_BYTES,
    GuestKernel,
    Planned,
    VerifyRequest,
    VerifyResult,
)
from app.services.verify import Watcher, verify
from app.services.verify_plan import plan_verification
from app.settings import Settings, load_settings

if TYPE_CHECKING:
    from app.services.analysis import AnalysisRequest
    from app.services.verification import Ask
    from engine.lint.scene import Kernel

_ZEROS: Final = "zeros:"
NOT_ASKED: Final = 3


def run(arguments: argparse.Namespace) -> int:
    """Print text or JSON; 1 where a kernel or loader refused, 3 where none could be asked."""
    settings = _settings()
    results = anyio.run(partial(_verify, _request(arguments), settings, quiet=arguments.json))
    if arguments.json:
        from app.views.verify_json import verify_json_text  # late: the other form needs it not

        sys.stdout.write(verify_json_text(results))
    else:
        from app.views.verify_text import verify_text

        colour = sys.stdout.isatty() and not os.environ.get("NO_COLOR")
        whole = arguments.log > 0
        sys.stdout.write(verify_text(results, whole_logs=whole, colour=colour))
    return exit_code(results)


def verify_checked(program: AnalysisRequest, kernels: Sequence[Kernel], out: TextIO) -> bool:
    """Ask the guest of each kernel's series, print the answers; True where one refuses.

    Kernels without a guest are named and passed over. Raises AppError `guest-missing` where no
    kernel has one.
    """
    from app.views.verify_text import verify_text  # late: see run

    wanted = tuple(dict.fromkeys(_series(kernel.release) for kernel in kernels))
    request = VerifyRequest(program)
    results = anyio.run(partial(_verify, request, _settings(), quiet=True, among=wanted))
    out.write("\nthe real verifier:\n" + verify_text(results))
    return any(result.loaded is False for result in results)


def _series(release: str) -> str:
    return ".".join(re.split(r"[.+-]", release)[:2])


def _settings() -> Settings:
    """One's own command line may ask about as many kernels and loaders as it wants."""
    return load_settings(kernels_per_request=64, loaders_per_request=64)


def exit_code(results: Sequence[VerifyResult]) -> int:
    """0: all loaded, 1: something was refused, 3: something could not be asked."""
    if any(result.loaded is False for result in results):
        return 1
    return NOT_ASKED if any(result.loaded is None for result in results) else 0


def _request(arguments: argparse.Namespace) -> VerifyRequest:
    program = program_request(
        arguments, tuple(_words(arguments.kernel)), tuple(_words(arguments.loader))
    )
    return VerifyRequest(
        program,
        programs=tuple(_words(arguments.names)),
        log_level=arguments.log,
        input=None if arguments.run is None else read_input(arguments.run),
        real=arguments.real,
    )


def _words(given: Sequence[str]) -> list[str]:
    return [word for text in given for word in text.split(",") if word]


def read_input(text: str) -> bytes:
    """Read the input of a test run: a file, or `zeros:N` for so many zero bytes."""
    if not text.startswith(_ZEROS):
        return read_bytes(text, limit=INPUT_BYTES)
    count = text.removeprefix(_ZEROS)
    if not count.isdecimal() or int(count) > INPUT_BYTES:
        raise AppError(
            f"{count[:20]!r} is no number of bytes up to {INPUT_BYTES}",
            code="bad-request",
            place="--run",
        )
    return bytes(int(count))


async def _verify(
    request: VerifyRequest, settings: Settings, *, quiet: bool, among: Sequence[str] = ()
) -> tuple[VerifyResult, ...]:
    """Ask; with `among`, those guests that are of one of these series."""
    from app.services.guests import opened_guests  # late: qemu's side is not needed for errors

    async def plan(asked: VerifyRequest, guests: Sequence[GuestKernel]) -> Planned:
        planned = plan_verification(asked, guests, settings)
        if planned.compile is not None and not quiet:
            print_diagnostics(planned.compile.diagnostics)
        return planned

    async with opened_guests(settings, keep=0) as guests:
        if among:
            request = _narrowed(request, guests.installed(), among)
        return await verify(request, guests, plan, _Progress() if sys.stderr.isatty() else None)


def _narrowed(
    request: VerifyRequest, guests: Sequence[GuestKernel], among: Sequence[str]
) -> VerifyRequest:
    """Leave out series without a guest, unless none has one: then the service says so."""
    there = {guest.series for guest in guests}
    for series in among:
        if series not in there and there:
            print(f"coreplay: no guest kernel of {series} is installed", file=sys.stderr)
    kernels = tuple(series for series in among if series in there) or tuple(among)
    return replace(request, program=replace(request.program, kernels=kernels))


class _Progress(Watcher):
    """Says on a terminal what is waited for."""

    def placed(self, ask: Ask, place: int) -> None:
        print(f"\r{ask.guest.id}: place {place} in line\x1b[K", end="", file=sys.stderr)

    def started(self, ask: Ask) -> None:
        names = ", ".join(subject.program for subject in ask.subjects[:3])
        print(f"\r{ask.guest.id}: {names}\x1b[K", end="", file=sys.stderr)

    def result(self, index: int, result: VerifyResult) -> None:
        print("\r\x1b[K", end="", file=sys.stderr)
