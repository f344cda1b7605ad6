"""The modules of one kernel in one file: their split BTFs and an index of names.

    header    magic, format version, sha256 of the kernel's .BTF, counts and lengths, u32 each
    table     JSON: modules as [name, group, at, length, types, fault, problem], groups as
              [offset, packed length, length]
    hashes    CRC-32 of a coarse key, u32 each, ascending
    numbers   the module that has a type of that key, u16 each
    groups    zstd frames of about 1 MiB of .BTF sections, one after the other

4,230 modules of Linux 6.12 with 73 MB of BTF make 16 MB. A search for a name reads the index
through a mapping, unpacks the groups of the modules that have it, and parses only these.
"""

from __future__ import annotations

import json
import mmap
import struct
import sys
import zlib
from array import array
from bisect import bisect_left
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Final

import zstandard

from engine import limits
from engine.btf.decode import Btf
from engine.btf.split import EMPTY, ModuleFault, ModuleSet, is_empty
from engine.errors import EngineError, KernelFileError
from engine.kernels.fitting import misfit

SUFFIX: Final = ".modules"
_MAGIC: Final = b"coremods"
_VERSION: Final = 1
_HEADER: Final = struct.Struct("<8sI32sIIII")
_GROUP_BYTES: Final = 1 << 20
_LEVEL: Final = 9
_REPAIR: Final = "Delete the file and add the modules again."


@dataclass(frozen=True, slots=True)
class ModuleRow:
    """One module of a bundle: where its .BTF section is, and what is wrong with it."""

    name: str
    group: int
    at: int
    length: int
    types: int
    """Types of its own."""
    fault: str
    """`empty`, `broken` or nothing."""
    problem: str


def write_bundle(base: Btf, modules: Iterable[tuple[str, bytes]]) -> bytes:
    """Give the content of a bundle; a module of a name that came before replaces it.

    Raises KernelFileError for a module whose types or names do not fit the base. A module that
    cannot be read at all is kept and marked, because a loader would meet it, too.
    """
    rows: list[ModuleRow] = []
    entries: set[tuple[int, int]] = set()
    groups: list[bytes] = []
    current = bytearray()
    packer = zstandard.ZstdCompressor(level=_LEVEL, write_checksum=True)
    chosen = sorted(dict(modules).items())
    if len(chosen) > limits.KERNEL_MODULES:
        raise KernelFileError(f"{len(chosen)} modules; at most {limits.KERNEL_MODULES} are kept")
    for number, (name, data) in enumerate(chosen):
        types, fault, keys = _examine(base, name, data)
        entries.update((zlib.crc32(key), number) for key in keys)
        kind, problem = (fault.kind, fault.problem) if fault else ("", "")
        rows.append(ModuleRow(name, len(groups), len(current), len(data), types, kind, problem))
        current += data
        if len(current) >= _GROUP_BYTES:
            groups.append(bytes(current))
            current.clear()
    groups.append(bytes(current))
    return _assembled(base.sha256, rows, sorted(entries), groups, packer)


def _examine(base: Btf, name: str, data: bytes) -> tuple[int, ModuleFault | None, frozenset[bytes]]:
    try:
        btf = Btf.parse(data, base=base)
        keys = frozenset(key for _, key in btf.keyed_ids())
    except EngineError as error:
        return 0, ModuleFault(name, "broken", str(error)), frozenset()
    wrong = misfit(btf)
    if wrong:
        raise KernelFileError(
            f"the module {name} was not built for this kernel: {wrong}",
            place=f"{name}.ko, section .BTF",
            hint="A module fits one build of a kernel only; give the kernel of the same package.",
        )
    fault = ModuleFault(name, "empty", EMPTY) if is_empty(btf) else None
    return len(btf) - btf.first_id, fault, keys


def _assembled(
    sha256: str,
    rows: Sequence[ModuleRow],
    entries: Sequence[tuple[int, int]],
    groups: Sequence[bytes],
    packer: zstandard.ZstdCompressor,
) -> bytes:
    packed = [packer.compress(group) for group in groups]
    places, at = [], 0
    for group, frame in zip(groups, packed, strict=True):
        places.append((at, len(frame), len(group)))
        at += len(frame)
    fields = [
        (row.name, row.group, row.at, row.length, row.types, row.fault, row.problem) for row in rows
    ]
    table = json.dumps({"modules": fields, "groups": places}, separators=(",", ":")).encode()
    table += b" " * (-(_HEADER.size + len(table)) % 4)
    header = _HEADER.pack(
        _MAGIC,
        _VERSION,
        bytes.fromhex(sha256),
        len(rows),
        sum(1 for row in rows if row.fault),
        len(table),
        len(entries),
    )
    hashes = _little(array("I", (row[0] for row in entries)))
    numbers = _little(array("H", (row[1] for row in entries)))
    return b"".join((header, table, hashes, numbers, *packed))


