"""The main job: C or an object in, what each loader makes of it on each kernel out.

`Analyses.analyse` is what pages and API call; `analyse_sync` is the same without processes,
for workers and the command line.
"""

from __future__ import annotations

import hashlib
import pickle
from dataclasses import replace
from functools import cache
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, cast

from app.errors import AppError, from_engine
from app.services.analysis import Analysis, AnalysisRequest, CompileFailed, Run
from app.services.cache import ByteCache
from app.services.check import check_request
from app.settings import Settings
from engine.btf.decode import Btf
from engine.core.relocate import Target, relocate_object
from engine.elf.object import ElfObject, parse_object
from engine.elf.programs import functions
from engine.errors import EngineError, NoBtfError
from engine.flow.jumps import check_jumps
from engine.kernels.catalog import Catalog
from engine.loaders import all_policies, policy_of

if TYPE_CHECKING:
    from app.services.compile import CompileResult
    from app.services.workers import Workers

__all__ = ["Analyses", "Analysis", "AnalysisRequest", "CompileFailed", "Run", "analyse_sync"]


class Analyses:
    """Analyses in workers, with a bounded cache in front: the same request is answered at once."""

    def __init__(self, workers: Workers, settings: Settings) -> None:
        self.workers = workers
        self.settings = settings
        self._cache = ByteCache(settings.result_cache_bytes)

    async def analyse(self, request: AnalysisRequest) -> Analysis:
        """Answer one request.

        Raises AppError for everything that is wrong with it; CompileFailed, an AppError too,
        carries the compiler's diagnostics.
        """
        check(request, self.settings)
        key = request.digest()
        packed = self._cache.get(key)
        if packed is None:
            try:
                packed = await self.workers.run(_packed, request, self.settings)
            except EngineError as error:
                raise from_engine(error) from None
            self._cache.put(key, packed)
        # Only our own worker wrote these bytes.
        return cast("Analysis", pickle.loads(packed))  # noqa: S301

    async def warm(self) -> None:
        """Open every kernel in the workers, so that the first request finds them open."""
        for snapshot in catalog(self.settings).snapshots():
            await self.workers.run(_open_kernel, snapshot.id, self.settings)


def check(request: AnalysisRequest, settings: Settings) -> None:
    """Refuse what cannot be answered; see `app.services.check`."""
    check_request(
        request,
        settings,
        kernels=[snapshot.id for snapshot in catalog(settings).snapshots()],
        loaders=[policy.id for policy in all_policies()],
    )


def analyse_sync(request: AnalysisRequest, settings: Settings) -> Analysis:
    """Answer one request in this process; raises AppError or EngineError."""
    check(request, settings)
    began = perf_counter()
    kernels = catalog(settings)
    compiled = None if request.object is not None else _compile(request, kernels)
    compiled_at = perf_counter()
    data = request.object if compiled is None else cast("bytes", compiled.object)
    obj = read_object(data or b"")
    names = tuple(function.name for function in functions(obj))
    parsed_at = perf_counter()
    runs = tuple(
        run_loader(obj, kernel, loader, kernels)
        for kernel in request.kernels
        for loader in request.loaders
    )
    ended = perf_counter()
    return Analysis(
        request=replace(request, object=None),
        compile=compiled,
        object_sha256=hashlib.sha256(data or b"").hexdigest(),
        object_bytes=len(data or b""),
        byte_order=obj.byte_order,
        functions=names,
        runs=runs,
        milliseconds={
            "compile": (compiled_at - began) * 1000,
            "parse": (parsed_at - compiled_at) * 1000,
            "relocate": (ended - parsed_at) * 1000,
            "total": (ended - began) * 1000,
        },
    )


def read_object(data: bytes) -> ElfObject:
    """Parse an object that is to be relocated; NoBtfError where there is nothing to go by."""
    obj = parse_object(data)
    if obj.btf is None:
        raise NoBtfError(
            "the object has no .BTF section", hint="Compile it with -g, and don't strip .BTF."
        )
    return obj


def run_loader(obj: ElfObject, kernel: str, loader: str, kernels: Catalog) -> Run:
    """Run one loader on one kernel; what goes wrong stays in this run."""
    try:
        return relocate(obj, kernels.btf(kernel), kernel, loader)
    except EngineError as error:
        return Run(kernel, loader, None, error=from_engine(error))


def relocate(obj: ElfObject, btf: Btf, kernel: str, loader: str) -> Run:
    """Relocate against a BTF that is open already and check the jumps; raises EngineError."""
    result = relocate_object(obj, Target(btf), policy_of(loader))
    jumps = {f.name: check_jumps(f) for f in result.functions if f.after is not None}
    return Run(kernel, loader, result, jumps)


def catalog(settings: Settings) -> Catalog:
    """Give this process's catalog; it keeps opened kernels."""
    return _catalog(settings.data, settings.cache_dir)


@cache
def _catalog(data: Path, cache_dir: Path) -> Catalog:
    return Catalog(data, cache_dir)


def _compile(request: AnalysisRequest, kernels: Catalog) -> CompileResult:
    from app.services.compile import CompileRequest, compile_c  # late: objects need no compiler

    kernel = kernels.snapshot(request.kernels[0])
    asked = request.byte_order
    result = compile_c(
        CompileRequest(
            files=dict(request.files),
            main=request.main,
            clang=request.clang,
            cpu=request.cpu,
            byte_order=kernel.byte_order if asked == "auto" else asked,
            opt=request.opt,
            defines=request.defines,
        ),
        kernels.btf(kernel.id),
    )
    if result.object is None:
        raise CompileFailed(result)
    return result


def _packed(request: AnalysisRequest, settings: Settings) -> bytes:
    """Run in a worker: give the pickled analysis, whose length is what the cache counts."""
    return pickle.dumps(analyse_sync(request, settings), pickle.HIGHEST_PROTOCOL)


def _open_kernel(kernel: str, settings: Settings) -> None:
    """Run in a worker: build the index file if need be, and map it."""
    try:
        catalog(settings).btf(kernel)
    except EngineError:
        return  # whoever asks for this kernel gets the error
