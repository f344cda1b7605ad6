"""From whatever a distribution ships to the raw .BTF section of its kernel.

Read are: a raw .BTF section; a vmlinux (ELF); a vmlinuz or Image of any architecture with BTF;
a Debian package that holds one of these; a tar archive of .btf files; each of them also
compressed (xz, zstd, gzip). docs/kernels.md names the packages.
"""

from __future__ import annotations

import mmap
import re
import stat
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO, Final

from engine import limits
from engine.errors import KernelFileError
from engine.kernels.image import BTF_MAGICS, Found, btf_length, find_btf
from engine.kernels.inflate import Image, compression_of, inflate, spool, too_large
from engine.kernels.package import (
    AR_MAGIC,
    ar_members,
    control_fields,
    spool_file,
    tar_files,
)
from engine.kernels.snapshot import ID
from engine.kernels.vmlinux import ACCEPTED

_NESTED: Final = 3
_WHOLE_BTF: Final = (
    "Fetch it again; if it is a module's BTF, an extension of its kernel's, give the kernel."
)
_KERNEL_PATHS: Final = (
    re.compile(r"(?:usr/lib/debug/)?boot/vmlinu[xz]-(?P<release>[^/]+)"),
    re.compile(r"(?:usr/lib/debug/)?(?:usr/)?lib/modules/(?P<release>[^/]+)/vmlinu[xz](?:\.\w+)?"),
)
_SUFFIXES: Final = re.compile(r"(?:\.btf|\.deb|\.tar|\.xz|\.zst|\.gz)+$")


@dataclass(frozen=True, slots=True)
class ExtractedBtf:
    """The raw .BTF section of one kernel and what is known of its origin."""

    release: str | None
    """`6.1.0-56-amd64`; None when neither the file nor its name tells."""
    arch: str | None
    """As Debian names it: amd64, arm64, s390x."""
    data: bytes
    source: str
    """The file it was read from, and the path in it: `linux-image-6.1.deb: boot/vmlinuz-6.1`."""
    distribution: str | None = None
    """Who built it, when the package tells: Debian, Ubuntu."""


def extract_btf(source: Path | bytes, *, name: str = "") -> tuple[ExtractedBtf, ...]:
    """Give the BTF of every kernel in a file; at least one.

    `name` is the file name to report and to read a release from; it defaults to the path's.
    A package's first kernel is enough, for there is one in each. The types are not checked,
    only the header is. Raises KernelFileError with the place and what can be given instead.
    """
    if isinstance(source, bytes):
        return tuple(_extract(source, name or "the file", name or "the file", 0))
    name = name or source.name
    return tuple(_extract(read_image(source), name, name, 0))


def read_image(path: Path) -> Image:
    """Map a file, or read it where it cannot be mapped (/sys/kernel/btf/vmlinux).

    Raises KernelFileError.
    """
    try:
        status = path.stat()
        if not stat.S_ISREG(status.st_mode):
            raise KernelFileError("this is not a regular file", place=str(path), hint=ACCEPTED)
        if status.st_size > limits.KERNEL_IMAGE_BYTES:
            raise too_large(limits.KERNEL_IMAGE_BYTES, str(path))
        with path.open("rb") as file:
            if status.st_size <= limits.BTF_BYTES:
                return file.read(limits.BTF_BYTES + 1)
            return mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    except OSError as error:
        raise KernelFileError(
            f"the file cannot be read: {error.strerror or error}", place=str(path), hint=ACCEPTED
        ) from error


def _extract(image: Image, name: str, place: str, depth: int) -> Iterator[ExtractedBtf]:
    """Tell by its first bytes what `image` is; `name` ends in the name of the file it is."""
    if depth > _NESTED:
        raise KernelFileError("archives within archives go too deep", place=place, hint=ACCEPTED)
    if not len(image):
        raise KernelFileError("the file is empty", place=place, hint=ACCEPTED)
    if image[: len(AR_MAGIC)] == AR_MAGIC:
        yield _from_package(image, name, place)
        return
    length = btf_length(image)
    if length is not None:
        yield _named(Found(image[:length], None, None), name)
    elif image[:2] in BTF_MAGICS:
        raise KernelFileError("the BTF is cut off or damaged", place=place, hint=_WHOLE_BTF)
    elif image[257:262] == b"ustar":
        yield from _from_tar(image, name, place, depth)
    elif kind := compression_of(image[:8]):
        with memoryview(image) as packed:
            chunks = inflate(kind, packed, place=place)
            inner = spool(chunks, limits.KERNEL_IMAGE_BYTES, place=place)
        yield from _extract(inner, name, place, depth + 1)
    else:
        yield _named(find_btf(image, place=place), name)