def _little(values: array[int]) -> bytes:
    if sys.byteorder == "big":
        values.byteswap()
    return values.tobytes()


@dataclass(frozen=True, slots=True)
class BundleHead:
    """What the first bytes of a bundle tell."""

    modules: int
    faults: int
    """How many are empty or broken."""
    sha256: str
    """Of the kernel's raw .BTF section."""


def read_head(path: Path) -> BundleHead | None:
    """Read the head of a bundle; None when there is no such file. Raises KernelFileError."""
    try:
        with path.open("rb") as file:
            return _head(file.read(_HEADER.size), path.name)[0]
    except FileNotFoundError:
        return None
    except OSError as error:
        raise _damaged(path.name, str(error.strerror)) from error


def _head(data: bytes, name: str) -> tuple[BundleHead, int, int]:
    if len(data) < _HEADER.size:
        raise _damaged(name, "it is cut off")
    magic, version, digest, modules, faults, table, entries = _HEADER.unpack_from(data)
    if (magic, version) != (_MAGIC, _VERSION):
        raise _damaged(name, "it is of no known version")
    return BundleHead(modules, faults, digest.hex()), table, entries


class Bundle:
    """An open bundle on the BTF it extends; modules are unpacked when they are asked for."""

    def __init__(self, path: Path, base: Btf) -> None:
        """Map the file; raises KernelFileError when it is damaged or of another kernel."""
        self._name = path.name
        self._base = base
        try:
            with path.open("rb") as file:
                self._image = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        except (OSError, ValueError) as error:
            raise _damaged(path.name, f"it cannot be mapped: {error}") from error
        head, table, entries = _head(self._image[: _HEADER.size], path.name)
        if head.sha256 != base.sha256:
            raise _damaged(path.name, "it belongs to another BTF")
        self._hashes_at = _HEADER.size + table
        self._groups_at = self._hashes_at + 6 * entries
        if len(self._image) < self._groups_at:
            raise _damaged(path.name, "it is cut off")
        self._entries = entries
        self._read_table(self._image[_HEADER.size : self._hashes_at])
        self._hashes, self._numbers = self._index()
        self._unpacked: dict[int, bytes] = {}

    def _read_table(self, data: bytes) -> None:
        try:
            table: dict[str, Any] = json.loads(data)
            rows = [ModuleRow(*row) for row in table["modules"]]
            self._places: list[tuple[int, int, int]] = [tuple(row) for row in table["groups"]]
        except (ValueError, TypeError, KeyError) as error:
            raise _damaged(self._name, "its table cannot be read") from error
        self.rows = {row.name: row for row in rows}
        self._names = [row.name for row in rows]

    def _index(self) -> tuple[Sequence[int], Sequence[int]]:
        numbers_at = self._hashes_at + 4 * self._entries
        view = memoryview(self._image)
        hashes, numbers = view[self._hashes_at : numbers_at], view[numbers_at : self._groups_at]
        if sys.byteorder == "little":
            return hashes.cast("I"), numbers.cast("H")
        tables = array("I", bytes(hashes)), array("H", bytes(numbers))
        for table in tables:
            table.byteswap()
        return tables

    def raw(self, name: str) -> bytes:
        """The .BTF section of a module, unchecked; raises KeyError or KernelFileError."""
        row = self.rows[name]
        group = self._group(row.group)
        return group[row.at : row.at + row.length]

    def _group(self, number: int) -> bytes:
        found = self._unpacked.get(number)
        if found is None:
            try:
                at, packed, length = self._places[number]
                start = self._groups_at + at
                frame = self._image[start : start + packed]
                found = zstandard.ZstdDecompressor().decompress(frame, max_output_size=length)
            except (IndexError, zstandard.ZstdError) as error:
                raise _damaged(self._name, f"group {number}: {error}") from error
            self._unpacked.clear()  # neighbours are asked for one after the other
            self._unpacked[number] = found
        return found

    def open(self, name: str) -> Btf:
        """The BTF of a module; raises what its decoding raises, KeyError or KernelFileError."""
        return Btf.parse(self.raw(name), base=self._base)

    def having(self, key: bytes) -> frozenset[str]:
        """The modules that may have a type of this coarse key."""
        wanted = zlib.crc32(key)
        at = bisect_left(self._hashes, wanted)
        found = set()
        while at < self._entries and self._hashes[at] == wanted:
            found.add(self._names[self._numbers[at]])
            at += 1
        return frozenset(found)

    def module_set(self) -> ModuleSet:
        """All modules, by name."""
        faults = [
            ModuleFault(row.name, "empty" if row.fault == "empty" else "broken", row.problem)
            for row in self.rows.values()
            if row.fault
        ]
        openers = {name: partial(self.open, name) for name in self._names}
        return ModuleSet(openers, index=self.having, faults=faults)


def _damaged(name: str, what: str) -> KernelFileError:
    return KernelFileError(f"the modules' file is damaged: {what}", place=name, hint=_REPAIR)
