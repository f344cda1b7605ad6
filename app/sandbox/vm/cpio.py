"""An initramfs as the kernel reads it: a cpio archive in the "newc" form.

Source: Linux Documentation/driver-api/early-userspace/buffer-format.rst.
"""

from __future__ import annotations

import stat
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

_TRAILER: Final = "TRAILER!!!"


@dataclass(frozen=True, slots=True)
class Entry:
    """A file, folder or device; `mode` has the kind in it, as in struct stat."""

    name: str
    mode: int
    content: bytes = b""
    device: tuple[int, int] = (0, 0)
    """Major and minor number."""


def directory(name: str) -> Entry:
    """Give a folder."""
    return Entry(name, stat.S_IFDIR | 0o755)


def program(name: str, content: bytes) -> Entry:
    """Give a file that can be executed."""
    return Entry(name, stat.S_IFREG | 0o755, content)


def character_device(name: str, major: int, minor: int) -> Entry:
    """Give a device that root may read and write."""
    return Entry(name, stat.S_IFCHR | 0o600, device=(major, minor))


def pack(entries: Sequence[Entry]) -> bytes:
    """Give the archive; equal entries give equal bytes, for there are no times in it."""
    named = [*entries, Entry(_TRAILER, 0)]
    return b"".join(_member(number, entry) for number, entry in enumerate(named))


def _member(number: int, entry: Entry) -> bytes:
    name = entry.name.encode() + b"\0"
    fields = (
        number,
        entry.mode,
        0,  # owner
        0,  # group
        1,  # links
        0,  # time
        len(entry.content),
        *(0, 0),  # device it is on
        *entry.device,
        len(name),
        0,  # no checksum in this form
    )
    header = b"070701" + b"".join(b"%08X" % field for field in fields)
    return _padded(header + name) + _padded(entry.content)


def _padded(data: bytes) -> bytes:
    return data + bytes(-len(data) % 4)
