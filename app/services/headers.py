"""The smallest vmlinux.h that defines given types."""

from __future__ import annotations

import re
from typing import Final

from app.errors import AppError
from app.services.analyse import catalog
from app.settings import Settings
from engine.btf.cdump import slice_header

_IDS: Final = re.compile(r"[0-9]{1,9}(?:,[0-9]{1,9}){0,99}")


def header_of(settings: Settings, kernel: str, ids: str) -> bytes:
    """Give the header for type ids in one string, `12,34`; runs in a worker.

    Raises AppError `bad-request` for anything else.
    """
    if not _IDS.fullmatch(ids):
        raise AppError(
            f"{ids[:40]!r} is no list of type ids",
            code="bad-request",
            place="ids",
            hint="Give up to 100 numbers with commas between them.",
        )
    btf = catalog(settings).btf(kernel)
    names = {btf.name(int(type_id)) for type_id in ids.split(",")}
    return slice_header(btf, names).encode("utf-8", "backslashreplace")
