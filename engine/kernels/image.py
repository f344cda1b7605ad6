"""Finding the .BTF section in a kernel: an ELF vmlinux, or the image a boot loader starts.

    x86-64 vmlinuz       setup code, then a compressed ELF vmlinux
    EFI zboot vmlinuz    a PE program, then a compressed Image (arm64, riscv64, loongarch64)
    arm64, riscv64       a flat Image with no ELF around it; the .BTF section lies in it as it is
    s390x                the same, behind a decompressor where it is compressed

Sources: Linux Documentation/arch/x86/boot.rst (HdrS, kernel_version, payload_offset,
payload_length), Documentation/arch/arm64/booting.rst, drivers/firmware/efi/libstub/zboot-header.S.
"""

from __future__ import annotations

import re
import struct
from dataclasses import dataclass
from typing import Final

from engine import limits
from engine.btf.kinds import ByteOrder
from engine.errors import KernelFileError
from engine.kernels.inflate import MAGICS, Image, compression_of, inflate, spool
from engine.kernels.vmlinux import ACCEPTED, NO_BTF, read_elf

_MAGIC_LITTLE: Final = b"\x9f\xeb\x01\x00"
_MAGIC_BIG: Final = b"\xeb\x9f\x01\x00"
BTF_MAGICS: Final = (_MAGIC_LITTLE[:2], _MAGIC_BIG[:2])
_HEADER: Final = "2xBxIIIII"
_SCAN_HITS: Final = 10_000
"""Places looked at in one scan; random bytes give one in 4 GiB, real images have 1 to 5."""
_PAYLOAD_TRIES: Final = 4
_GUESSED_BYTES: Final = 256 << 20
"""Bound on what a stream that was only guessed to be one unpacks to; kernels have up to 80 MiB."""
_SMALLEST_KERNEL_BTF: Final = 64
_BANNER: Final = re.compile(rb"Linux version (\d[A-Za-z0-9._+~-]{0,79}) \(")


@dataclass(frozen=True, slots=True)
class Found:
    """A raw .BTF section, and what the image around it says of itself."""

    data: bytes
    release: str | None
    arch: str | None
    """As Debian names it: amd64, arm64, s390x."""


def btf_length(image: Image, at: int = 0) -> int | None:
    """Length in bytes of the .BTF section that starts at `at`, or None when none does.

    Checks the header and that the string section starts and ends with a NUL, not the types.
    """
    head = image[at : at + 24]
    if len(head) < 24 or head[:4] not in (_MAGIC_LITTLE, _MAGIC_BIG):
        return None
    prefix = "<" if head[:4] == _MAGIC_LITTLE else ">"
    version, hdr_len, type_off, type_len, str_off, str_len = struct.unpack(prefix + _HEADER, head)
    length: int = hdr_len + str_off + str_len
    strings = at + hdr_len + str_off
    if version != 1 or not 24 <= hdr_len <= 4096 or type_off % 4 or type_len % 4 or not str_len:
        return None
    if type_off + type_len > str_off or length > min(limits.BTF_BYTES, len(image) - at):
        return None
    if image[strings] or image[strings + str_len - 1]:
        return None
    return length


def find_btf(image: Image, *, place: str) -> Found:
    """Find the kernel's BTF in a vmlinux or in a boot image.

    Raises KernelFileError that says what the file is instead, or why it has no BTF.
    """
    if image[:4] == b"\x7fELF":
        return _from_elf(image, place)
    arch, payload = _boot_header(image)
    if payload is not None:
        start, end = payload
        kind = compression_of(image[start : start + 8])
        if kind is not None:
            where = f"{place}, {kind} payload at byte {start:#x}"
            inner = _unpack(image, kind, start, end, where, limits.KERNEL_IMAGE_BYTES)
            found = _within(inner, where)
            if found is None:
                raise KernelFileError("the kernel has no BTF in it", place=where, hint=NO_BTF)
            return _with(found, _x86_release(image), arch)
    return _scan(image, arch) or _from_any_payload(image, arch, place)


def _from_elf(image: Image, place: str) -> Found:
    elf = read_elf(image, place)
    at, size = elf.btf
    if not size:
        raise KernelFileError("this ELF file has no .BTF section", place=place, hint=NO_BTF)
    length = btf_length(image, at)
    if length is None or length > size:
        raise KernelFileError(
            "the .BTF section has no valid header", place=f"{place}, byte {at:#x}", hint=NO_BTF
        )
    return Found(image[at : at + length], _banner_release(image), elf.arch)


