"""Every form in which a kernel is shipped gives the same .BTF section."""

from __future__ import annotations

import gzip
import lzma
from pathlib import Path

import pytest
import zstandard

from engine.errors import KernelFileError
from engine.kernels.extract import ExtractedBtf, extract_btf, release_in_name
from tests.support.kernel_files import (
    PACKERS,
    RELEASE,
    bzimage,
    deb,
    flat_image,
    gz,
    kernel_btf,
    lz4_legacy,
    tar,
    vmlinux,
    xz,
    zboot,
    zst,
)

BTF = kernel_btf()
BIG = kernel_btf("big")


def only(data: bytes, name: str = "file") -> ExtractedBtf:
    found = extract_btf(data, name=name)
    assert len(found) == 1
    return found[0]


@pytest.mark.parametrize(
    ("name", "packed"),
    [
        ("6.1.0-1-amd64.btf", BTF),
        ("6.1.0-1-amd64.btf.xz", lzma.compress(BTF)),
        ("6.1.0-1-amd64.btf.zst", zstandard.compress(BTF)),
        ("6.1.0-1-amd64.btf.gz", gzip.compress(BTF)),
    ],
)
def test_raw_btf(name: str, packed: bytes) -> None:
    assert only(packed, name) == ExtractedBtf(RELEASE, "amd64", BTF, name)


def test_padding_after_raw_btf_is_not_part_of_it() -> None:
    assert only(BTF + bytes(100)).data == BTF


def test_a_path_is_read_like_bytes(tmp_path: Path) -> None:
    path = tmp_path / "vmlinux"
    path.write_bytes(vmlinux(BTF))
    (found,) = extract_btf(path)
    assert (found.release, found.arch, found.data) == (RELEASE, "amd64", BTF)


def test_a_large_path_is_mapped(tmp_path: Path) -> None:
    path = tmp_path / "vmlinux-6.1"
    with path.open("wb") as file:
        file.write(flat_image(BTF))
        file.truncate(65 << 20)
    assert extract_btf(path)[0].data == BTF


@pytest.mark.parametrize(
    ("btf", "order", "machine", "arch"),
    [(BTF, "little", 62, "amd64"), (BTF, "little", 183, "arm64"), (BIG, "big", 22, "s390x")],
)
def test_vmlinux(btf: bytes, order: str, machine: int, arch: str) -> None:
    found = only(vmlinux(btf, byte_order=order, machine=machine))  # type: ignore[arg-type]
    assert (found.release, found.arch, found.data) == (RELEASE, arch, btf)


def test_vmlinux_with_many_sections() -> None:
    """A kernel built with -ffunction-sections has tens of thousands."""
    assert only(vmlinux(BTF, sections=30_000)).data == BTF


@pytest.mark.parametrize("packer", PACKERS)
def test_bzimage(packer: str) -> None:
    image = bzimage(PACKERS[packer](vmlinux(BTF)))
    found = only(image)
    assert (found.release, found.arch, found.data) == (RELEASE, "amd64", BTF)


def test_lz4_blocks_are_joined() -> None:
    kernel = vmlinux(BTF) + bytes(9 << 20)
    assert only(bzimage(lz4_legacy(kernel))).data == BTF


def test_flat_images_are_scanned_past_a_decoy() -> None:
    arm = only(flat_image(BTF))
    assert (arm.release, arm.arch, arm.data) == (RELEASE, "arm64", BTF)
    riscv = only(flat_image(BTF, magic=b"RSC\x05"))
    assert (riscv.arch, riscv.data) == ("riscv64", BTF)
    s390x = only(flat_image(BIG, magic=bytes(4)))
    assert (s390x.arch, s390x.data) == ("s390x", BIG)


def test_the_longest_btf_in_a_flat_image_is_the_kernels() -> None:
    larger = kernel_btf(extra="one_more")
    assert only(flat_image(BTF + bytes(8) + larger + bytes(8) + BTF)).data == larger


