"""Reading and writing the files that a command line names."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Final

from app.errors import AppError
from engine import limits

_INCLUDE: Final = re.compile(r'^[ \t]*#[ \t]*include[ \t]+"([\w.+-]+)"', re.MULTILINE)
_HEADERS: Final = 16


def read_bytes(path: str, *, limit: int = limits.OBJECT_BYTES) -> bytes:
    """Read a whole file of at most `limit` bytes; AppError `file-unreadable` otherwise."""
    try:
        with Path(path).open("rb") as file:
            data = file.read(limit + 1)
    except OSError as problem:
        raise AppError(
            f"Cannot read {path}: {problem.strerror}", code="file-unreadable", place=path
        ) from None
    if len(data) > limit:
        raise AppError(f"{path} is larger than {limit} bytes", code="limit-exceeded", place=path)
    return data


def read_source(path: str) -> str:
    """Read C source as UTF-8."""
    try:
        return read_bytes(path).decode()
    except UnicodeDecodeError as problem:
        raise AppError(
            f"{path} is not UTF-8 text", code="file-unreadable", place=f"byte {problem.start}"
        ) from None


def read_sources(path: str) -> dict[str, str]:
    """Read a C file and the headers beside it that it includes by name, by file name.

    vmlinux.h is left out: it is made for the kernel that was chosen.
    """
    folder = Path(path).parent
    files = {Path(path).name: read_source(path)}
    waiting = [files[Path(path).name]]
    while waiting and len(files) < _HEADERS:
        for name in _INCLUDE.findall(waiting.pop()):
            beside = folder / name
            if name not in files and name != "vmlinux.h" and beside.is_file():
                files[name] = read_source(str(beside))
                waiting.append(files[name])
    return files


def write_bytes(path: str, data: bytes) -> None:
    """Write a whole file or leave the old one as it was; a device or pipe is written to."""
    import tempfile  # late: most commands write no file

    target = Path(path)
    try:
        if target.exists() and not target.is_file():
            target.write_bytes(data)
            return
        handle, name = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.")
        with os.fdopen(handle, "wb") as file:
            file.write(data)
        Path(name).chmod(0o644)
        Path(name).replace(target)
    except OSError as problem:
        raise AppError(
            f"Cannot write {path}: {problem.strerror}", code="file-unwritable", place=path
        ) from None
