"""The memory that host and guest share: a page with a header, the request, then the answer.

guest/init.c has the same header. The guest may write anything anywhere at any time, so the host
copies what it reads, once, and believes no length before it has checked it.
"""

from __future__ import annotations

import os
import struct
from enum import IntEnum
from typing import Final

from app.sandbox.vm.qemu import AREA_BYTES

PAGE: Final = 4096
REQUEST_BYTES: Final = 8 << 20
_MAGIC: Final = 0x3130594C50455243
_HOST: Final = struct.Struct("<4Q")
"""Magic, ticket (init waits for it to change), length of the request, where the answer goes."""
_GUEST: Final = struct.Struct("<3Q")
"""The ticket that was served, status, length of the answer."""


class Status(IntEnum):
    """What the guest's init says of its work."""

    SILENT = 0
    ANSWERED = 1
    MALFORMED = 2
    """It could not read the request."""
    ANSWER_FULL = 3
    """The answer did not fit."""
    READY = 9
    """It waits for its first request."""


_STATUS: Final = {int(status): status for status in Status}


class Area:
    """An anonymous file of AREA_BYTES; only pages that were written take up memory."""

    def __init__(self) -> None:
        self.fd = os.memfd_create("coreplay-area", os.MFD_CLOEXEC)
        os.truncate(self.fd, AREA_BYTES)
        self._ticket = 0
        self._answer_at = 0

    def close(self) -> None:
        """Give the memory back."""
        os.close(self.fd)

    def put(self, request: bytes) -> None:
        """Put a request where the guest sees it; raises ValueError for one that is too large."""
        if len(request) > REQUEST_BYTES:
            raise ValueError("the request is too large")
        end = PAGE + len(request)
        self._answer_at = end + -end % PAGE
        self._ticket = int.from_bytes(os.urandom(7), "little") + 1
        os.pwrite(self.fd, request, PAGE)
        # One write, but the guest may run meanwhile: the ticket comes last.
        os.pwrite(self.fd, _HOST.pack(_MAGIC, 0, len(request), self._answer_at), 0)
        os.pwrite(self.fd, struct.pack("<Q", self._ticket), 8)

    def status(self) -> Status:
        """Give the guest's status; SILENT before it has served the present request."""
        served, status, _ = self._guest()
        if served != self._ticket and self._ticket:
            return Status.SILENT
        return _STATUS.get(status, Status.MALFORMED)

    def answer(self) -> bytes:
        """Copy the answer; raises ValueError where the guest names an impossible length."""
        _, _, length = self._guest()
        if length > AREA_BYTES - self._answer_at:
            raise ValueError(f"an answer of {length} bytes does not fit")
        data = os.pread(self.fd, length, self._answer_at)
        if len(data) != length:
            raise ValueError("the answer is cut off")
        return data

    def _guest(self) -> tuple[int, int, int]:
        served, status, length = _GUEST.unpack(os.pread(self.fd, _GUEST.size, _HOST.size))
        return served, status, length
