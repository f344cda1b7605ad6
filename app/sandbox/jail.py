"""A bubblewrap jail for programs that read hostile input; see docs/jail.md.

The jailed program sees shared libraries, what `readable` names, and its input files; it has no
network, no /proc, no /dev, no capability, its own process tree, and limits on time and memory.
Its answer is what it writes to stdout. All functions block: call them in worker processes.
"""

from __future__ import annotations

import contextlib
import functools
import logging
import os
import resource
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Final, Literal

from app.errors import AppError
from app.sandbox import reasons
from app.sandbox.mounts import bind_arguments, prlimit_path, runtime_arguments
from app.sandbox.process import Finished, memory_file, run_process

Kind = Literal["bubblewrap", "none", "unavailable"]

MODE_VARIABLE: Final = "COREPLAY_JAIL"
WORK: Final = "/src"
NOBODY: Final = "65534"
ENVIRONMENT: Final[Mapping[str, str]] = {
    "LC_ALL": "C",
    "PATH": "/usr/bin:/bin",
    "SOURCE_DATE_EPOCH": "0",
    "TMPDIR": "/tmp",  # noqa: S108 - the jail's own empty /tmp
}
UNSHARE: Final = (
    *("--unshare-ipc", "--unshare-pid", "--unshare-net", "--unshare-uts"),
    *("--unshare-cgroup-try", "--new-session", "--die-with-parent"),
    *("--uid", NOBODY, "--gid", NOBODY, "--hostname", "jail", "--cap-drop", "ALL"),
)


@dataclass(frozen=True, slots=True)
class JailLimits:
    """Bounds on one run: seconds and bytes. `cpu_seconds` is per process, so is memory."""

    cpu_seconds: int = 10
    wall_seconds: float = 15.0
    address_space: int = 2 << 30
    file_bytes: int = 32 << 20
    """The largest file the program can write, stdout included."""
    scratch_bytes: int = 64 << 20
    """The size of its /tmp."""
    processes: int = 64
    stdout_bytes: int = 32 << 20
    stderr_bytes: int = 1 << 20


DEFAULT_LIMITS: Final = JailLimits()
PROBE_LIMITS: Final = JailLimits(cpu_seconds=2, wall_seconds=5.0, stdout_bytes=4096)


@dataclass(frozen=True, slots=True)
class JailStatus:
    """Whether programs can be run, in what, and if not, why and what to do about it."""

    kind: Kind
    reason: str = ""
    hint: str = ""

    @property
    def ok(self) -> bool:
        """Whether `run` works."""
        return self.kind != "unavailable"


@dataclass(frozen=True, slots=True)
class _Way:
    """One manner of building the jail; several are tried, strictest first."""

    drop_root: bool
    """Become `nobody` before the namespaces are made, so that root's files are not ours."""
    forbid_userns: bool
    """No further user namespaces inside (bubblewrap >= 0.8)."""


def available() -> JailStatus:
    """Say whether `run` works here; a real tiny jail is built once per process and mode."""
    return _prepare(_mode())[0]


def run(
    argv: Sequence[str],
    *,
    inputs: Mapping[str, bytes] | None = None,
    readable: Sequence[Path] = (),
    limits: JailLimits = DEFAULT_LIMITS,
) -> Finished:
    """Run `argv` with `inputs` as read-only files of its working folder; stdout is the result.

    `inputs` maps relative names (`lib/helpers.h`) to contents; `readable` lists host paths that
    are shown read-only. Raises AppError `jail-unavailable` where no jail can be built, and
    `file-name-invalid` for a name that leaves the folder.
    """
    for name in inputs or {}:
        _check_name(name)
    status, way = _prepare(_mode())
    if status.kind == "unavailable":
        raise AppError(status.reason, code="jail-unavailable", hint=status.hint)
    if way is None:
        return _run_without(argv, inputs or {}, limits)
    return _run_jailed(way, argv, inputs or {}, readable, limits)


def enter() -> list[str] | None:
    """Give the start of a command that enters a jail without any file; None: run without one.

    For programs that live longer than `run` allows; `--` and the program follow the mounts.
    Raises AppError `jail-unavailable`.
    """
    status, way = _prepare(_mode())
    if status.kind == "unavailable":
        raise AppError(status.reason, code="jail-unavailable", hint=status.hint)
    return None if way is None else _entry(way)


def _mode() -> str:
    return os.environ.get(MODE_VARIABLE, "").strip() or "auto"


