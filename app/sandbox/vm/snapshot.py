"""A booted guest, kept: its memory and the state of its devices.

`boot` makes one, `save` and `load` keep it in a folder, `restore` starts a clone of it. The
memory is a sealed memfd that clones map copy-on-write: QEMU 7.2 opens it for writing even then,
and the seal sees to it that nothing is ever written.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from app.errors import AppError
from app.sandbox.vm.area import Status
from app.sandbox.vm.machine import Machine
from app.sandbox.vm.protocol import GuestRequest
from app.sandbox.vm.qemu import (
    RAM_BYTES,
    Accelerator,
    clone_command,
    template_command,
)
from app.sandbox.vm.qmp import QmpError
from app.sandbox.vm.wire import encode
from engine.kernels.inflate import Image

BOOT_SECONDS: Final = {"tcg": 120.0, "kvm": 5.0}
RESTORE_SECONDS: Final = 10.0
RAM_FILE: Final = "ram"
STATE_FILE: Final = "state"
_SEALS: Final = fcntl.F_SEAL_WRITE | fcntl.F_SEAL_GROW | fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_SEAL
_CAPABILITIES: Final[tuple[str, dict[str, object]]] = (
    "migrate-set-capabilities",
    {"capabilities": [{"capability": n, "state": True} for n in ("x-ignore-shared", "events")]},
)
"""Leave out memory that is shared, for it is where it is; tell when it is done."""
_CHUNK: Final = 1 << 20
_BLOCK: Final = 4096


@dataclass(frozen=True, slots=True)
class Snapshot:
    """File descriptors of a guest's memory and state, both sealed; close it once."""

    ram: int
    state: int
    accelerator: Accelerator

    def close(self) -> None:
        """Give the memory back; clones that run keep theirs."""
        os.close(self.ram)
        os.close(self.state)


async def boot(
    kernel: Image, initramfs: bytes, accelerator: Accelerator, warm: GuestRequest
) -> Snapshot:
    """Boot a kernel to the point where it waits for requests, and keep that.

    `warm` is served once before, so that the kernel's caches are filled. Raises AppError
    `vm-boot-failed`.
    """
    with contextlib.ExitStack() as unless_kept, contextlib.ExitStack() as inputs:
        kernel_fd = inputs.enter_context(_memory("kernel", kernel))
        initrd_fd = inputs.enter_context(_memory("initramfs", initramfs))
        ram, state = _new("ram"), _new("state")
        unless_kept.callback(os.close, ram)
        unless_kept.callback(os.close, state)
        os.truncate(ram, RAM_BYTES)
        machine = Machine(
            ram,
            lambda wires: template_command(wires, accelerator, kernel_fd, initrd_fd),
            inherit=(kernel_fd, initrd_fd),
        )
        await _bring_up(machine, state, warm, BOOT_SECONDS[accelerator])
        unless_kept.pop_all()
    _seal(ram)
    _seal(state)
    return Snapshot(ram, state, accelerator)


async def _bring_up(machine: Machine, state: int, warm: GuestRequest, seconds: float) -> None:
    try:
        async with asyncio.timeout(seconds):
            await _run_until_warm(machine, warm)
            await _keep(machine, state)
    except TimeoutError:
        raise _boot_failed(f"it was not ready after {seconds:g} s") from None
    except (AppError, QmpError) as error:
        raise _boot_failed(str(error) or machine.complaint() or "QEMU ended") from error
    finally:
        await machine.close()


async def _run_until_warm(machine: Machine, warm: GuestRequest) -> None:
    if await machine.wait_for_guest() is not Status.READY:
        raise AppError("it said something else than that it is ready", code="vm-boot-failed")
    machine.area.put(encode(warm))
    if await machine.wait_for_guest() is not Status.ANSWERED:
        raise AppError("it could not serve a first request", code="vm-boot-failed")


async def _keep(machine: Machine, state: int) -> None:
    """Stop the guest and write its devices' state; the memory is where it is."""
    qmp = machine.qmp
    await qmp.commands(("stop", {}), _CAPABILITIES)
    await qmp.command("getfd", fd=state, fdname="state")
    await qmp.command("migrate", uri="fd:state")
    await qmp.event("MIGRATION", status="completed")


