"""What is asked of an analysis and what comes out of it, as values that cross processes."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Literal

from app.errors import AppError
from engine.btf.kinds import ByteOrder
from engine.core.result import ObjectResult

if TYPE_CHECKING:
    from app.services.compile import CompileResult
    from app.services.verdicts import ProgramVerdict
    from engine.flow.jumps import JumpCheck

ALL_MODULES: Final = "all"
AskedByteOrder = Literal["auto", "little", "big"]


@dataclass(frozen=True, slots=True)
class AnalysisRequest:
    """C files by name, or an object; and against which kernels, as which loaders.

    `byte_order` `auto` compiles for the byte order of the first kernel. The compiler's fields
    say nothing about an object that is given.
    """

    files: Mapping[str, str] = field(default_factory=dict)
    object: bytes | None = field(default=None, repr=False)
    object_name: str = ""
    kernels: tuple[str, ...] = ()
    loaders: tuple[str, ...] = ()
    modules: tuple[str, ...] = ()
    """Modules that are loaded on every kernel, by name; `all` for all that are known."""
    kconfig: tuple[str, ...] = ()
    """Settings of the kernel's configuration, `CONFIG_HZ=250`, for externs in .kconfig."""
    clang: int | None = None
    cpu: str = "v3"
    byte_order: AskedByteOrder = "auto"
    opt: str = "O2"
    defines: tuple[str, ...] = ()

    @property
    def main(self) -> str:
        """The file that is compiled: the first one named `*.c`."""
        return next((name for name in self.files if name.endswith(".c")), "")

    def digest(self) -> str:
        """Give a SHA-256 over everything that decides the answer, as 64 hex digits."""
        compiler = None
        if self.object is None:
            compiler = [
                list(self.files.items()), self.clang, self.cpu, self.byte_order, self.opt,
                list(self.defines),
            ]  # fmt: skip
        asked = [compiler, self.object_name, self.kernels, self.loaders, self.modules]
        known = json.dumps([*asked, self.kconfig] if self.kconfig else asked)
        return hashlib.sha256(known.encode() + b"\0" + (self.object or b"")).hexdigest()


@dataclass(frozen=True, slots=True)
class Run:
    """One loader on one kernel; either `result` or `error` (this run could not be made)."""

    kernel: str
    loader: str
    result: ObjectResult | None
    jumps: Mapping[str, tuple[JumpCheck, ...]] = field(default_factory=dict)
    """Checked jumps by function name; only functions that the loader did not refuse."""
    error: AppError | None = None
    verdicts: tuple[ProgramVerdict, ...] = ()
    """One for each program, in the order of the object's functions."""
    nearest: Mapping[str, str] = field(default_factory=dict)
    """The nearest name of the kernel by the sentence that says what it lacks."""


@dataclass(frozen=True, slots=True)
class Analysis:
    """The whole answer. `milliseconds` has `compile`, `parse`, `relocate` and `total`."""

    request: AnalysisRequest
    compile: CompileResult | None
    object_sha256: str
    object_bytes: int
    byte_order: ByteOrder
    functions: tuple[str, ...]
    runs: tuple[Run, ...]
    milliseconds: Mapping[str, float]


class CompileFailed(AppError):
    """The compiler refused the source; `result` has its diagnostics and the command."""

    def __init__(self, result: CompileResult) -> None:
        errors = [d for d in result.diagnostics if d.severity == "error"]
        first = errors[0] if errors else None
        super().__init__(
            first.text if first else "clang gave no object",
            code="compile-failed",
            place=f"{first.file}:{first.line}:{first.column}" if first else "",
            hint=f"{len(errors)} errors in all." if len(errors) > 1 else "",
            details={
                "diagnostics": [
                    {
                        "file": d.file,
                        "line": d.line,
                        "column": d.column,
                        "severity": d.severity,
                        "text": d.text,
                    }
                    for d in result.diagnostics
                ],
                "command": result.command,
                "clang_version": result.clang_version,
            },
        )
        self.result = result
