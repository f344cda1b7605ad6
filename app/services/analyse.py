"""The main job: C or an object in, what each loader makes of it on each kernel out.

`Analyses.analyse` is what pages and API call; `analyse_sync` is the same without processes,
for workers and the command line.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import cache, partial
from importlib import import_module
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, cast

from app.errors import AppError, from_engine
from app.services.analysis import ALL_MODULES, Analysis, AnalysisRequest, CompileFailed, Run
from app.services.cache import ByteCache
from app.services.check import check_request
from app.services.verdicts import nearest_names, verdicts_of
from app.settings import Settings
from engine.btf.decode import Btf
from engine.btf.split import ModuleSet
from engine.core.candidates import Target
from engine.core.prepare import PreparedObject, prepare
from engine.core.relocate import relocate_object
from engine.core.work import DebugSink
from engine.elf.object import parse_object
from engine.errors import EngineError, NoBtfError, NoProgramsError
from engine.flow.jumps import check_jumps
from engine.kernels.catalog import Catalog
from engine.loaders import all_policies, policy_of
from engine.loaders.attach import for_loader
from engine.loaders.link import link_object

if TYPE_CHECKING:
    from app.services.closeup import Closeup, CloseupRequest
    from app.services.compile import CompileResult
    from app.services.workers import Workers

BtfOf = Callable[[str], Btf]
"""Gives the BTF of a kernel by its id; raises EngineError."""
ModulesOf = Callable[[str], ModuleSet]
"""Gives the modules of a kernel that are looked into; raises EngineError."""
DebugOf = Callable[[str, str], DebugSink | None]
"""Gives, for kernel and loader, what takes the lines that the loader prints."""

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
        from pickle import loads  # late: the command line needs it not

        # Only our own worker wrote these bytes.
        return cast("Analysis", loads(await self.rendered(request, _pickled)))  # noqa: S301

    async def rendered(
        self, request: AnalysisRequest, render: Callable[[Analysis], bytes]
    ) -> bytes:
        """Answer one request in a form that `render`, a module-level function, gives it.

        It is called in the worker too, so that large answers don't hold up the event loop.
        """
        check(request, self.settings)
        key = f"{render.__module__}.{render.__qualname__} {request.digest()}"
        answer = self._cache.get(key)
        if answer is None:
            try:
                answer = await self.workers.run(_answer, request, self.settings, render)
            except EngineError as error:
                raise from_engine(error) from None
            self._cache.put(key, answer)
        return answer

    async def closeup(self, request: CloseupRequest) -> Closeup:
        """Look at one function of an object that was analysed; raises AppError."""
        from pickle import loads  # late: as above

        key = f"closeup {request.digest()}"
        answer = self._cache.get(key)
        if answer is None:
            try:
                answer = await self.workers.run(_closeup, request, self.settings)
            except EngineError as error:
                raise from_engine(error) from None
            self._cache.put(key, answer)
        return cast("Closeup", loads(answer))  # noqa: S301

    async def keep_warm(self) -> None:
        """Start the workers and open all kernels in them; again whenever one was lost.

        Where warming up itself costs workers it is left at that: requests start their own.
        """
        while not self.workers.lost:
            await self._warm()
            if not self.workers.lost:
                await self.workers.wait_for_loss()

    async def _warm(self) -> None:
        """Build missing index files in one worker, then map all of them in each."""
        names = tuple(snapshot.id for snapshot in catalog(self.settings).snapshots())
        await self.workers.in_each(_find_compilers)
        for name in names:
            await self.workers.in_each(_open_kernels, (name,), self.settings, workers=1)
        await self.workers.in_each(_open_kernels, names, self.settings)


def check(
    request: AnalysisRequest, settings: Settings, *, kernels: Sequence[str] | None = None
) -> None:
    """Refuse what cannot be answered; see `app.services.check`.

    `kernels` are the ids that exist; those of the catalog when it is left out.
    """
    if kernels is None:
        kernels = [snapshot.id for snapshot in catalog(settings).snapshots()]
    loaders = [policy.id for policy in all_policies()]
    check_request(request, settings, kernels=kernels, loaders=loaders)


def analyse_sync(request: AnalysisRequest, settings: Settings) -> Analysis:
    """Answer one request in this process; raises AppError or EngineError."""
    check(request, settings)
    known = catalog(settings)
    modules_of = None
    if request.modules:
        modules_of = partial(chosen_modules, known, request.modules)
    return analyse_on(
        request,
        known.btf,
        cache_dir=settings.cache_dir,
        modules_of=modules_of,
        release_of=lambda kernel: known.snapshot(kernel).release,
    )


def chosen_modules(known: Catalog, names: Sequence[str], kernel: str) -> ModuleSet:
    """Give the modules of a kernel that were asked for by name, or all of them."""
    return known.module_set(kernel, None if ALL_MODULES in names else names)


def analyse_on(
    request: AnalysisRequest,
    btf_of: BtfOf,
    *,
    cache_dir: Path | None = None,
    modules_of: ModulesOf | None = None,
    debug_of: DebugOf | None = None,
    release_of: Callable[[str], str] = str,
) -> Analysis:
    """Answer one request that was checked, with kernels from wherever `btf_of` has them.

    `cache_dir` keeps generated headers; None: the setting. `release_of` gives the release of
    a kernel, which says what its verifier keeps; ids that begin with a version do as well.
    """
    began = perf_counter()
    compiled = None if request.object is not None else compile_source(request, btf_of, cache_dir)
    compiled_at = perf_counter()
    data = (compiled.object if compiled else request.object) or b""
    prepared = replace(read_object(data), kconfig=kconfig_of(request))
    parsed_at = perf_counter()
    runs = tuple(
        run_loader(
            prepared,
            kernel,
            loader,
            btf_of,
            modules_of=modules_of,
            debug=debug_of(kernel, loader) if debug_of else None,
            release=release_of(kernel),
        )
        for kernel in request.kernels
        for loader in request.loaders
    )
    ended = perf_counter()
    return Analysis(
        request=replace(request, object=None),
        compile=compiled,
        object_sha256=hashlib.sha256(data).hexdigest(),
        object_bytes=len(data),
        byte_order=prepared.obj.byte_order,
        functions=tuple(function.name for function in prepared.functions),
        runs=runs,
        milliseconds={
            "compile": (compiled_at - began) * 1000,
            "parse": (parsed_at - compiled_at) * 1000,
            "relocate": (ended - parsed_at) * 1000,
            "total": (ended - began) * 1000,
        },
    )


def compile_source(
    request: AnalysisRequest, btf_of: BtfOf, cache_dir: Path | None = None
) -> CompileResult:
    """Compile for the first kernel; CompileFailed where clang gives no object."""
    from app.services.compile import CompileRequest, compile_c  # late: objects need no compiler

    btf = btf_of(request.kernels[0])
    asked = request.byte_order
    result = compile_c(
        CompileRequest(
            files=dict(request.files),
            main=request.main,
            clang=request.clang,
            cpu=request.cpu,
            byte_order=btf.byte_order if asked == "auto" else asked,
            opt=request.opt,
            defines=request.defines,
        ),
        btf,
        cache_dir=cache_dir,
    )
    if result.object is None:
        raise CompileFailed(result)
    return result


def kconfig_of(request: AnalysisRequest) -> dict[str, str]:
    """Read `NAME=VALUE` settings; raises AppError for any other form."""
    found = {}
    for number, text in enumerate(request.kconfig):
        name, sign, value = text.partition("=")
        if not sign or not name.isidentifier() or not value:
            raise AppError(
                f"{text[:120]!r} is no setting of a kernel's configuration",
                code="bad-request",
                place=f"kconfig[{number}]",
                hint="Write it as in .config: CONFIG_HZ=250, CONFIG_BPF_JIT=y.",
            )
        found[name] = value
    return found


def read_object(data: bytes) -> PreparedObject:
    """Parse an object; NoBtfError or NoProgramsError where there is nothing to relocate."""
    prepared = prepare(parse_object(data))
    if prepared.btf is None:
        raise NoBtfError(
            "the object has no .BTF section", hint="Compile it with -g, and don't strip .BTF."
        )
    if not prepared.functions:
        raise NoProgramsError(
            "there is no function in a code section",
            hint='Write a program, as in `SEC("kprobe/do_sys_open") int prog(void *ctx)`.',
        )
    return prepared


def run_loader(
    prepared: PreparedObject,
    kernel: str,
    loader: str,
    btf_of: BtfOf,
    *,
    modules_of: ModulesOf | None = None,
    debug: DebugSink | None = None,
    release: str = "",
) -> Run:
    """Run one loader on one kernel, check jumps, and judge; what goes wrong stays in this run.

    `release` is that of the kernel, its id when left out.
    """
    try:
        target, policy = Target(btf_of(kernel)), policy_of(loader)
        if modules_of is not None:
            target = replace(target, modules=modules_of(kernel))
            target = for_loader(prepared, target, policy)
        result = relocate_object(prepared, target, policy, debug=debug)
        jumps = {f.name: check_jumps(f) for f in result.functions if f.after is not None}
        linked = link_object(prepared, target, policy)
        verdicts = verdicts_of(prepared, linked, release or kernel)
        nearest = nearest_names(result, prepared, target, policy)
    except EngineError as error:
        return Run(kernel, loader, None, error=from_engine(error))
    return Run(kernel, loader, result, jumps, verdicts=verdicts, nearest=nearest)


def catalog(settings: Settings) -> Catalog:
    """Give this process's catalog; it keeps opened kernels."""
    return _catalog(settings.data, settings.cache_dir)