@pytest.mark.parametrize("pack", [gz, zst])
def test_compressed_flat_images(pack: type) -> None:
    assert only(pack(flat_image(BTF))).data == BTF
    boot = only(zboot(pack(flat_image(BTF))))
    assert (boot.arch, boot.data) == ("arm64", BTF)


def test_a_payload_behind_an_unknown_decompressor_is_found() -> None:
    """As on s390x; the decompressor holds the magic it looks for as well."""
    image = b"\x00\x08\x00\x00" * 3000 + b"\xfd7zXZ\0" + bytes(900)
    assert only(image + xz(flat_image(BIG, magic=bytes(4)))).data == BIG
    assert only(image + gz(flat_image(BIG, magic=bytes(4)))).data == BIG


@pytest.mark.parametrize("packer", ["xz", "gzip", "zstd", ""])
def test_debian_package(packer: str) -> None:
    files = {"usr/share/doc/x": b"text", f"boot/vmlinuz-{RELEASE}": bzimage(xz(vmlinux(BTF)))}
    found = only(deb(files, packer=packer), "linux.deb")
    assert found.data == BTF
    assert (found.release, found.arch, found.distribution) == (RELEASE, "amd64", "Debian")
    assert found.source == f"linux-image-6.1.0-1-amd64 6.1.1-1: boot/vmlinuz-{RELEASE}"


@pytest.mark.parametrize(
    "path",
    [
        "boot/vmlinux-7.3.4+deb13-s390x",
        "usr/lib/modules/7.3.4+deb13-s390x/vmlinuz",
        "usr/lib/modules/7.3.4+deb13-s390x/vmlinuz.unsigned",
        "lib/modules/7.3.4+deb13-s390x/vmlinuz",
        "usr/lib/debug/boot/vmlinux-7.3.4+deb13-s390x",
        "usr/lib/debug/lib/modules/7.3.4+deb13-s390x/vmlinux",
    ],
)
def test_places_of_a_kernel_in_a_package(path: str) -> None:
    found = only(deb({path: flat_image(BIG, magic=bytes(4), release="1.0")}, arch="s390x"))
    assert (found.release, found.arch, found.data) == ("7.3.4+deb13-s390x", "s390x", BIG)


def test_the_packages_architecture_counts_when_the_image_tells_none() -> None:
    files = {"boot/vmlinux-6.12.1-x": flat_image(BTF, magic=bytes(4), release="6.12.1-x")}
    assert only(deb(files, arch="loong64")).arch == "loong64"


def test_a_tar_archive_gives_every_btf_in_it() -> None:
    other = kernel_btf(extra="other")
    archive = tar({"5.4.0-1-generic.btf": BTF, "x/5.4.0-2-generic.btf": other, "README": b"x"})
    found = extract_btf(lzma.compress(archive), name="hub.btf.tar.xz")
    assert [(row.release, row.data) for row in found] == [
        ("5.4.0-1-generic", BTF),
        ("5.4.0-2-generic", other),
    ]
    assert found[1].source == "hub.btf.tar.xz: x/5.4.0-2-generic.btf"


@pytest.mark.parametrize(
    ("name", "release"),
    [
        ("5.4.17-2136.el8.x86_64.btf.tar.xz", "5.4.17-2136.el8.x86_64"),
        ("/boot/vmlinuz-6.1.0-56-amd64", "6.1.0-56-amd64"),
        ("vmlinux", None),
        ("program.btf", None),
        ("6.1 final.btf", None),
        ("..", None),
    ],
)
def test_release_in_name(name: str, release: str | None) -> None:
    assert release_in_name(name) == release


def test_a_release_names_its_architecture() -> None:
    assert only(BTF, "5.4.17-2136.el8.x86_64.btf").arch == "amd64"
    assert only(BTF, "5.4.0-1018-aws.btf").arch is None


def test_errors_pickle_with_their_place() -> None:
    with pytest.raises(KernelFileError) as caught:
        extract_btf(b"", name="empty.btf")
    assert (caught.value.code, caught.value.place) == ("kernel-file", "empty.btf")
