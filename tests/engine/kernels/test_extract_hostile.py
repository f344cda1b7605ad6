"""Broken and malicious kernel files end in a KernelFileError that says where and what to do."""

from __future__ import annotations

import lzma
import os
import struct
import tarfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine import limits
from engine.errors import KernelFileError
from engine.kernels import image as image_module
from engine.kernels.extract import extract_btf
from tests.support.elf_writer import SHT_NOBITS, patch_header, patch_section
from tests.support.kernel_files import (
    PACKERS,
    RELEASE,
    ar,
    bzimage,
    deb,
    flat_image,
    kernel_btf,
    lz4_legacy,
    tar,
    vmlinux,
    xz,
    zst,
)

BTF = kernel_btf()
KERNEL = vmlinux(BTF)
PACKAGE = deb({f"boot/vmlinuz-{RELEASE}": bzimage(xz(KERNEL))})


def refused(data: bytes | Path, words: str, place: str = "") -> KernelFileError:
    with pytest.raises(KernelFileError, match=words) as caught:
        extract_btf(data, name="" if isinstance(data, Path) else "file")
    assert place in caught.value.place
    assert caught.value.hint
    return caught.value


CASES = {
    "empty": (b"", "is empty"),
    "text": (b"#!/bin/sh\nexit 0\n" * 100, "not a kernel"),
    "btf cut off": (BTF[:-1], "BTF is cut off"),
    "btf version": (BTF[:2] + b"\x02" + BTF[3:], "BTF is cut off or damaged"),
    "elf without btf": (vmlinux(None), "no .BTF section"),
    "elf with an empty btf": (vmlinux(b""), "no .BTF section"),
    "elf with junk as btf": (vmlinux(b"junk" * 20), "no valid header"),
    "elf cut off": (KERNEL[:-100], "cut off"),
    "elf of 20 bytes": (KERNEL[:20], "64-bit ELF"),
    "elf of 32 bits": (KERNEL[:4] + b"\x01" + KERNEL[5:], "64-bit ELF"),
    "bpf object": (vmlinux(BTF, machine=247, file_type=1), "a BPF object"),
    "module": (vmlinux(BTF, file_type=1), "kernel module"),
    "sections beyond the end": (patch_header(KERNEL, "e_shoff", 1 << 63), "cut off"),
    "too many sections": (patch_header(KERNEL, "e_shnum", 0xFFFE), "cut off"),
    "no such name table": (patch_header(KERNEL, "e_shstrndx", 0xFFFE), "cut off"),
    "btf without content": (patch_section(KERNEL, 2, "sh_type", SHT_NOBITS), "damaged"),
    "compressed btf": (patch_section(KERNEL, 2, "sh_flags", 0x800), "damaged"),
    "btf leaves the file": (patch_section(KERNEL, 2, "sh_size", 1 << 62), "damaged"),
    "kernel without btf": (bzimage(xz(vmlinux(None))), "no .BTF section"),
    "flat image without btf": (flat_image(b""), "no BTF in it"),
    "s390x kernel without btf": (bytes(5000) + xz(flat_image(b"", magic=bytes(4))), "no BTF in it"),
    "payload cut off": (bzimage(xz(KERNEL)[:-200]), "stream"),
    "package cut off": (PACKAGE[:-40], "package is cut off"),
    "package header cut off": (PACKAGE[:100], "broken member header|cut off"),
    "package with a bad size": (PACKAGE.replace(b"4         `", b"-4        `", 1), "broken"),
    "not a package": (ar({"a.o": b"x"}), "no data.tar"),
    "tar cut off": (ar({"data.tar": tar({"x": bytes(9000)})[:5000]}), "damaged"),
    "tar of junk": (ar({"data.tar.xz": lzma.compress(b"\xff" * 2000)}), "damaged"),
    "data not compressed as named": (ar({"data.tar.xz": b"\xfd7zXZ\0" + bytes(40)}), "damaged"),
    "package of modules": (deb({"lib/modules/6.1/kernel/a.ko": b"x"}), "holds no kernel"),
    "archive without btf": (tar({"README": b"x"}), "no .btf file"),
    "tar in tar in tar": (
        tar({"1.btf": tar({"2.btf": tar({"3.btf": tar({"4.btf": tar({"5.btf": BTF})})})})}),
        "too deep",
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_refused(case: str) -> None:
    data, words = CASES[case]
    refused(data, words)


@pytest.mark.parametrize("packer", PACKERS)
def test_damaged_streams(packer: str) -> None:
    packed = bytearray(PACKERS[packer](KERNEL))
    refused(bzimage(bytes(packed[: len(packed) // 2])), "stream", "payload at byte 0xa40")
    packed[20:60] = b"\xff" * 40
    refused(bzimage(bytes(packed)), "stream|cut off|no BTF|ELF|not a kernel")


def test_releases_that_would_be_paths_are_refused() -> None:
    files = {"boot/vmlinuz-..": bzimage(xz(KERNEL))}
    refused(deb(files), "cannot be a kernel's release", "boot/vmlinuz-..")
    refused(deb({"boot/vmlinuz-6.1 $(id)": bzimage(xz(KERNEL))}), "cannot be a kernel's release")


def test_an_empty_wrapper_package_names_the_one_with_the_image() -> None:
    """From 6.19 on Debian's linux-image-* hold nothing."""
    wrapper = deb({"usr/share/doc/x": b"x"}, package="linux-image-7.3.4+deb13-amd64")
    assert "linux-binary-7.3.4+deb13-amd64" in refused(wrapper, "holds no kernel").hint
    newest = deb({"usr/share/doc/x": b"x"}, package="linux-image-amd64")
    assert "depends on" in refused(newest, "linux-image-amd64 holds no kernel").hint


@pytest.fixture
def small_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "KERNEL_IMAGE_BYTES", 4 << 20)
    monkeypatch.setattr(image_module, "_GUESSED_BYTES", 4 << 20)


@pytest.mark.usefixtures("small_limit")
@pytest.mark.parametrize("packer", PACKERS)
def test_bombs_are_stopped(packer: str) -> None:
    """What unpacks to more than the limit is given up, wherever it is."""
    bomb = PACKERS[packer](bytes(64 << 20))
    refused(bzimage(bomb), "more than 4 MiB", "payload")
    if packer != "lz4":
        refused(bomb, "more than 4 MiB")


@pytest.mark.usefixtures("small_limit")
def test_bombs_in_packages_are_stopped() -> None:
    refused(deb({f"boot/vmlinuz-{RELEASE}": bytes(8 << 20)}), "more than 4 MiB|damaged")
    refused(deb({f"boot/vmlinuz-{RELEASE}": bzimage(zst(bytes(8 << 20)))}), "more than 4 MiB")


def test_a_control_file_cannot_be_a_bomb() -> None:
    control = lzma.compress(tar({"big": bytes(8 << 20), "control": b"Package: x\n"}))
    refused(ar({"control.tar.xz": control, "data.tar": tar({})}), "more than 4 MiB", "control.tar")


def test_an_lz4_block_larger_than_its_format_allows() -> None:
    packed = lz4_legacy(KERNEL)
    huge = packed[:4] + struct.pack("<I", 0x7FFFFFFF) + packed[8:]
    refused(bzimage(huge), "lz4 stream ends early")


@pytest.mark.parametrize("kind", [tarfile.XHDTYPE, tarfile.GNUTYPE_LONGNAME])
def test_tar_headers_that_would_be_read_into_memory(kind: bytes) -> None:
    info = tarfile.TarInfo("././@LongLink")
    info.type, info.size = kind, 7 << 30
    refused(ar({"data.tar": info.tobuf(tarfile.GNU_FORMAT) + bytes(1024)}), "claims 7516192768")


def test_a_tar_header_with_a_negative_size() -> None:
    block = bytearray(tarfile.TarInfo("boot/vmlinuz-6.1").tobuf(tarfile.GNU_FORMAT))
    block[124:136] = b"\xff" * 12
    block[148:156] = b" " * 8
    block[148:156] = b"%06o\0 " % sum(block)
    refused(ar({"data.tar": bytes(block) + bytes(1024)}), "claims -|damaged")


def test_too_many_files(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("engine.kernels.package._TAR_MEMBERS", 50)
    refused(ar({"data.tar": tar({f"f{n}": b"" for n in range(60)})}), "more than 50 files")


def test_paths_that_are_no_files(tmp_path: Path) -> None:
    refused(tmp_path / "none.btf", "No such file", "none.btf")
    refused(tmp_path, "not a regular file")
    os.mkfifo(tmp_path / "pipe")
    refused(tmp_path / "pipe", "not a regular file")
    refused(Path("/dev/zero"), "not a regular file")


def test_a_file_beyond_the_limit_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "huge.deb"
    with path.open("wb") as file:
        file.truncate(limits.KERNEL_IMAGE_BYTES + 1)
    refused(path, "more than 1024 MiB")
    with path.open("r+b") as file:
        file.write(b"!<arch>\n")
        file.truncate(limits.KERNEL_PACKAGE_BYTES + 1)
    refused(path, "more than 512 MiB")


def test_no_room_to_unpack(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "gone"))
    assert "TMPDIR" in refused(bzimage(xz(KERNEL)), "unpacking failed").hint


SEEDS = (
    BTF,
    KERNEL,
    bzimage(zst(KERNEL)),
    flat_image(BTF),
    deb({f"boot/vmlinuz-{RELEASE}": bzimage(xz(KERNEL))}, packer=""),
    tar({"6.1.btf": BTF}),
    lzma.compress(BTF),
)


ANYWHERE = st.integers(0, (1 << 32) - 1)


@given(
    seed=st.sampled_from(SEEDS),
    cut=ANYWHERE,
    flips=st.lists(st.tuples(ANYWHERE, st.integers(0, 255)), max_size=8),
)
def test_any_damage_ends_in_a_result_or_a_kernel_file_error(
    seed: bytes, cut: int, flips: list[tuple[int, int]]
) -> None:
    """Flipped and cut files never raise anything else."""
    broken = bytearray(seed[: cut % (len(seed) + 1)])
    for place, value in flips if broken else ():
        broken[place % len(broken)] = value
    error = None
    try:
        found = extract_btf(bytes(broken), name="file")
    except KernelFileError as caught:
        found, error = (), caught
    assert found or (error is not None and error.place and error.hint)
