"""Reading a log: what it says on its own, or looked up in the program that it speaks of."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, TypeVar

from app.errors import from_engine
from app.services.analysis import AnalysisRequest
from app.settings import Settings
from engine.core.policy import LoaderPolicy
from engine.errors import EngineError
from engine.explain.log_facts import LogReport
from engine.explain.logs import read_log

if TYPE_CHECKING:
    from app.services.workers import Workers


T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class LogRequest:
    """A log, and the C or the object that was loaded; its kernel may be unknown for an object."""

    log: bytes = field(repr=False)
    program: AnalysisRequest | None = None


async def explained(
    request: LogRequest, workers: Workers, settings: Settings, render: Callable[[LogReport], T]
) -> T:
    """Read the log in a worker and give what `render`, a module-level function, makes of it.

    Raises AppError; CompileFailed where the program is C that does not compile.
    """
    try:
        return await workers.run(_answer, request, settings, render)
    except EngineError as error:
        raise from_engine(error) from None


def _answer(request: LogRequest, settings: Settings, render: Callable[[LogReport], T]) -> T:
    return render(explain_log(request, settings))


def explain_log(request: LogRequest, settings: Settings) -> LogReport:
    """Read the log in this process; raises AppError or EngineError for the program."""
    report = read_log(request.log)
    if request.program is None:
        return report
    return _placed(report, request.program, settings)


def _placed(report: LogReport, program: AnalysisRequest, settings: Settings) -> LogReport:
    from app.services.analyse import (
        catalog,
        check,
        compile_source,
        read_object,
    )  # late: a log alone needs no program
    from engine.core.candidates import Target
    from engine.explain.log_place import place
    from engine.loaders import all_policies

    known = catalog(settings)
    policy = _spoken_of(report, program.loaders)
    kernels = program.kernels[:1]
    asked = replace(
        program,
        kernels=kernels or (known.snapshots()[0].id,),
        loaders=(policy.id if policy else all_policies()[0].id,),
    )
    check(asked, settings)
    data = asked.object
    if data is None:
        data = compile_source(asked, known.btf, settings.cache_dir).object
    prepared = read_object(data or b"")
    if not kernels and program.object is not None:
        return place(report, prepared, None, policy)
    kernel = asked.kernels[0]
    release = known.snapshot(kernel).release
    return place(report, prepared, Target(known.btf(kernel)), policy, release)


def _spoken_of(report: LogReport, loaders: tuple[str, ...]) -> LoaderPolicy | None:
    """Give the chosen loader that the log comes from; the only one chosen if it does not say."""
    from engine.loaders import policy_of

    chosen = [policy_of(loader) for loader in loaders]
    for policy in chosen:
        if policy.family in report.sources:
            return policy
    return chosen[0] if len(chosen) == 1 else None
