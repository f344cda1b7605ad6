"""The kernel in a package, as a virtual machine starts it."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine.errors import KernelFileError
from engine.kernels.bootable import read_bootable, vmlinux_of
from tests.support.kernel_files import PACKERS, RELEASE, bzimage, deb, kernel_btf, vmlinux, xz

KERNEL = vmlinux(kernel_btf())


def file(tmp_path: Path, data: bytes, name: str = "some.deb") -> Path:
    path = tmp_path / name
    path.write_bytes(data)
    return path


@pytest.mark.parametrize(
    "paths",
    [
        (f"boot/config-{RELEASE}", f"boot/vmlinuz-{RELEASE}"),
        (f"usr/lib/modules/{RELEASE}/vmlinuz", f"usr/lib/modules/{RELEASE}/config"),
        (f"boot/vmlinuz-{RELEASE}",),
    ],
    ids=["boot", "modules", "no config"],
)
@pytest.mark.parametrize("packer", PACKERS)
def test_the_kernel_in_a_package(tmp_path, paths, packer):
    image = bzimage(PACKERS[packer](KERNEL))
    files = {path: b"CONFIG_HZ=250\n" if "config" in path else image for path in paths}
    found = read_bootable(file(tmp_path, deb(files)))
    assert found.release == RELEASE
    assert bytes(found.image[:]) == image
    assert found.config == (b"CONFIG_HZ=250\n" if len(paths) > 1 else b"")
    assert bytes(vmlinux_of(found.image, place="x")[:]) == KERNEL


@pytest.mark.parametrize("name", ["vmlinux", "bzimage"])
def test_kernels_without_a_package(tmp_path, name):
    data = KERNEL if name == "vmlinux" else bzimage(xz(KERNEL))
    found = read_bootable(file(tmp_path, data, f"vmlinuz-{RELEASE}"))
    assert (found.release, found.config) == (RELEASE, b"")
    assert bytes(vmlinux_of(found.image, place=name)[:]) == KERNEL


@pytest.mark.parametrize(
    ("data", "what"),
    [
        (deb({"usr/share/doc/x": b"x"}), "holds no kernel image"),
        (deb({f"boot/vmlinuz-{RELEASE}": b"MZ no kernel"}), "no x86-64 kernel"),
        (deb({f"boot/vmlinuz-{RELEASE}": vmlinux(kernel_btf(), machine=183)}), "no x86-64 kernel"),
        (deb({"boot/vmlinuz-/etc": bzimage(xz(KERNEL))}), "holds no kernel image"),
        (deb({"boot/vmlinuz-a b": bzimage(xz(KERNEL))}), "cannot be a kernel's release"),
        (b"hello", "no kernel that tells its release"),
    ],
)
def test_what_is_refused(tmp_path, data, what):
    with pytest.raises(KernelFileError, match=what):
        read_bootable(file(tmp_path, data))
