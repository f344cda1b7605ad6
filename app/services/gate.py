"""`coreplay check`: a program against many kernels and loaders, with a verdict and findings each.

It runs in the process that calls it: a program of usual size takes some 10 ms for each kernel
and loader.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal

from app.errors import AppError
from app.services.analyse import chosen_modules, compile_source, kconfig_of, read_object
from app.services.analysis import AnalysisRequest
from app.services.check import unknown_id
from engine.btf.decode import Btf
from engine.btf.kinds import ByteOrder
from engine.core.candidates import Target
from engine.core.policy import LoaderPolicy
from engine.core.prepare import PreparedObject
from engine.flow.kconfig import externs
from engine.kernels.catalog import Catalog
from engine.lint.examine import Report, examine
from engine.lint.rule import SEVERITIES, Finding, Severity
from engine.lint.scene import Kernel
from engine.loaders import all_policies

if TYPE_CHECKING:
    from app.services.compile import CompileResult

FailOn = Literal["error", "warning"]
ALL: Final = "all"
DEFAULT_FAMILIES: Final = ("libbpf", "cilium")
"""The newest version of each is taken where no loader is named."""


@dataclass(frozen=True, slots=True)
class Skipped:
    """A kernel that was left out, and why."""

    kernel: str
    reason: str


@dataclass(frozen=True, slots=True)
class Check:
    """The whole answer; reports are ordered by kernel, then loader, then program."""

    name: str
    byte_order: ByteOrder
    reports: tuple[Report, ...]
    skipped: tuple[Skipped, ...] = ()
    compile: CompileResult | None = None
    kconfig: tuple[tuple[str, str], ...] = ()
    """Externs in .kconfig by name, with the setting that was given; "" for none."""

    @property
    def kernels(self) -> tuple[str, ...]:
        """Kernels in the order in which they were named."""
        return tuple(dict.fromkeys(report.kernel for report in self.reports))

    @property
    def loaders(self) -> tuple[str, ...]:
        """Loaders in the order in which they were named."""
        return tuple(dict.fromkeys(report.loader for report in self.reports))

    def count(self, severity: Severity) -> int:
        """How many different findings there are, however many kernels have them."""
        return sum(merged.finding.severity == severity for merged in self.merged())

    def merged(self) -> tuple[Merged, ...]:
        """Findings with all the kernels and loaders that have them, the worst first."""
        where: dict[Finding, list[tuple[str, str]]] = {}
        for report in self.reports:
            for finding in report.findings:
                where.setdefault(finding, []).append((report.kernel, report.loader))
        found = [Merged(finding, tuple(runs)) for finding, runs in where.items()]
        return tuple(sorted(found, key=lambda m: SEVERITIES.index(m.finding.severity)))

    def fails(self, fail_on: FailOn) -> bool:
        """Whether there is a finding that bad or worse."""
        return any(is_failing(f, fail_on) for report in self.reports for f in report.findings)


@dataclass(frozen=True, slots=True)
class Merged:
    """One finding, and (kernel, loader) of the runs that have it."""

    finding: Finding
    runs: tuple[tuple[str, str], ...]


def is_failing(finding: Finding, fail_on: FailOn) -> bool:
    """Whether a finding is as bad as `fail_on`, or worse."""
    return SEVERITIES.index(finding.severity) <= SEVERITIES.index(fail_on)


@dataclass(slots=True)
class KernelChooser:
    """Turns the words of a command line into kernels.

    `read_btf` opens a BTF file; without it only kernels of the catalog can be named.
    """

    catalog: Catalog
    modules: Sequence[str] = ()
    read_btf: Callable[[str], Btf] | None = None
    problems: list[Skipped] = field(default_factory=list)

    def choose(self, words: Sequence[str]) -> tuple[Kernel, ...]:
        """`all`, ids or their beginnings, and files; raises KernelUnknown, or what reading does."""
        found: dict[str, Kernel] = {}
        for word in words:
            for kernel in self._kernels(word):
                found.setdefault(kernel.id, kernel)
        if not found:
            raise AppError("No kernel was chosen", code="kernel-missing", place="kernels")
        return tuple(found.values())

    def _kernels(self, word: str) -> Iterator[Kernel]:
        if word == ALL:
            for snapshot in self.catalog.snapshots():
                yield self._known(snapshot.id)
        elif self.read_btf is not None and is_file(word):
            name = Path(word).name
            yield Kernel(name, name, Target(self.read_btf(word)))
        else:
            yield self._known(self.catalog.resolve(word).id)

    def _known(self, kernel: str) -> Kernel:
        target = Target(self.catalog.btf(kernel))
        if self.modules:
            target = replace(target, modules=chosen_modules(self.catalog, self.modules, kernel))
        return Kernel(kernel, self.catalog.snapshot(kernel).release, target)


def is_file(word: str) -> bool:
    """Whether a word of --kernels means a file: it has a folder, ends in .btf, or is there."""
    return "/" in word or word.endswith(".btf") or Path(word).is_file()


def choose_loaders(words: Sequence[str]) -> tuple[LoaderPolicy, ...]:
    """Ids, `all`, or a family (`aya`) for its newest version; the usual two where none is named."""
    known = all_policies()
    found: dict[str, LoaderPolicy] = {}
    for word in words or DEFAULT_FAMILIES:
        chosen = [p for p in known if word in (ALL, p.id)]
        chosen = chosen or [p for p in known if p.family == word][:1]
        if not chosen:
            names = [policy.id for policy in known]
            raise unknown_id("loader", word, names, place="--loaders")
        found.update((policy.id, policy) for policy in chosen)
    return tuple(found.values())


@dataclass(frozen=True, slots=True)
class Ready:
    """An object and the kernels that it can be checked against."""

    prepared: PreparedObject
    kernels: tuple[Kernel, ...]
    skipped: tuple[Skipped, ...]
    compile: CompileResult | None = None


def check_program(
    request: AnalysisRequest, kernels: Sequence[Kernel], policies: Sequence[LoaderPolicy]
) -> Check:
    """Examine a program on all kernels of its byte order; raises what `prepared_for` raises."""
    ready = prepared_for(request, kernels)
    reports = examine(ready.prepared, ready.kernels, policies, sources=request.files)
    name = request.main if request.object is None else request.object_name
    order = ready.prepared.obj.byte_order
    given = ready.prepared.kconfig
    names = externs(ready.prepared.btf, "")
    settings = tuple((name, given.get(name, "")) for name in names)
    return Check(name, order, reports, ready.skipped, ready.compile, settings)


def prepared_for(request: AnalysisRequest, kernels: Sequence[Kernel]) -> Ready:
    """Compile C for the last kernel, or take the object, and leave out kernels that do not fit.

    Raises AppError where none is left, CompileFailed, and EngineError for a damaged object.
    """
    compiled = None
    data = request.object
    if data is None:
        compiled = _compile(request, kernels)
        data = compiled.object or b""
    prepared = replace(read_object(data), kconfig=kconfig_of(request))
    order = prepared.obj.byte_order
    fitting = tuple(kernel for kernel in kernels if kernel.target.btf.byte_order == order)
    if not fitting:
        raise AppError(
            f"The object is {order}-endian, and none of the kernels is",
            code="byte-order-mismatch",
            place="kernels",
            hint="Compile it for their byte order, or name other kernels.",
        )
    skipped = tuple(
        Skipped(
            kernel.id, f"it is {kernel.target.btf.byte_order}-endian, the object {order}-endian"
        )
        for kernel in kernels
        if kernel not in fitting
    )
    return Ready(prepared, fitting, skipped, compiled)


def _compile(request: AnalysisRequest, kernels: Sequence[Kernel]) -> CompileResult:
    wanted = request.byte_order if request.byte_order != "auto" else None
    orders = {kernel.target.btf.byte_order for kernel in kernels}
    if wanted is None:
        wanted = "little" if "little" in orders else "big"
    fitting = [kernel for kernel in kernels if kernel.target.btf.byte_order == wanted]
    kernel = (fitting or list(kernels))[-1]
    asked = replace(request, kernels=(kernel.id,), byte_order=wanted)
    return compile_source(asked, lambda _: kernel.target.btf)
