"""QEMU's command lines: a machine with memory and two serial lines, and nothing else.

    0x00000000  RAM_BYTES    the guest's own memory, a file descriptor
    RAM_BYTES   AREA_BYTES   requests and answers; the guest's kernel leaves it alone (mem=)

Everything QEMU touches is a file descriptor that it inherits; it sees its own program, its
firmware and shared libraries. There is no network, no disk, no display. See docs/vm.md.
"""

from __future__ import annotations

import functools
import hashlib
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from app.errors import AppError
from app.sandbox.jail import enter
from app.sandbox.mounts import bind_arguments, prlimit_path, runtime_arguments

Accelerator = Literal["kvm", "tcg"]

QEMU: Final = "qemu-system-x86_64"
MACHINE: Final = "pc,usb=off,smbus=off,hpet=off,vmport=off,i8042=off"
"""Each device left out saves a millisecond or two of every start."""
RAM_BYTES: Final = 192 << 20
AREA_BYTES: Final = 64 << 20
COMMAND_LINE: Final = (
    "console=ttyS0 quiet loglevel=1 panic=-1 reboot=t nokaslr mitigations=off numa=off "
    f"no_timer_check mem={RAM_BYTES >> 20}M reqmem={RAM_BYTES:#x},{AREA_BYTES:#x}"
)
"""loglevel=1 silences all but a panic, which the host shows; reboot=t ends QEMU at once.

no_timer_check: on a busy host a guest may find that its timer does not tick in time, and panic.
"""
INSTALL: Final = "apt install qemu-system-x86"

_FIRMWARE: Final = (Path("/usr/share/qemu"), Path("/usr/share/seabios"))
_LIMITS: Final = (
    *("--core=0", "--cpu=60", "--nofile=64", f"--fsize={AREA_BYTES}", "--as=3221225472"),
)
_SECCOMP: Final = "on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny"


@dataclass(frozen=True, slots=True)
class Wires:
    """The file descriptors of one QEMU: memory, request area, serial line, QMP."""

    ram: int
    area: int
    serial: int
    qmp: int

    @property
    def all(self) -> tuple[int, ...]:
        """For `pass_fds`."""
        return (self.ram, self.area, self.serial, self.qmp)


def template_command(wires: Wires, accelerator: Accelerator, kernel: int, initrd: int) -> list[str]:
    """Give the command that boots a kernel; `kernel` and `initrd` are file descriptors."""
    return [
        *_machine(wires, accelerator, share=True),
        *("-kernel", f"/proc/self/fd/{kernel}", "-initrd", f"/proc/self/fd/{initrd}"),
        *("-append", COMMAND_LINE),
    ]


def clone_command(wires: Wires, accelerator: Accelerator) -> list[str]:
    """Give the command that waits for a template's state, with a copy-on-write memory."""
    return [*_machine(wires, accelerator, share=False), "-S", "-incoming", "defer"]


def _machine(wires: Wires, accelerator: Accelerator, *, share: bool) -> list[str]:
    jail = (*_jailed(kvm=accelerator == "kvm"), prlimit_path(), *_LIMITS, "--")
    return [*jail, *_qemu(wires, accelerator, share=share)]


def _qemu(wires: Wires, accelerator: Accelerator, *, share: bool) -> list[str]:
    tcg = accelerator == "tcg"
    ram = f"memory-backend-file,id=ram,size={RAM_BYTES},mem-path=/proc/self/fd/{wires.ram}"
    area = f"memory-backend-file,id=area,size={AREA_BYTES},mem-path=/proc/self/fd/{wires.area}"
    return [
        *(qemu_path(), "-M", MACHINE, "-smp", "1", "-m", f"{RAM_BYTES + AREA_BYTES >> 20}M"),
        *("-accel", "tcg,tb-size=64" if tcg else "kvm", "-cpu", "max" if tcg else "host"),
        *("-object", f"{ram},share={'on' if share else 'off'}"),
        *("-object", f"{area},share=on"),
        *("-numa", "node,memdev=ram", "-numa", "node,memdev=area"),
        *("-nodefaults", "-no-user-config", "-nic", "none", "-display", "none", "-no-reboot"),
        *("-chardev", f"socket,id=serial,fd={wires.serial}", "-serial", "chardev:serial"),
        *("-chardev", f"socket,id=qmp,fd={wires.qmp}", "-mon", "chardev=qmp,mode=control"),
        *("-sandbox", _SECCOMP),
    ]


def _jailed(*, kvm: bool) -> tuple[str, ...]:
    way = enter()
    if way is None:  # COREPLAY_JAIL=none: at least end with the owner
        setpriv = shutil.which("setpriv")
        return () if setpriv is None else (setpriv, "--pdeathsig", "KILL")
    return (*way, *_mounts(), *(("--dev-bind", "/dev/kvm", "/dev/kvm") if kvm else ()), "--")


@functools.cache
def _mounts() -> tuple[str, ...]:
    shown = [Path(qemu_path()), *_FIRMWARE]
    return (
        *runtime_arguments(),
        *bind_arguments(shown),
        *("--proc", "/proc", "--dev", "/dev", "--tmpfs", "/tmp", "--chdir", "/tmp"),  # noqa: S108 - the jail's own
    )


@functools.cache
def qemu_path() -> str:
    """Give QEMU's path; raises AppError `vm-unavailable` where it is not installed."""
    found = shutil.which(QEMU)
    if found is None:
        raise AppError(
            "QEMU is not installed, so no real kernel can be asked",
            code="vm-unavailable",
            hint=INSTALL,
        )
    return found


@functools.cache
def qemu_version() -> str:
    """Give QEMU's whole version, as its package tells it; raises AppError `vm-unavailable`."""
    done = subprocess.run([qemu_path(), "--version"], capture_output=True, text=True, timeout=10)
    found = re.search(r"version (.+)", done.stdout)
    if found is None:
        raise AppError(f"{QEMU} --version gives no version", code="vm-unavailable", hint=INSTALL)
    return found[1].strip()


def machine_fingerprint(accelerator: Accelerator) -> str:
    """Give a digest of everything here that a template's state depends on."""
    command = _qemu(Wires(0, 0, 0, 0), accelerator, share=True)
    words = [qemu_version(), COMMAND_LINE, *command]
    return hashlib.sha256("\0".join(words).encode()).hexdigest()
