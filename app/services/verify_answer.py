"""From a guest's answer to results: one for each program that was asked about."""

from __future__ import annotations

import errno as numbers
from collections.abc import Iterator
from typing import Final

from app.errors import AppError
from app.sandbox.vm.protocol import GuestAnswer, ProgramAnswer, Step, TestAnswer
from app.services.verification import Ask, VerifyResult

_KERNEL_ONLY: Final = {524: "ENOTSUPP"}
"""Numbers that the kernel uses inside; Linux include/linux/errno.h."""


def errno_name(number: int) -> str:
    """The name of an errno, `EACCES`; its number where there is no name."""
    return numbers.errorcode.get(number) or _KERNEL_ONLY.get(number) or str(number)


def results_of(ask: Ask, answer: GuestAnswer) -> Iterator[VerifyResult]:
    """Give the results of one clone; an answer with too few programs is the guest's fault."""
    if len(answer.programs) != len(ask.subjects):
        problem = AppError("The guest answered about other programs", code="guest-failed")
        yield from failed(ask, problem)
        return
    for number, (subject, program) in enumerate(zip(ask.subjects, answer.programs, strict=True)):
        run = answer.test_runs[number] if number < len(answer.test_runs) else None
        if program.step not in (Step.DONE, Step.LOAD):
            words = _map_problem(ask, answer)
            yield VerifyResult(subject, errno=program.errno, code="map-failed", log=words)
            continue
        yield VerifyResult(
            subject,
            loaded=program.loaded,
            errno=program.errno,
            log=_log(program),
            log_truncated=program.log_truncated,
            retval=run.retval if run is not None and not run.errno else None,
            run_error=_run_error(ask, number, program, run),
            run_output=run.data or run.context if run is not None else b"",
            ms=round(program.nanoseconds / 1e6, 3),
            verified_instructions=program.verified_instructions,
            peak_states=program.peak_states,
            total_states=program.total_states,
            translated=program.translated,
        )


def failed(ask: Ask, error: AppError) -> Iterator[VerifyResult]:
    """Give a result for each program of a clone that did not answer."""
    words = f"{error.message}. {error.hint}".strip() if error.hint else f"{error.message}."
    for subject in ask.subjects:
        yield VerifyResult(subject, code=error.code, log=words)


def _log(program: ProgramAnswer) -> str:
    return (program.log or program.summary).rstrip(b"\0").decode("utf-8", "replace")


def _map_problem(ask: Ask, answer: GuestAnswer) -> str:
    """Say which map the kernel did not make, and why."""
    for wanted, made in zip(ask.request.maps, answer.maps, strict=False):
        if made.step not in (Step.DONE, Step.INNER):
            what = {Step.CREATE: "created", Step.UPDATE: "filled", Step.FREEZE: "frozen"}
            return (
                f"Not loaded: the kernel refused that map {wanted.name} be "
                f"{what.get(made.step, 'made')} ({errno_name(made.errno)})."
            )
    return "Not loaded: a map or program that it refers to was not made."


def _run_error(ask: Ask, number: int, program: ProgramAnswer, run: TestAnswer | None) -> str:
    """Why there is no return value although an input was given; empty where none was."""
    if number in ask.run_errors:
        return f"Not run: {ask.run_errors[number]}."
    if ask.request.programs[number].test_run is None:
        return ""
    if not program.loaded:
        return "Not run: it was not loaded."
    if run is None:
        return "Not run: the guest did not say why."
    if run.errno == numbers.EINTR:
        return "Stopped: it ran for more than 100 ms."
    return f"The test run failed: {errno_name(run.errno)}." if run.errno else ""
