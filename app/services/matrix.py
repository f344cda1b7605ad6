"""The matrix of an object: each relocation on each kernel under each loader."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final, cast

from app.errors import AppError, from_engine
from app.services.analysis import AnalysisRequest
from app.services.check import unknown_id
from app.services.gate import prepared_for
from engine.core.candidates import Target
from engine.core.policy import LoaderPolicy
from engine.core.relocate import relocate_object
from engine.errors import EngineError
from engine.explain.matrix import Matrix, build_matrix
from engine.lint.scene import Kernel
from engine.loaders import all_policies, policy_of
from engine.loaders.attach import for_loader

if TYPE_CHECKING:
    from app.services.analyse import Analyses
    from app.settings import Settings

LOADERS: Final = 4
"""Loaders that one matrix compares."""


def matrix_of(
    request: AnalysisRequest,
    kernels: Sequence[Kernel],
    policies: Sequence[LoaderPolicy],
    arches: Mapping[str, str] | None = None,
) -> Matrix:
    """Relocate on all kernels of the object's byte order; raises what `check_program` raises."""
    ready = prepared_for(request, kernels)
    runs = []
    for kernel in ready.kernels:
        for policy in policies:
            target = for_loader(ready.prepared, kernel.target, policy)
            runs.append((kernel.id, relocate_object(ready.prepared, target, policy)))
    return build_matrix(runs, arches)


@dataclass(frozen=True, slots=True)
class MatrixRequest:
    """An object, the kernels of the matrix (none: all that fit), and the loaders."""

    object: bytes = field(repr=False)
    kernels: tuple[str, ...]
    loaders: tuple[str, ...]
    modules: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class MatrixAnswer:
    """The matrix; `skipped` are kernels of the other byte order that were asked for by name."""

    matrix: Matrix
    kernels: tuple[str, ...]
    skipped: tuple[str, ...] = ()


async def matrix(analyses: Analyses, request: MatrixRequest) -> MatrixAnswer:
    """Build the matrix of an object in a worker; raises AppError."""
    from pickle import loads  # late: the command line needs it not

    known = [policy.id for policy in all_policies()]
    for loader in request.loaders:
        if loader not in known:
            raise unknown_id("loader", loader, known, place="loader")
    if not 0 < len(request.loaders) <= LOADERS:
        raise AppError(
            f"A matrix compares 1 to {LOADERS} loaders", code="too-many-runs", place="loader"
        )
    try:
        answer = await analyses.workers.run(_matrix, request, analyses.settings)
    except EngineError as error:
        raise from_engine(error) from None
    return cast("MatrixAnswer", loads(answer))  # noqa: S301  # only our own worker wrote these


def _matrix(request: MatrixRequest, settings: Settings) -> bytes:
    """Run in a worker: one kernel after the other, each under every loader."""
    from pickle import HIGHEST_PROTOCOL, dumps

    from app.services.analyse import catalog, chosen_modules, read_object

    known, prepared = catalog(settings), read_object(request.object)
    order = prepared.obj.byte_order
    named = [known.snapshot(name) for name in request.kernels] or known.snapshots()
    kernels = [snapshot for snapshot in named if snapshot.byte_order == order]
    if not kernels:
        raise AppError(
            f"The object is {order}-endian, and none of the kernels is",
            code="byte-order-mismatch",
            place="kernels",
            hint="Choose kernels of its byte order.",
        )
    runs = []
    for snapshot in kernels:
        target = Target(known.btf(snapshot.id))
        if request.modules:
            modules = chosen_modules(known, request.modules, snapshot.id)
            target = replace(target, modules=modules)
        for loader in request.loaders:
            policy = policy_of(loader)
            fitting = for_loader(prepared, target, policy)
            runs.append((snapshot.id, relocate_object(prepared, fitting, policy)))
    answer = MatrixAnswer(
        build_matrix(runs, {snapshot.id: snapshot.arch or "" for snapshot in kernels}),
        tuple(snapshot.id for snapshot in kernels),
        tuple(s.id for s in named if s.byte_order != order) if request.kernels else (),
    )
    return dumps(answer, HIGHEST_PROTOCOL)
