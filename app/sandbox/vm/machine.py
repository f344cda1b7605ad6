"""One running QEMU in its jail, with the wires to it; made to be killed.

Nothing of a machine has a name in any folder: its memory is memfds, its wires are socket pairs.
Processes end with their owner, even when that is killed with SIGKILL: bubblewrap asks the kernel
for it (PR_SET_PDEATHSIG), and with bubblewrap goes its process namespace. The owner is the
*thread* that makes the machine, so make it in one that lasts, such as that of the event loop.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import signal
import socket
import subprocess
from collections.abc import Callable, Sequence
from typing import Final

from app.errors import AppError
from app.sandbox.vm.area import Area, Status
from app.sandbox.vm.qemu import Wires
from app.sandbox.vm.qmp import Qmp

SERIAL_BYTES: Final = 64 << 10
"""A guest that says more on its serial line floods it."""
_REAP_SECONDS: Final = 2.0
_ENVIRONMENT: Final = {"PATH": "/usr/bin:/usr/sbin:/bin", "LC_ALL": "C"}

Command = Callable[[Wires], Sequence[str]]


class Machine:
    """A QEMU process; close it in any case."""

    def __init__(self, ram: int, command: Command, *, inherit: Sequence[int] = ()) -> None:
        """Start QEMU; `ram` and what `inherit` names stay the caller's file descriptors."""
        self._closed = False
        self._heard = bytearray()
        with contextlib.ExitStack() as unless_started:
            self.area = Area()
            unless_started.callback(self.area.close)
            self._complaints = os.memfd_create("coreplay-stderr", os.MFD_CLOEXEC)
            unless_started.callback(os.close, self._complaints)
            self._serial, its_serial = _wire(unless_started)
            self._qmp_socket, its_qmp = _wire(unless_started)
            with its_serial, its_qmp:
                wires = Wires(ram, self.area.fd, its_serial.fileno(), its_qmp.fileno())
                self._process = self._start(command(wires), (*wires.all, *inherit))
            self._release = unless_started.pop_all().close
        self.qmp = Qmp(self._qmp_socket)

    def _start(self, command: Sequence[str], fds: Sequence[int]) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            list(command),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=self._complaints,
            env=_ENVIRONMENT,
            cwd="/",
            pass_fds=fds,
            start_new_session=True,
        )

    @property
    def pid(self) -> int:
        """The process of the jail, an ancestor of QEMU."""
        return self._process.pid

    @property
    def alive(self) -> bool:
        """Whether it still runs or stands still."""
        return not self._closed and self._process.poll() is None

    async def wait_for_guest(self) -> Status:
        """Wait until the guest has served the present request, or is ready for its first.

        Raises AppError `vm-guest-died` or `vm-guest-flooded`; has no deadline of its own.
        """
        loop = asyncio.get_running_loop()
        while (status := self.area.status()) is Status.SILENT:
            try:
                more = await loop.sock_recv(self._serial, 4096)
            except OSError:
                more = b""
            if not more:
                raise self.died()
            self._heard += more
            if len(self._heard) > SERIAL_BYTES:
                raise AppError(
                    f"the guest wrote more than {SERIAL_BYTES >> 10} KiB to its serial line",
                    code="vm-guest-flooded",
                    hint="It was stopped; the program that was loaded took over its kernel.",
                )
        return status

    def died(self) -> AppError:
        """Give the error for a guest that ended by itself, with the kernel's last words."""
        panic = re.search(rb"Kernel panic - not syncing: ([^\r\n]{1,200})", bytes(self._heard))
        if panic:
            said = panic[1].decode("ascii", "replace")
            return AppError(f"the guest's kernel panicked: {said}", code="vm-guest-died")
        complaint = self.complaint()
        if complaint:
            return AppError(f"QEMU ended: {complaint}", code="vm-guest-died")
        return AppError(
            "the guest ended before it answered: its kernel rebooted, or QEMU was killed",
            code="vm-guest-died",
        )

    def complaint(self) -> str:
        """Give the last line that QEMU or the jail wrote to stderr; often empty."""
        with contextlib.suppress(OSError):
            size = os.fstat(self._complaints).st_size
            text = os.pread(self._complaints, 2000, max(0, size - 2000)).decode("utf-8", "replace")
            lines = [line.strip() for line in text.splitlines() if line.strip()]
            return lines[-1][:300] if lines else ""
        return ""

    def private_bytes(self) -> int:
        """Memory that this machine alone has written, its jail included; for measurements."""
        return sum(_private(pid) for pid in (self.pid, *_descendants(self.pid)))

    async def close(self) -> None:
        """Kill everything of this machine, reap it, and give its memory back."""
        if self._closed:
            return
        self._closed = True
        self.kill()
        try:
            await asyncio.shield(_ended(self._process))
        finally:
            self._release()

    def kill(self) -> None:
        """Kill all processes at once, without waiting.

        First the namespace's own processes: then the jail's outer process reaps them and ends.
        Were it killed first, they would be left to whatever process 1 is here.
        """
        inner = _descendants(self.pid) if self._process.poll() is None else []
        for pid in inner:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(pid, signal.SIGKILL)
        if not inner:
            with contextlib.suppress(ProcessLookupError):
                self._process.kill()


def _wire(unless_started: contextlib.ExitStack) -> tuple[socket.socket, socket.socket]:
    """Give our end, which does not block, and QEMU's end."""
    ours, its = socket.socketpair()
    unless_started.callback(ours.close)
    ours.setblocking(False)
    return ours, its


async def _ended(process: subprocess.Popen[bytes]) -> None:
    """Wait for a process that was told to end; kill it where it does not, and reap it."""
    if process.poll() is not None:
        return
    loop = asyncio.get_running_loop()
    handle = os.pidfd_open(process.pid)
    ended = asyncio.Event()
    loop.add_reader(handle, ended.set)
    try:
        async with asyncio.timeout(_REAP_SECONDS):
            await ended.wait()
    except TimeoutError:
        process.kill()
        await ended.wait()
    finally:
        loop.remove_reader(handle)
        os.close(handle)
        process.wait()


def _descendants(pid: int) -> list[int]:
    """Give the processes below one, nearest first; needs CONFIG_PROC_CHILDREN, as all have."""
    found: list[int] = []
    waiting = [pid]
    while waiting:
        parent = waiting.pop()
        with contextlib.suppress(OSError, ValueError):
            with open(f"/proc/{parent}/task/{parent}/children") as file:
                children = [int(word) for word in file.read().split()]
            found += children
            waiting += children
    return found


def _private(pid: int) -> int:
    with contextlib.suppress(OSError), open(f"/proc/{pid}/smaps_rollup") as file:
        found = re.findall(r"^Private_Dirty: +(\d+) kB", file.read(), re.MULTILINE)
        return sum(int(number) for number in found) << 10
    return 0
