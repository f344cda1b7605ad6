"""Reading a kernel module: its name, the release it was built for, and its split BTF.

Source: Linux Documentation/kbuild/modules.rst, include/linux/moduleparam.h (.modinfo),
Documentation/bpf/btf.rst (.BTF of a module extends that of vmlinux; .BTF.base).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import IO, Final

from engine import limits
from engine.errors import KernelFileError
from engine.kernels.inflate import FETCH_AGAIN, Image, compression_of, inflate
from engine.kernels.package import AR_MAGIC, ar_members, tar_files
from engine.kernels.vmlinux import NO_BTF, RELOCATABLE, open_elf, section_bytes

_PATH: Final = re.compile(
    r"(?:usr/)?lib/modules/(?P<release>[^/]+)/.+/(?P<name>[^/]+)\.ko(?:\.(?:xz|zst|gz))?"
)
_FILE_NAME: Final = re.compile(r"(?P<name>[^/]+?)\.ko(?:\.(?:xz|zst|gz))?$")
_NAME: Final = re.compile(r"[A-Za-z0-9_.+-]{1,56}")
"""MODULE_NAME_LEN is 64 less the size of an unsigned long."""
_NESTED: Final = 2


@dataclass(frozen=True, slots=True)
class ModuleFile:
    """One module as a distribution ships it."""

    name: str
    """As the kernel names it in /sys/kernel/btf: with underscores, without `.ko`."""
    release: str | None
    """What `uname -r` says on its kernel."""
    arch: str | None
    btf: bytes
    """The .BTF section, unchecked; empty when there is none."""
    own_base: bytes = b""
    """.BTF.base of a module built outside of the kernel's tree: what .BTF extends, not vmlinux."""


def is_module(image: Image) -> bool:
    """Tell a module (of any machine) by its first bytes from whatever else is an ELF file."""
    return image[:4] == b"\x7fELF" and image[16:18] in (b"\x01\0", b"\0\x01")


def read_module(image: Image, name: str, place: str) -> ModuleFile:
    """Read one .ko that is unpacked; `name` is its file's, for one that does not tell its own.

    Raises KernelFileError for what is no ELF file of a module.
    """
    elf = open_elf(image, place)
    if elf.kind != RELOCATABLE or elf.arch is None:
        raise KernelFileError(
            "this is not a kernel module", place=f"{place}, field e_type", hint=NO_BTF
        )
    wanted = {}
    for section in elf.sections:
        if section.name in (b".BTF", b".BTF.base", b".modinfo"):
            wanted[section.name] = section_bytes(image, section, place)
    if b".modinfo" not in wanted:
        raise KernelFileError(
            "this is an object file, not a kernel module: it has no .modinfo",
            place=place,
            hint="A module's file name ends in .ko.",
        )
    info = _modinfo(wanted[b".modinfo"])
    magic = info.get("vermagic", "").split(" ")[0]
    stem = _FILE_NAME.search(name)
    own = info.get("name") or (stem["name"] if stem else name)
    if not _NAME.fullmatch(own):
        raise KernelFileError(f"{own[:80]!r} cannot be a module's name", place=place)
    return ModuleFile(
        name=own.replace("-", "_"),
        release=magic or None,
        arch=elf.arch,
        btf=wanted.get(b".BTF", b""),
        own_base=wanted.get(b".BTF.base", b""),
    )


def _modinfo(data: bytes) -> dict[str, str]:
    """Read `key=value` texts, each ended by a NUL; the first of a key counts."""
    found: dict[str, str] = {}
    for row in data[: limits.MODINFO_BYTES].split(b"\0"):
        key, _, value = row.decode("utf-8", "replace").partition("=")
        found.setdefault(key, value)
    return found


def module_in(image: Image, name: str, place: str) -> ModuleFile | None:
    """Read a .ko, compressed or not; None for a file that is something else."""
    for _ in range(_NESTED):
        kind = compression_of(image[:8])
        if kind is None:
            break
        if not _FILE_NAME.search(name):
            return None
        with memoryview(image) as packed:
            image = _unpacked(inflate(kind, packed, place=place), place)
    return read_module(image, name, place) if is_module(image) else None


def modules_in_package(image: Image, place: str) -> Iterator[ModuleFile]:
    """Read every module in a Debian package, in its order; none where it has none.

    Raises KernelFileError for a damaged package or module.
    """
    if image[: len(AR_MAGIC)] != AR_MAGIC:
        return
    members = ar_members(image, place=place)
    data = next((member for member in members if member.startswith("data.tar")), None)
    if data is None:
        return
    where = f"{place}, {data}"
    for path, _, content in tar_files(members[data], place=where, limit=limits.MODULES_BYTES):
        match = _PATH.fullmatch(path)
        if match is None:
            continue
        found = module_in(_read(content, f"{place}, {path}"), path, f"{place}, {path}")
        if found is not None:
            yield found


def _read(content: IO[bytes], place: str) -> bytes:
    data = content.read(limits.MODULE_BYTES + 1)
    if len(data) > limits.MODULE_BYTES:
        raise _too_large(place)
    return data


def _unpacked(chunks: Iterator[bytes], place: str) -> bytes:
    whole = bytearray()
    for chunk in chunks:
        whole += chunk
        if len(whole) > limits.MODULE_BYTES:
            raise _too_large(place)
    return bytes(whole)


def _too_large(place: str) -> KernelFileError:
    return KernelFileError(
        f"the module has more than {limits.MODULE_BYTES >> 20} MiB", place=place, hint=FETCH_AGAIN
    )