def _from_package(image: Image, name: str, place: str) -> ExtractedBtf:
    if len(image) > limits.KERNEL_PACKAGE_BYTES:
        raise too_large(limits.KERNEL_PACKAGE_BYTES, place)
    members = ar_members(image, place=place)
    fields = control_fields(members, place=place)
    data = next((member for member in members if member.startswith("data.tar")), None)
    if data is None:
        raise KernelFileError("this is no Debian package: no data.tar", place=place, hint=ACCEPTED)
    for path, _, content in _walk(members[data], f"{place}, {data}"):
        match = next((m for pattern in _KERNEL_PATHS if (m := pattern.fullmatch(path))), None)
        if match is None:
            continue
        where = f"{place}, {path}"
        image = spool_file(content, place=where)
        found = next(_extract(image, path, where, _NESTED))
        release = checked_release(match["release"], where)
        source = " ".join(fields[key] for key in ("Package", "Version") if fields.get(key))
        arch = found.arch or fields.get("Architecture")
        maker = re.search(r"Debian|Ubuntu|Canonical", fields.get("Maintainer", ""))
        distribution = maker and maker[0].replace("Canonical", "Ubuntu")
        return ExtractedBtf(release, arch, found.data, f"{source or name}: {path}", distribution)
    raise KernelFileError(
        f"the package {fields.get('Package', name)} holds no kernel image",
        place=place,
        hint=other_package(fields),
    )


def _walk(packed: memoryview, place: str) -> Iterator[tuple[str, tarfile.TarInfo, IO[bytes]]]:
    return tar_files(packed, place=place, limit=limits.KERNEL_IMAGE_BYTES)


def other_package(fields: dict[str, str]) -> str:
    """Say which package has the image: from 6.19 on Debian's linux-image-* are empty wrappers."""
    package = fields.get("Package", "")
    wrapper = re.fullmatch(r"linux-image-(\d.*?)(?:-unsigned)?", package)
    if wrapper:
        return f"The image is in the package linux-binary-{wrapper[1]}."
    if package.startswith("linux-image-"):
        return f"{package} only names the newest kernel's package; give the one it depends on."
    return "Give linux-image-<release> or, from Linux 6.19 on, linux-binary-<release>."


def _from_tar(image: Image, name: str, place: str, depth: int) -> Iterator[ExtractedBtf]:
    """Read the .btf files and kernels in a tar archive, as BTFHub packs them."""
    found = False
    with memoryview(image) as view:
        for path, _, content in _walk(view, place):
            base = path.rpartition("/")[2]
            if re.search(r"\.btf(\.\w+)?$", base) or re.match(r"vmlinu[xz]\b", base):
                found = True
                where = f"{place}, {path}"
                inner = spool_file(content, place=where)
                for btf in _extract(inner, base, where, depth + 1):
                    yield replace(btf, source=f"{name}: {path}")
    if not found:
        raise KernelFileError("no .btf file in the archive", place=place, hint=ACCEPTED)


def _named(found: Found, name: str) -> ExtractedBtf:
    """Complete what was found with what the file's name tells."""
    release = found.release or release_in_name(name)
    return ExtractedBtf(release, found.arch or _arch_in(release), found.data, name)


def release_in_name(name: str) -> str | None:
    """Give the release in a file name: `6.1.0-56-amd64.btf.xz`, `vmlinuz-6.1.0-56-amd64`."""
    base = name.rpartition("/")[2]
    stem = re.sub(r"^vmlinu[xz]-", "", _SUFFIXES.sub("", base))
    return stem if ID.fullmatch(stem) and re.match(r"\d+\.\d", stem) else None


def checked_release(release: str, place: str) -> str:
    """Give the release if it can be a snapshot's id; raises KernelFileError otherwise."""
    if ID.fullmatch(release):
        return release
    raise KernelFileError(
        f"{release[:80]!r} cannot be a kernel's release",
        place=place,
        hint="A release has at most 80 letters, digits and the characters . _ + ~ -",
    )


_ARCHES: Final = ("amd64", "arm64", "s390x", "ppc64el", "riscv64", "loong64", "mips64el")
_ARCH_WORDS: Final = {"x86_64": "amd64", "aarch64": "arm64", "powerpc64le": "ppc64el"} | {
    arch: arch for arch in _ARCHES
}


def _arch_in(release: str | None) -> str | None:
    """Give the architecture a release ends in: `6.12.107+deb13-s390x`, `5.4.17-2136.el8.x86_64`."""
    words = re.split(r"[-.]", release or "")
    return next((arch for word in reversed(words) if (arch := debian_arch(word))), None)


def debian_arch(machine: str) -> str | None:
    """Give Debian's word for an architecture, whether it is that or uname's: x86_64 is amd64."""
    return _ARCH_WORDS.get(machine)
