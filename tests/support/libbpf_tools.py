"""BPF objects that others made: those inside the programs of Debian's package libbpf-tools.

Each program carries its object as an array of bytes (a "skeleton"), found by its ELF header.
"""

from __future__ import annotations

import shutil
import struct
import subprocess
from collections.abc import Iterator
from pathlib import Path

PACKAGE = "libbpf-tools"
_MAGIC = b"\x7fELF\x02\x01\x01"
_EM_BPF = 247
_HEADER_BYTES = 64
_SECTION_HEADER_BYTES = 64
_SHT_NOBITS = 8


def embedded_objects(data: bytes) -> Iterator[bytes]:
    """Give each little-endian 64-bit BPF object that lies in `data` as it is."""
    start = data.find(_MAGIC, 1)
    while start >= 0:
        found = _object_at(data, start)
        if found is not None:
            yield found
        start = data.find(_MAGIC, start + 1)


def _object_at(data: bytes, start: int) -> bytes | None:
    header = data[start : start + _HEADER_BYTES]
    if len(header) < _HEADER_BYTES or struct.unpack_from("<H", header, 18)[0] != _EM_BPF:
        return None
    (table,) = struct.unpack_from("<Q", header, 40)
    size, count = struct.unpack_from("<HH", header, 58)
    if size != _SECTION_HEADER_BYTES:
        return None
    end = table + size * count
    for number in range(count):
        row = start + table + number * size
        if row + size > len(data):
            return None
        (kind,) = struct.unpack_from("<I", data, row + 4)
        offset, length = struct.unpack_from("<QQ", data, row + 24)
        if kind != _SHT_NOBITS:
            end = max(end, offset + length)
    return data[start : start + end] if start + end <= len(data) else None


def programs() -> list[Path]:
    """Give the installed programs of the package; none where dpkg or the package is missing."""
    if shutil.which("dpkg") is None:
        return []
    listed = subprocess.run(["dpkg", "-L", PACKAGE], capture_output=True, text=True, check=False)
    paths = (Path(line) for line in listed.stdout.splitlines() if "bin/" in line)
    return sorted(path for path in paths if path.is_file() and not path.is_symlink())


def objects() -> dict[str, bytes]:
    """Give the objects by program; a second one of the same program is called `NAME-2`."""
    found: dict[str, bytes] = {}
    for path in programs():
        for number, data in enumerate(embedded_objects(path.read_bytes()), 1):
            found[path.name if number == 1 else f"{path.name}-{number}"] = data
    return found


def write_objects(folder: Path) -> list[Path]:
    """Write each object to `folder`/NAME.o and give the paths."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for name, data in objects().items():
        path = folder / f"{name}.o"
        path.write_bytes(data)
        paths.append(path)
    return paths