@functools.cache
def _prepare(mode: str) -> tuple[JailStatus, _Way | None]:
    """Find the strictest jail that works here; `None` with kind `none`: run without one."""
    if mode == "none":
        logging.getLogger(__name__).warning(reasons.NO_JAIL_WARNING)
        return JailStatus("none", reasons.NO_JAIL_WARNING), None
    if shutil.which("bwrap") is None:
        return JailStatus("unavailable", reasons.NO_BWRAP, reasons.INSTALL_BWRAP), None
    complaint = ""
    for way in _ways():
        argv = [prlimit_path(), "--version"]
        try:
            finished = _run_jailed(way, argv, {"probe": b""}, (), PROBE_LIMITS)
        except OSError as problem:
            complaint = str(problem)
            continue
        if finished.exit_status == 0 and not finished.timed_out:
            return JailStatus("bubblewrap"), way
        complaint = finished.stderr.decode("utf-8", "replace").strip() or "it took too long"
    reason, hint = reasons.explain(complaint)
    return JailStatus("unavailable", reason, hint), None


def _ways() -> list[_Way]:
    drops = [True, False] if os.geteuid() == 0 and shutil.which("setpriv") else [False]
    return [_Way(drop, forbid) for drop in drops for forbid in (True, False)]


def _run_jailed(
    way: _Way,
    argv: Sequence[str],
    inputs: Mapping[str, bytes],
    readable: Sequence[Path],
    limits: JailLimits,
) -> Finished:
    with contextlib.ExitStack() as stack:
        files: list[str] = []
        fds: list[int] = []
        for name, content in inputs.items():
            fd = stack.enter_context(memory_file("input", content))
            fds.append(fd)
            files += ["--file", str(fd), f"{WORK}/{name}"]
        command = [
            *_entry(way),
            *runtime_arguments(),
            *bind_arguments(readable),
            *("--size", str(limits.scratch_bytes), "--tmpfs", ENVIRONMENT["TMPDIR"]),
            *("--size", str(limits.scratch_bytes), "--tmpfs", WORK, *files),
            *("--remount-ro", WORK, "--remount-ro", "/", "--chdir", WORK, "--"),
            *_limited(limits, processes=True),
            *argv,
        ]
        return _finish(command, limits, fds=fds)


def _entry(way: _Way) -> list[str]:
    drop = ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups"]
    userns = ["--unshare-user", *(["--disable-userns"] if way.forbid_userns else [])]
    return [*(drop if way.drop_root else []), "bwrap", *userns, *UNSHARE]


def _run_without(argv: Sequence[str], inputs: Mapping[str, bytes], limits: JailLimits) -> Finished:
    """Run with limits only, in a fresh folder: `COREPLAY_JAIL=none`."""
    with tempfile.TemporaryDirectory(prefix="coreplay-") as folder:
        for name, content in inputs.items():
            path = Path(folder, name)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
        command = [*_limited(limits, processes=False), *argv]
        return _finish(command, limits, cwd=folder)


def _finish(
    command: list[str], limits: JailLimits, *, fds: Sequence[int] = (), cwd: str = "/"
) -> Finished:
    return run_process(
        command,
        environment=ENVIRONMENT,
        pass_fds=fds,
        cwd=cwd,
        wall_seconds=limits.wall_seconds,
        stdout_bytes=limits.stdout_bytes,
        stderr_bytes=limits.stderr_bytes,
    )


def _limited(limits: JailLimits, *, processes: bool) -> list[str]:
    """Give the command that lowers the limits and then becomes the program.

    It runs inside the jail because RLIMIT_NPROC counts per user namespace: set outside, it
    would count the processes of the whole machine's user, and bwrap itself could not fork.
    """
    wanted = {
        "cpu": (resource.RLIMIT_CPU, limits.cpu_seconds),
        "as": (resource.RLIMIT_AS, limits.address_space),
        "fsize": (resource.RLIMIT_FSIZE, limits.file_bytes),
        "core": (resource.RLIMIT_CORE, 0),
        "nofile": (resource.RLIMIT_NOFILE, 256),
        "stack": (resource.RLIMIT_STACK, 8 << 20),
    }
    if processes:
        wanted["nproc"] = (resource.RLIMIT_NPROC, limits.processes)
    command = [prlimit_path()]
    for name, (kind, value) in wanted.items():
        hard = resource.getrlimit(kind)[1]
        soft = value if hard == resource.RLIM_INFINITY else min(value, hard)
        # A second of grace between SIGXCPU, which names the reason, and SIGKILL.
        ceiling = soft + 1 if name == "cpu" and soft != hard else soft
        command.append(f"--{name}={soft}:{ceiling}")
    return [*command, "--"]


def _check_name(name: str) -> None:
    parts = PurePosixPath(name).parts
    if not parts or name.startswith("/") or ".." in parts or "\0" in name:
        raise AppError(
            f"{name!r} is not a name of a file in a folder", code="file-name-invalid", place=name
        )