async def restore(snapshot: Snapshot) -> Machine:
    """Start a clone, which stands still until it is told to go on.

    Raises AppError `vm-template-stale` where QEMU does not take the state, which it does not
    after a change of its version, and `vm-guest-died` where QEMU ends by itself.
    """
    state = os.open(f"/proc/self/fd/{snapshot.state}", os.O_RDONLY | os.O_CLOEXEC)
    try:
        machine = Machine(
            snapshot.ram,
            lambda wires: clone_command(wires, snapshot.accelerator),
            inherit=(state,),
        )
    except BaseException:
        os.close(state)
        raise
    try:
        async with asyncio.timeout(RESTORE_SECONDS):
            incoming: dict[str, object] = {"uri": f"fd:{state}"}
            await machine.qmp.commands(_CAPABILITIES, ("migrate-incoming", incoming))
            await machine.qmp.event("MIGRATION", status="completed")
    except BaseException as error:
        await machine.close()
        if isinstance(error, QmpError | TimeoutError):
            raise _stale(machine_said=str(error)) from error
        raise
    finally:
        os.close(state)
    return machine


def save(snapshot: Snapshot, folder: Path) -> None:
    """Write a snapshot's two files into a folder; memory without content takes up no room.

    Raises OSError, also for a disk that is full.
    """
    for name, fd in ((RAM_FILE, snapshot.ram), (STATE_FILE, snapshot.state)):
        with open(folder / name, "xb") as file:
            for at, data in _content(fd):
                file.seek(at)
                file.write(data)
            file.truncate(os.fstat(fd).st_size)
            file.flush()
            os.fsync(file.fileno())


def load(folder: Path, accelerator: Accelerator) -> Snapshot:
    """Read a snapshot's two files into sealed memory; raises OSError."""
    with contextlib.ExitStack() as unless_loaded:
        fds = []
        for name in (RAM_FILE, STATE_FILE):
            fd = _new(name)
            unless_loaded.callback(os.close, fd)
            with open(folder / name, "rb", buffering=0) as file:
                os.truncate(fd, os.fstat(file.fileno()).st_size)
                for at, data in _content(file.fileno()):
                    os.pwrite(fd, data, at)
            _seal(fd)
            fds.append(fd)
        unless_loaded.pop_all()
    return Snapshot(fds[0], fds[1], accelerator)


def _content(fd: int) -> Iterator[tuple[int, bytes]]:
    """Give what a file with holes holds, but for whole blocks of zeros."""
    size = os.fstat(fd).st_size
    at = 0
    while at < size:
        try:
            at = os.lseek(fd, at, os.SEEK_DATA)
        except OSError:  # ENXIO: only a hole is left
            return
        end = os.lseek(fd, at, os.SEEK_HOLE)
        while at < end:
            data = os.pread(fd, min(_CHUNK, end - at), at)
            yield from _not_zero(at, data)
            at += len(data)


def _not_zero(at: int, data: bytes) -> Iterator[tuple[int, bytes]]:
    """Split off the blocks of zeros."""
    start = None
    for offset in range(0, len(data), _BLOCK):
        block = data[offset : offset + _BLOCK]
        if block.count(0) == len(block):
            if start is not None:
                yield at + start, data[start:offset]
            start = None
        elif start is None:
            start = offset
    if start is not None:
        yield at + start, data[start:]


def _new(name: str) -> int:
    return os.memfd_create(f"coreplay-{name}", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)


def _seal(fd: int) -> None:
    fcntl.fcntl(fd, fcntl.F_ADD_SEALS, _SEALS)


@contextlib.contextmanager
def _memory(name: str, content: Image) -> Iterator[int]:
    fd = _new(name)
    try:
        rest = memoryview(content)
        while rest:
            rest = rest[os.write(fd, rest) :]
        yield fd
    finally:
        os.close(fd)


def _boot_failed(why: str) -> AppError:
    return AppError(
        f"the kernel did not come up as a guest: {why}",
        code="vm-boot-failed",
        hint="Guests are x86-64 kernels from 5.10 on, with BPF, a serial console and /dev/mem.",
    )


def _stale(machine_said: str) -> AppError:
    told = f": {machine_said}" if machine_said else ""
    return AppError(
        f"QEMU does not take the template's state{told}",
        code="vm-template-stale",
        hint="Make the template again: coreplay vm check --rebuild.",
    )