@cache
def _catalog(data: Path, cache_dir: Path) -> Catalog:
    return Catalog(data, cache_dir)


def _answer(
    request: AnalysisRequest, settings: Settings, render: Callable[[Analysis], bytes]
) -> bytes:
    """Run in a worker."""
    return render(analyse_sync(request, settings))


def _pickled(answer: object) -> bytes:
    """Give the bytes that `Analyses` unpacks; their length is what the cache counts."""
    from pickle import HIGHEST_PROTOCOL, dumps  # late: as above

    return dumps(answer, HIGHEST_PROTOCOL)


def _closeup(request: CloseupRequest, settings: Settings) -> bytes:
    """Run in a worker."""
    from app.services.closeup import look  # late: the command line needs it not

    known = catalog(settings)
    target = Target(known.btf(request.kernel))
    if request.modules:
        target = replace(target, modules=chosen_modules(known, request.modules, request.kernel))
    release = known.snapshot(request.kernel).release
    return _pickled(look(read_object(request.object), target, release, request))


def _open_kernels(names: tuple[str, ...], settings: Settings) -> None:
    """Run in a worker: map the index files, and build those that are missing."""
    for name in names:
        with suppress(EngineError):  # whoever asks for this kernel gets the error
            catalog(settings).btf(name)


def _find_compilers() -> None:
    """Run in a worker: import what compiles, and look once for clangs and a jail."""
    from app.services.choices import compilers

    compilers()
    import_module("app.services.compile")
