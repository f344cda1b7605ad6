"""Guests on disk: the kernels that can be asked, and the templates made of them.

    vm/guests/<release>/     vmlinuz, config, guest.json
    vm/templates/<digest>/   ram, state, template.json

A template's digest is that of everything its state depends on: kernel, init, QEMU's version and
command line. When one of these changes there simply is no template, and a new one is made from
the guest's kernel, which stays. Folders appear under their name when they are complete.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import re
import shutil
import tempfile
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

from app.errors import AppError
from engine.errors import KernelFileError
from engine.kernels.bootable import Bootable, vmlinux_of
from engine.kernels.extract import read_image
from engine.kernels.inflate import Image

_ID: Final = re.compile(r"[0-9][A-Za-z0-9._+~-]{0,79}")
_RECORD: Final = "guest.json"
_KERNEL: Final = "vmlinuz"
_CONFIG: Final = "config"
_TEMPLATE: Final = "template.json"


@dataclass(frozen=True, slots=True)
class Guest:
    """A kernel that can be asked."""

    id: str
    """Its release: `6.1.0-56-cloud-amd64`."""
    kernel: str
    """The id of its BTF in the catalog of kernels."""
    sha256: str
    """Of the boot image, in hex."""
    source: str
    """The package or file it came from."""

    @property
    def series(self) -> str:
        """The first two numbers of the release: `6.1`."""
        found = re.match(r"\d+\.\d+", self.id)
        return found[0] if found else ""

    def sort_key(self) -> tuple[object, ...]:
        """Order by version, number by number."""
        return tuple(int(part) if part.isdecimal() else -1 for part in re.split(r"\W+", self.id))


@dataclass(frozen=True, slots=True)
class TemplateRecord:
    """What a template was made of and with."""

    guest: str
    accelerator: str
    qemu: str
    bytes: int
    """Room that it takes up on disk."""
    seconds: float
    """How long it took to make."""


class GuestStore:
    """The guests below `folder`, which need not exist yet."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._guests = folder / "guests"
        self._templates = folder / "templates"

    def guests(self) -> tuple[Guest, ...]:
        """All guests, the oldest kernel first; damaged records are left out."""
        found = [self._read(path) for path in self._guests.glob(f"*/{_RECORD}")]
        return tuple(sorted(filter(None, found), key=Guest.sort_key))

    def resolve(self, text: str) -> Guest:
        """The guest with this id, or the newest whose id begins so: `6.1`, `6.12.117`.

        Raises AppError `guest-missing`.
        """
        guests = self.guests()
        meant = [g for g in guests if g.id == text or g.kernel == text]
        meant = meant or [g for g in guests if re.match(re.escape(text) + r"(?![0-9A-Za-z])", g.id)]
        if meant:
            return meant[-1]
        shown = ", ".join(g.id for g in guests)
        raise AppError(
            f"no real kernel {text[:80]!r} is here",
            code="guest-missing",
            place="kernel",
            hint=f"Here are {shown}." if shown else "Add one: coreplay vm add 6.1.",
        )

    def add(self, kernel: Bootable, catalog_id: str) -> Guest:
        """Keep a kernel; one of the same release is replaced. Raises `vm-disk-full`, `vm-store`."""
        if not _ID.fullmatch(kernel.release):
            raise AppError(f"{kernel.release!r} is no release of a kernel", code="kernel-file")
        digest = hashlib.sha256(kernel.image).hexdigest()
        guest = Guest(kernel.release, catalog_id, digest, kernel.source[:300])

        def fill(folder: Path) -> None:
            (folder / _KERNEL).write_bytes(kernel.image)
            (folder / _CONFIG).write_bytes(kernel.config)
            (folder / _RECORD).write_text(json.dumps(asdict(guest), indent=2) + "\n")

        self._complete(self._guests / guest.id, fill, replace=True)
        return guest

    def remove(self, guest: Guest) -> None:
        """Forget a guest and its templates; its BTF stays in the catalog."""
        for path in self._templates_of(guest):
            shutil.rmtree(path, ignore_errors=True)
        shutil.rmtree(self._guests / guest.id, ignore_errors=True)

    def vmlinux(self, guest: Guest) -> Image:
        """Unpack the guest's kernel; raises AppError `vm-store` when its file is damaged."""
        path = self._guests / guest.id / _KERNEL
        try:
            image = read_image(path)
            if hashlib.sha256(image).hexdigest() == guest.sha256:
                return vmlinux_of(image, place=guest.id)
        except KernelFileError as error:
            problem = error.message
        else:
            problem = "its sha256 is another"
        raise AppError(
            f"the kernel of {guest.id} is damaged: {problem}",
            code="vm-store",
            place=str(path),
            hint=f"Add it again: coreplay vm add {guest.series}.",
        )

    def config(self, guest: Guest) -> bytes:
        """The kernel's .config; empty where its package had none."""
        try:
            return (self._guests / guest.id / _CONFIG).read_bytes()
        except OSError:
            return b""

    def template(self, digest: str) -> tuple[Path, TemplateRecord] | None:
        """The template with this digest, None where there is none or it is damaged."""
        folder = self._templates / digest
        try:
            fields = json.loads((folder / _TEMPLATE).read_bytes())
            return folder, TemplateRecord(**fields)
        except (OSError, ValueError, TypeError):
            return None

    def templates(self, guest: Guest) -> tuple[TemplateRecord, ...]:
        """All templates of a guest, also those that fit no longer."""
        found = [self.template(path.name) for path in self._templates_of(guest)]
        return tuple(one[1] for one in found if one is not None)

    def keep_template(
        self, guest: Guest, digest: str, record: TemplateRecord, fill: Callable[[Path], None]
    ) -> Path:
        """Keep a template, whose files `fill` writes, in place of the guest's others.

        Raises AppError `vm-disk-full` or `vm-store`; nothing is left half done.
        """
        others = [path for path in self._templates_of(guest) if path.name != digest]

        def complete(folder: Path) -> None:
            fill(folder)
            used = sum(path.stat().st_blocks * 512 for path in folder.iterdir())
            fields = asdict(record) | {"bytes": used}
            (folder / _TEMPLATE).write_text(json.dumps(fields, indent=2) + "\n")

        kept = self._complete(self._templates / digest, complete, replace=False)
        for path in others:
            shutil.rmtree(path, ignore_errors=True)
        return kept

    def drop_template(self, digest: str) -> None:
        """Remove a template that turned out to be unusable."""
        shutil.rmtree(self._templates / digest, ignore_errors=True)

    def _templates_of(self, guest: Guest) -> list[Path]:
        found = []
        for path in self._templates.glob(f"*/{_TEMPLATE}"):
            record = self.template(path.parent.name)
            if record is not None and record[1].guest == guest.id:
                found.append(path.parent)
        return found

    def _read(self, path: Path) -> Guest | None:
        try:
            fields = json.loads(path.read_bytes())
            guest = Guest(**{name: str(fields[name]) for name in Guest.__slots__})
        except (OSError, ValueError, KeyError, TypeError):
            return None
        return guest if guest.id == path.parent.name and _ID.fullmatch(guest.id) else None

    def _complete(self, folder: Path, fill: Callable[[Path], None], *, replace: bool) -> Path:
        """Make a folder that is either whole or not there."""
        try:
            folder.parent.mkdir(parents=True, exist_ok=True)
            made = Path(tempfile.mkdtemp(prefix=".new-", dir=folder.parent))
            try:
                fill(made)
                if replace:
                    shutil.rmtree(folder, ignore_errors=True)
                os.rename(made, folder)
            except OSError as error:
                shutil.rmtree(made, ignore_errors=True)
                # Somebody else was quicker: theirs is as good.
                if error.errno not in (errno.ENOTEMPTY, errno.EEXIST):
                    raise
            except BaseException:
                shutil.rmtree(made, ignore_errors=True)
                raise
        except OSError as error:
            raise _not_stored(error, folder) from error
        return folder


def _not_stored(error: OSError, folder: Path) -> AppError:
    if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        return AppError(
            "the disk is full: a template takes up about 90 MB, a kernel 15 MB",
            code="vm-disk-full",
            place=str(folder.parent),
            hint="Make room, or set COREPLAY_DATA to a folder that has some.",
        )
    return AppError(
        f"the guest cannot be stored: {error.strerror or error}",
        code="vm-store",
        place=str(folder.parent),
        hint="Make the data folder writable, or set COREPLAY_DATA to one that is.",
    )
