"""A kernel that a virtual machine can start, cut from what a distribution ships.

Beside the BTF (`engine.kernels.extract`) a guest needs the kernel itself: the ELF vmlinux within
an x86-64 boot image, which starts without unpacking itself first.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from engine import limits
from engine.errors import KernelFileError
from engine.kernels.extract import checked_release, other_package, read_image, release_in_name
from engine.kernels.image import release_of, unpack_boot_image
from engine.kernels.inflate import Image, too_large
from engine.kernels.package import AR_MAGIC, ar_members, control_fields, spool_file, tar_files
from engine.kernels.vmlinux import open_elf

_PATH: Final = re.compile(
    r"(?:usr/)?(?:boot/|lib/modules/)(?P<folder>[^/]+/)?"
    r"(?P<what>vmlinuz|config)(?:-(?P<release>[^/]+))?"
)
_CONFIG_BYTES: Final = 4 << 20
_AFTER_IMAGE: Final = 64
"""Files looked at for the configuration after the kernel was found; thousands of modules follow."""


@dataclass(frozen=True, slots=True)
class Bootable:
    """A boot image as it was shipped, and what is known of it."""

    release: str
    """`6.1.0-56-cloud-amd64`: what `uname -r` says there."""
    image: Image
    """A vmlinuz, or a vmlinux where that was given."""
    config: bytes
    """The kernel's .config; empty where the package has none."""
    source: str
    """`linux-image-6.1.0-56-cloud-amd64-unsigned 6.1.192-2`, or the file's name."""


def read_bootable(path: Path) -> Bootable:
    """Read the x86-64 kernel in a Debian package, or a vmlinuz or vmlinux.

    Raises KernelFileError for anything else.
    """
    data = read_image(path)
    if data[: len(AR_MAGIC)] == AR_MAGIC:
        return _from_package(data, path.name)
    release = release_of(data) or release_in_name(path.name)
    if release is None:
        raise KernelFileError(
            "this is no kernel that tells its release",
            place=path.name,
            hint="Give a linux-image package, a vmlinuz or a vmlinux of x86-64.",
        )
    vmlinux_of(data, place=path.name)
    return Bootable(checked_release(release, path.name), data, b"", path.name)


def vmlinux_of(image: Image, *, place: str) -> Image:
    """Give the ELF vmlinux in an x86-64 boot image, or the image if it is one.

    Raises KernelFileError.
    """
    kernel = unpack_boot_image(image, place=place)
    if kernel[:4] != b"\x7fELF" or open_elf(kernel, place).arch != "amd64":
        raise KernelFileError(
            "this is no x86-64 kernel",
            place=place,
            hint="A virtual machine here starts kernels for amd64 only.",
        )
    return kernel


def _from_package(data: Image, name: str) -> Bootable:
    if len(data) > limits.KERNEL_PACKAGE_BYTES:
        raise too_large(limits.KERNEL_PACKAGE_BYTES, name)
    members = ar_members(data, place=name)
    fields = control_fields(members, place=name)
    release, image, config = _walk(members, name)
    if image is None:
        raise KernelFileError(
            f"the package {fields.get('Package', name)} holds no kernel image",
            place=name,
            hint=other_package(fields),
        )
    vmlinux_of(image, place=name)
    source = " ".join(fields[key] for key in ("Package", "Version") if fields.get(key))
    return Bootable(checked_release(release, name), image, config, source or name)


def _walk(members: dict[str, memoryview], name: str) -> tuple[str, Image | None, bytes]:
    """Give release, image and configuration; the image is None where the package has none."""
    data = next((member for member in members if member.startswith("data.tar")), None)
    packed = memoryview(b"") if data is None else members[data]
    release, image, config = "", None, b""
    after = 0
    for path, member, content in tar_files(packed, place=name, limit=limits.KERNEL_IMAGE_BYTES):
        found = _PATH.fullmatch(path)
        if found and found["what"] == "config" and member.size <= _CONFIG_BYTES:
            config = content.read(_CONFIG_BYTES)
        elif found and found["what"] == "vmlinuz":
            release = found["release"] or (found["folder"] or "").rstrip("/")
            image = spool_file(content, place=name)
        after += image is not None
        if image is not None and (config or after > _AFTER_IMAGE):
            break
    return release, image, config
