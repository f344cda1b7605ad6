"""One child process with bounded output and a deadline, for the jail.

stdout and stderr are anonymous files in memory (memfd), not pipes: nobody has to read while the
child runs, so nothing can block, and RLIMIT_FSIZE bounds how much it can write. What comes back
has no name in any folder, so there is no path for a hostile program to play with.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Finished:
    """How a child ended. `exit_status` is the shell's: 128 + N for death by signal N."""

    exit_status: int
    stdout: bytes
    stderr: bytes
    timed_out: bool
    milliseconds: float

    @property
    def signal(self) -> int:
        """The signal that ended the program; 0 if it ended by itself."""
        return self.exit_status - 128 if self.exit_status > 128 else 0


def run_process(
    argv: Sequence[str],
    *,
    environment: Mapping[str, str],
    pass_fds: Sequence[int] = (),
    cwd: str = "/",
    wall_seconds: float,
    stdout_bytes: int,
    stderr_bytes: int,
) -> Finished:
    """Run `argv` in its own session, wait, and give at most so many bytes of what it wrote.

    At the deadline the whole process group is killed. Raises OSError where argv[0] cannot be
    started at all.
    """
    start = time.perf_counter()
    with memory_file("stdout") as out, memory_file("stderr") as err:
        child = subprocess.Popen(
            list(argv),
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=err,
            env=dict(environment),
            cwd=cwd,
            pass_fds=tuple(pass_fds),
            start_new_session=True,
        )
        try:
            timed_out = not _wait(child, wall_seconds)
        finally:
            _kill_group(child)
        status = child.returncode
        return Finished(
            exit_status=status if status >= 0 else 128 - status,
            stdout=_read(out, stdout_bytes),
            stderr=_read(err, stderr_bytes),
            timed_out=timed_out,
            milliseconds=(time.perf_counter() - start) * 1e3,
        )


@contextlib.contextmanager
def memory_file(name: str, content: bytes = b"") -> Iterator[int]:
    """Give a file descriptor of an anonymous file in memory that holds `content`, at its start."""
    fd = os.memfd_create(name, os.MFD_CLOEXEC)
    try:
        rest = memoryview(content)
        while rest:
            rest = rest[os.write(fd, rest) :]
        os.lseek(fd, 0, os.SEEK_SET)
        yield fd
    finally:
        os.close(fd)


def _wait(child: subprocess.Popen[bytes], seconds: float) -> bool:
    """Wait for the child without polling (Popen.wait sleeps up to 50 ms); False: still alive."""
    handle = os.pidfd_open(child.pid)
    try:
        poll = select.poll()
        poll.register(handle, select.POLLIN)
        return bool(poll.poll(seconds * 1000))
    finally:
        os.close(handle)


def _kill_group(child: subprocess.Popen[bytes]) -> None:
    """End what is left of the session and reap the child.

    The child is not reaped before this, so its number cannot belong to anybody else yet.
    """
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(child.pid, signal.SIGKILL)
    with contextlib.suppress(ProcessLookupError):
        os.kill(child.pid, signal.SIGKILL)
    child.wait()


def _read(fd: int, limit: int) -> bytes:
    """Read at most `limit` bytes from the start; the file may still change, the copy does not."""
    parts = []
    offset = 0
    while offset < limit and (part := os.pread(fd, min(1 << 20, limit - offset), offset)):
        parts.append(part)
        offset += len(part)
    return b"".join(parts)