def unpack_boot_image(image: Image, *, place: str) -> Image:
    """Give what an x86-64 boot image unpacks to, or the image itself where it is no such image.

    Raises KernelFileError for a damaged one.
    """
    _, payload = _boot_header(image)
    if payload is None:
        return image
    start, end = payload
    kind = compression_of(image[start : start + 8])
    if kind is None:
        return image
    where = f"{place}, {kind} payload at byte {start:#x}"
    return _unpack(image, kind, start, end, where, limits.KERNEL_IMAGE_BYTES)


def release_of(image: Image) -> str | None:
    """Give the release that an x86-64 boot image or an unpacked kernel tells, if it tells one."""
    return _x86_release(image) or _banner_release(image)


def _boot_header(image: Image) -> tuple[str | None, tuple[int, int] | None]:
    """Give the architecture a boot image declares and the bounds of its compressed payload."""
    if image[0x202:0x206] == b"HdrS" and len(image) >= 0x250:
        arch = "amd64" if struct.unpack_from("<H", image, 0x236)[0] & 1 else None
        offset, length = struct.unpack_from("<II", image, 0x248)
        start = ((image[0x1F1] or 4) + 1) * 512 + offset
        return arch, (start, min(start + length, len(image)))
    if image[:2] == b"MZ" and image[4:8] == b"zimg" and len(image) >= 64:
        start, length = struct.unpack_from("<II", image, 8)
        return None, (start, min(start + length, len(image)))
    return _flat_arch(image), None


def _flat_arch(image: Image) -> str | None:
    """Give the architecture of a flat image, from the magic at byte 56 of its header."""
    return {b"ARM\x64": "arm64", b"RSC\x05": "riscv64"}.get(image[56:60])


def _x86_release(image: Image) -> str | None:
    """Give the release in the setup header's kernel_version string, which is not compressed."""
    if image[0x202:0x206] != b"HdrS":
        return None
    at = 0x200 + struct.unpack_from("<H", image, 0x20E)[0]
    found = re.match(rb"(\d[A-Za-z0-9._+~-]{0,79}) ", image[at : at + 81])
    return found[1].decode("ascii") if found else None


def _banner_release(image: Image) -> str | None:
    """Give the release in the kernel's greeting, `Linux version <release> (...`."""
    found = _BANNER.search(image)
    return found[1].decode("ascii") if found else None


def _unpack(image: Image, kind: str, start: int, end: int, place: str, limit: int) -> Image:
    with memoryview(image) as view, view[start:end] as packed:
        return spool(inflate(kind, packed, place=place), limit, place=place)


def _within(kernel: Image, place: str) -> Found | None:
    """Find the BTF in an unpacked kernel, ELF or flat."""
    if kernel[:4] == b"\x7fELF":
        return _from_elf(kernel, place)
    return _scan(kernel, _flat_arch(kernel))


def _from_any_payload(image: Image, arch: str | None, place: str) -> Found:
    """Try the compressed streams that seem to start in an image without a header we know.

    So it is with s390x, whose image is a decompressor with the kernel somewhere behind it.
    """
    is_kernel = arch is not None or _banner_release(image) is not None
    for magic, kind in MAGICS:
        at = -1
        for _ in range(_PAYLOAD_TRIES):
            at = image.find(magic, at + 1)
            if at < 0:
                break
            try:
                inner = _unpack(image, kind, at, len(image), place, _GUESSED_BYTES)
                found = _within(inner, place)
            except KernelFileError:
                continue
            if found is not None:
                return _with(found, None, arch)
            is_kernel = is_kernel or _banner_release(inner) is not None
    if is_kernel:
        raise KernelFileError("the kernel has no BTF in it", place=place, hint=NO_BTF)
    raise KernelFileError("this is not a kernel", place=place, hint=ACCEPTED)


def _scan(image: Image, arch: str | None) -> Found | None:
    """Look for a .BTF section by its magic; the longest with a valid header is the kernel's."""
    best_at, best_length = 0, 0
    for magic in (_MAGIC_LITTLE, _MAGIC_BIG):
        at = image.find(magic)
        for _ in range(_SCAN_HITS):
            if at < 0:
                break
            length = btf_length(image, at) or 0
            if length > best_length:
                best_at, best_length = at, length
            at = image.find(magic, at + max(length, 1))
    if best_length < _SMALLEST_KERNEL_BTF:
        return None
    data = image[best_at : best_at + best_length]
    if arch is None and byte_order_of(data) == "big":
        arch = "s390x"
    return Found(data, _banner_release(image), arch)


def byte_order_of(data: bytes) -> ByteOrder:
    """Tell the byte order of a raw .BTF section from its magic."""
    return "little" if data[:2] == BTF_MAGICS[0] else "big"


def _with(found: Found, release: str | None, arch: str | None) -> Found:
    return Found(found.data, release or found.release, found.arch or arch)
