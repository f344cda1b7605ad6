"""One run of clang in the jail, and what its end means."""

from __future__ import annotations

import re
import shlex
import signal
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from app.errors import AppError
from app.sandbox import jail
from app.sandbox.clang import Clang, Flags, arguments, flags_shown, readable_paths
from app.sandbox.diagnostics import Diagnostic, clean, errors, parse
from app.sandbox.process import Finished
from app.sandbox.strip import without_dwarf
from engine import limits as engine_limits

LIMITS: Final = jail.JailLimits()
_NO_MEMORY: Final = re.compile(
    r"out of memory|bad_alloc|Cannot allocate memory|failed to map segment|Allocation failed"
)
_ABNORMAL: Final = (70, 127)
"""Exit statuses of clang after a fatal error of its own, and of the dynamic loader."""


@dataclass(frozen=True, slots=True)
class Compiled:
    """What clang made: an object without DWARF, or none and at least one error."""

    object: bytes | None
    diagnostics: tuple[Diagnostic, ...]


def compile_object(
    clang: Clang,
    flags: Flags,
    files: Mapping[str, bytes],
    main: str,
    *,
    limits: jail.JailLimits = LIMITS,
) -> Compiled:
    """Compile `main`, one of `files`.

    Raises AppError `compile-timeout`, `compile-memory`, `compile-output-too-large` or
    `jail-unavailable`.
    """
    finished = _run(clang, flags, files, main, limits=limits, action="-c")
    diagnostics = parse(finished.stderr.decode("utf-8", "replace"))
    if finished.exit_status == 0 and finished.stdout:
        data = without_dwarf(finished.stdout)
        if len(data) > engine_limits.OBJECT_BYTES:
            raise _too_large(engine_limits.OBJECT_BYTES)
        return Compiled(data, diagnostics)
    if not errors(diagnostics):
        diagnostics = (*diagnostics, Diagnostic("", 0, 0, "error", _silent_end(finished)))
    return Compiled(None, diagnostics)


def preprocess(clang: Clang, flags: Flags, files: Mapping[str, bytes], main: str) -> str:
    """Give `main` with all macros expanded, as far as clang gets; same errors."""
    finished = _run(clang, flags, files, main, limits=LIMITS, action="-E")
    return finished.stdout.decode("utf-8", "replace")


def command_shown(clang: Clang, flags: Flags, main: str) -> str:
    """Give the line that makes the same object, byte for byte, in a folder with the files."""
    target = re.sub(r"\.c$", "", main) + ".o"
    build = [clang.command, *flags_shown(flags), "-c", main, "-o", target]
    return f"{shlex.join(build)} && {shlex.join([f'llvm-strip-{clang.major}', '-g', target])}"


def _run(
    clang: Clang,
    flags: Flags,
    files: Mapping[str, bytes],
    main: str,
    *,
    limits: jail.JailLimits,
    action: str,
) -> Finished:
    finished = jail.run(
        arguments(clang, flags, main, action=[action]),
        inputs=files,
        readable=readable_paths(clang),
        limits=limits,
    )
    _refuse_exhaustion(finished, limits)
    return finished


def _refuse_exhaustion(finished: Finished, limits: jail.JailLimits) -> None:
    """Raise the AppError for a limit that ended the run.

    SIGXCPU can end as SIGKILL, because clang prints a stack dump first and the grace is short;
    an early SIGKILL is the kernel's, which ran out of memory.
    """
    slow = finished.milliseconds > limits.cpu_seconds * 900
    if (
        finished.timed_out
        or finished.signal == signal.SIGXCPU
        or (finished.signal == signal.SIGKILL and slow)
    ):
        raise AppError(
            f"clang was stopped: it took more than {limits.cpu_seconds} s of processor time",
            code="compile-timeout",
            hint="A macro or an assembler directive that repeats itself is the usual cause.",
        )
    if finished.signal == signal.SIGXFSZ:
        raise _too_large(limits.file_bytes)
    text = finished.stderr.decode("utf-8", "replace")
    if finished.signal == signal.SIGKILL or (
        (finished.signal or finished.exit_status in _ABNORMAL) and _is_out_of_memory(text)
    ):
        raise AppError(
            f"clang was stopped: it wanted more than {limits.address_space >> 20} MiB of memory",
            code="compile-memory",
            hint="A very large array, macro or assembler directive is the usual cause.",
        )


def _is_out_of_memory(text: str) -> bool:
    """Look at lines of clang itself only: a message about the source has a place in front."""
    own = (line for line in text.splitlines() if not re.match(r"[^:]+:\d+:\d+: ", line))
    return any(_NO_MEMORY.search(line) for line in own)


def _too_large(limit: int) -> AppError:
    return AppError(
        f"the object would be larger than {limit >> 20} MiB",
        code="compile-output-too-large",
        hint="Large arrays belong into a map.",
    )


def _silent_end(finished: Finished) -> str:
    if finished.signal == signal.SIGSEGV:
        return "clang itself crashed (too deep a nesting, most likely)"
    if finished.signal:
        return f"clang itself crashed (signal {finished.signal})"
    lines = finished.stderr.decode("utf-8", "replace").split("\n")
    last = next((clean(line) for line in reversed(lines) if line.strip()), "no message")
    return f"clang gave no object (exit status {finished.exit_status}): {last}"
