"""The matrix of an object: each relocation on each kernel under each loader."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from app.services.analysis import AnalysisRequest
from app.services.gate import prepared_for
from engine.core.policy import LoaderPolicy
from engine.core.relocate import relocate_object
from engine.explain.matrix import Matrix, build_matrix
from engine.lint.scene import Kernel
from engine.loaders.attach import for_loader


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
