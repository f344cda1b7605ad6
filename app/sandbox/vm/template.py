"""Making a guest's template, or finding the one that fits.

KVM is used only where a guest really boots under it within five seconds: on many hosts /dev/kvm
can be opened, and a machine even be created, where no guest ever runs. Otherwise QEMU translates
the guest's instructions itself (TCG), which is the normal case.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final

from app.errors import AppError
from app.sandbox.vm.initramfs import build_initramfs
from app.sandbox.vm.protocol import (
    GuestMap,
    GuestProgram,
    GuestRequest,
    MapEntry,
    Relocation,
    RelocationKind,
)
from app.sandbox.vm.qemu import Accelerator, machine_fingerprint, qemu_version
from app.sandbox.vm.snapshot import Snapshot, boot, load, save
from app.sandbox.vm.store import Guest, GuestStore, TemplateRecord

Say = Callable[[str], None]
_KVM: Final = Path("/dev/kvm")


def _warm_request() -> GuestRequest:
    """A load that uses what most loads use: a map, its address, a call, a branch, a log."""
    code = bytes.fromhex(
        "1811000000000000 0000000000000000"  # r1 = map value
        "b702000000000000 7b2af8ff00000000"  # r2 = 0; *(u64 *)(r10 - 8) = r2
        "1811000000000000 0000000000000000"  # r1 = map
        "bfa2000000000000 07020000f8ffffff"  # r2 = r10; r2 += -8
        "8500000001000000 1500010000000000"  # call bpf_map_lookup_elem; if r0 == 0 goto +1
        "7900000000000000 b700000000000000"  # r0 = *(u64 *)(r0 + 0); r0 = 0
        "9500000000000000"
    )
    program = GuestProgram(
        "warm",
        type=1,  # BPF_PROG_TYPE_SOCKET_FILTER
        instructions=code,
        relocations=(
            Relocation(0, RelocationKind.MAP_VALUE, 0),
            Relocation(4, RelocationKind.MAP, 0),
        ),
        log_level=2,
        log_bytes=64 << 10,
        translated=True,
    )
    values = GuestMap("warm", 2, 4, 8, 1, entries=(MapEntry(bytes(4), bytes(8)),))
    return GuestRequest(maps=(values,), programs=(program,))


WARM: Final = _warm_request()
"""Served once by every clone before its real request: it fills QEMU's translation cache."""


@dataclass(frozen=True, slots=True)
class Templates:
    """Templates of the guests in `store`; `misbehave` is for tests (see initramfs)."""

    store: GuestStore
    misbehave: bool = False

    def find(self, guest: Guest) -> tuple[Path, TemplateRecord] | None:
        """Give the template that fits the guest, this QEMU and this init, if it was made."""
        for accelerator in _accelerators():
            found = self.store.template(self.digest(guest, accelerator))
            if found is not None:
                return found
        return None

    def digest(self, guest: Guest, accelerator: Accelerator) -> str:
        """Name the template of a guest by all that it depends on."""
        words = (guest.sha256, machine_fingerprint(accelerator), self._init_digest())
        return hashlib.sha256("\0".join(words).encode()).hexdigest()[:32]

    def load(self, guest: Guest) -> Snapshot:
        """Read the guest's template into memory, 80 MB.

        Raises AppError `vm-template-missing`, `vm-template-stale`, or `vm-store`.
        """
        found = self.find(guest)
        if found is None:
            raise self._absent(guest)
        folder, record = found
        try:
            return load(folder, "kvm" if record.accelerator == "kvm" else "tcg")
        except OSError as error:
            raise AppError(
                f"the template of {guest.id} cannot be read: {error.strerror or error}",
                code="vm-store",
                place=str(folder),
                hint="Make it again: coreplay vm check.",
            ) from error

    async def build(self, guest: Guest, say: Say = lambda _: None) -> TemplateRecord:
        """Boot the guest and keep its template; takes 2 to 10 s. Raises AppError."""
        kernel = await asyncio.to_thread(self.store.vmlinux, guest)
        initramfs = await asyncio.to_thread(self._initramfs)
        problem: AppError | None = None
        for accelerator in _accelerators():
            say(f"booting {guest.id} ({accelerator})")
            began = time.monotonic()
            try:
                snapshot = await boot(kernel, initramfs, accelerator, WARM)
            except AppError as error:
                problem = error
                continue
            try:
                seconds = round(time.monotonic() - began, 2)
                record = TemplateRecord(guest.id, accelerator, qemu_version(), 0, seconds)
                digest = self.digest(guest, accelerator)
                await asyncio.to_thread(
                    self.store.keep_template, guest, digest, record, partial(save, snapshot)
                )
            finally:
                snapshot.close()
            kept = self.store.template(digest)
            return record if kept is None else kept[1]
        assert problem is not None  # noqa: S101 - there is always an accelerator
        raise problem

    def _absent(self, guest: Guest) -> AppError:
        """Say why there is no template: never made, or made with something else."""
        others = self.store.templates(guest)
        made_with = sorted({one.qemu for one in others} - {qemu_version()})
        if not others:
            return AppError(
                f"the template of {guest.id} was not made yet",
                code="vm-template-missing",
                hint="It is made in the background; or run coreplay vm check.",
            )
        why = (
            f"with QEMU {made_with[0]}, and this is {qemu_version()}"
            if made_with
            else "with another init or on another kind of machine"
        )
        return AppError(
            f"the template of {guest.id} was made {why}",
            code="vm-template-stale",
            hint="It is made again in the background; or run coreplay vm check.",
        )

    def _initramfs(self) -> bytes:
        return build_initramfs(self.store.folder / "init", misbehave=self.misbehave)

    def _init_digest(self) -> str:
        return hashlib.sha256(self._initramfs()).hexdigest()


def _accelerators() -> tuple[Accelerator, ...]:
    """What may be tried, the faster first."""
    return ("kvm", "tcg") if os.access(_KVM, os.R_OK | os.W_OK) else ("tcg",)
