"""C to a BPF object, with a vmlinux.h of the chosen kernel; see docs/compile.md."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from time import perf_counter
from typing import Final, Literal

from app.errors import AppError
from app.sandbox import clang as clangs
from app.sandbox.clang import Clang, Flags
from app.sandbox.compiler import Compiled, command_shown, compile_object, preprocess
from app.sandbox.diagnostics import Diagnostic
from app.services import vmlinux
from app.settings import load_settings
from engine import limits
from engine.btf.decode import Btf

__all__ = ["CompileRequest", "CompileResult", "Diagnostic", "compile_c"]

Header = Literal["sliced", "full", "none"]

FILES: Final = 64
WIDENINGS: Final = 3
"""How often a slice is made larger by what an error names, before the full header is taken."""
_PART: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.+-]{0,99}")


@dataclass(frozen=True, slots=True)
class CompileRequest:
    """Source and choices; nothing in it is trusted.

    `files` maps names (`main.bpf.c`, `lib/helpers.h`) to text, `main` is the one compiled.
    `arch` is a name of an architecture for `__TARGET_ARCH_<...>`; "" tells it from the BTF.
    """

    files: Mapping[str, str]
    main: str
    clang: int | None = None
    cpu: str = "v3"
    byte_order: str = "little"
    opt: str = "O2"
    defines: tuple[str, ...] = ()
    arch: str = ""


@dataclass(frozen=True, slots=True)
class CompileResult:
    """The object without DWARF, or none and why in `diagnostics`.

    `header` says which vmlinux.h was used. `command` makes the same bytes in a folder with the
    files and that header. `milliseconds` has `header`, `clang` (every run of it) and `total`.
    """

    object: bytes | None
    diagnostics: tuple[Diagnostic, ...]
    command: str
    clang_version: str
    header: Header
    milliseconds: Mapping[str, float]


@dataclass(slots=True)
class _Job:
    """One request on its way; adds up where the time goes."""

    clang: Clang
    flags: Flags
    files: dict[str, bytes]
    main: str
    spent: dict[str, float] = field(default_factory=lambda: {"header": 0.0, "clang": 0.0})

    def compile(self, header: bytes | None) -> Compiled:
        began = perf_counter()
        files = self.files if header is None else {vmlinux.NAME: header, **self.files}
        try:
            return compile_object(self.clang, self.flags, files, self.main)
        finally:
            self.add("clang", began)

    def add(self, part: str, began: float) -> None:
        self.spent[part] += (perf_counter() - began) * 1e3


def compile_c(request: CompileRequest, btf: Btf, *, cache_dir: Path | None = None) -> CompileResult:
    """Compile for the kernel whose BTF is given; blocking, call it in a worker process.

    An error in the source is a result without an object. Raises AppError where there is nothing
    to compile (`source-missing`, `source-too-large`, `file-name-invalid`), a choice is wrong
    (`clang-unknown`, `cpu-unknown`, `define-invalid` ...), a limit ends it (`compile-timeout`,
    `compile-memory`, `compile-output-too-large`), or there is no compiler or jail
    (`clang-missing`, `jail-unavailable`). `cache_dir` keeps full headers; None: the setting.
    """
    began = perf_counter()
    files = _checked_files(request)
    clang = clangs.choose(request.clang)
    flags = clangs.checked_flags(
        clang,
        cpu=request.cpu,
        byte_order=request.byte_order,
        opt=request.opt,
        arch=request.arch or vmlinux.arch_of(btf),
        defines=request.defines,
    )
    job = _Job(clang, flags, files, request.main)
    texts = [*request.files.values(), *request.defines]
    header: Header = "none"
    if vmlinux.NAME in files or not vmlinux.is_included(texts):
        compiled = job.compile(None)
    else:
        compiled, header = _with_vmlinux(job, texts, btf, cache_dir)
    job.spent["total"] = (perf_counter() - began) * 1e3
    return CompileResult(
        object=compiled.object,
        diagnostics=compiled.diagnostics,
        command=command_shown(clang, flags, request.main),
        clang_version=clang.version,
        header=header,
        milliseconds=job.spent,
    )


def _with_vmlinux(
    job: _Job, texts: list[str], btf: Btf, cache_dir: Path | None
) -> tuple[Compiled, Header]:
    """Compile with a slice; where something is missing widen it, and at last take everything."""
    names = vmlinux.names_of(texts)
    if vmlinux.pastes_tokens(texts):
        names |= vmlinux.names_of([_expanded(job)])
    for _ in range(WIDENINGS):
        began = perf_counter()
        header = vmlinux.sliced(btf, names)
        job.add("header", began)
        compiled = job.compile(header)
        began = perf_counter()
        at_fault = vmlinux.slice_may_be_at_fault(compiled.diagnostics, btf)
        job.add("header", began)
        if not at_fault:
            return compiled, "sliced"
        missing = set().union(*map(vmlinux.missing_names, compiled.diagnostics))
        if missing <= names:
            break
        names = names | missing
    began = perf_counter()
    header = vmlinux.full(btf, cache_dir or load_settings().cache_dir)
    job.add("header", began)
    return job.compile(header), "full"


def _expanded(job: _Job) -> str:
    """Give the source after the preprocessor, for the names that macros put together."""
    began = perf_counter()
    files = {vmlinux.NAME: vmlinux.STUB, **job.files}
    try:
        return preprocess(job.clang, job.flags, files, job.main)
    finally:
        job.add("clang", began)


def _checked_files(request: CompileRequest) -> dict[str, bytes]:
    """Check names and sizes; give the files as bytes."""
    if request.main not in request.files or not request.files[request.main].strip():
        raise AppError("there is no C source", code="source-missing", place=request.main)
    if len(request.files) > FILES:
        raise AppError(f"more than {FILES} files", code="source-too-large", place="files")
    files = {}
    for name, text in request.files.items():
        if len(name) > 200 or not all(map(_PART.fullmatch, name.split("/"))):
            raise AppError(
                f"{name[:80]!r} is not a file name we accept",
                code="file-name-invalid",
                place=name[:80],
                hint="letters, digits, '_', '.', '+', '-'; folders are separated by '/'",
            )
        files[name] = text.encode("utf-8", "replace")
    _check_folders(files)
    size = sum(map(len, files.values()))
    if size > limits.SOURCE_BYTES:
        raise AppError(
            f"the source has {size} bytes; at most {limits.SOURCE_BYTES} are compiled",
            code="source-too-large",
            place=request.main,
            hint="Compile it yourself and give the object.",
        )
    return files


def _check_folders(files: Mapping[str, bytes]) -> None:
    """Refuse `a` beside `a/b`: no folder can hold both."""
    for name in files:
        parents = name.split("/")[:-1]
        for depth in range(1, len(parents) + 1):
            if "/".join(parents[:depth]) in files:
                raise AppError(
                    f"{'/'.join(parents[:depth])!r} is a file and a folder",
                    code="file-name-invalid",
                    place=name,
                )
