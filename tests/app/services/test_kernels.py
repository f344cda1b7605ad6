"""The kernel services: what the command line, the API and the page tell of kernels."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from app.services import kernels
from app.services.kernels import add_kernel, add_upload, list_kernels, show_kernel
from engine.errors import KernelFileError, KernelUnknown
from engine.kernels.catalog import Catalog
from engine.kernels.extract import debian_arch
from tests.support.btf_writer import BtfWriter
from tests.support.kernel_files import kernel_btf, vmlinux


@pytest.fixture
def catalog(tmp_path: Path) -> Catalog:
    return Catalog(tmp_path / "data", tmp_path / "cache", committed=tmp_path / "none")


def test_the_list_tells_which_kernels_open_at_once(catalog: Catalog) -> None:
    add_upload(catalog, "6.1.btf", kernel_btf())
    add_upload(catalog, "6.2.btf", kernel_btf("big"))
    catalog.btf("6.2")
    rows = list_kernels(catalog).rows
    assert [(row.snapshot.id, row.indexed) for row in rows] == [("6.1", False), ("6.2", True)]


def test_the_list_tells_of_damaged_kernels(catalog: Catalog) -> None:
    (added,) = add_upload(catalog, "6.1.btf", kernel_btf())
    added.snapshot.path.unlink()
    listed = list_kernels(catalog)
    assert listed.rows == ()
    assert "6.1.btf.xz" in listed.problems[0]


def test_show(catalog: Catalog) -> None:
    add_upload(catalog, "6.1.0-1-amd64.btf", kernel_btf())
    details = show_kernel(catalog, "6.1")
    assert details.snapshot.id == "6.1.0-1-amd64"
    assert details.health is not None
    assert (details.health.types, details.problems) == (10, ())
    with pytest.raises(KernelUnknown):
        show_kernel(catalog, "6.2")


def test_show_a_kernel_that_cannot_be_read(catalog: Catalog) -> None:
    (added,) = add_upload(catalog, "6.1.btf", kernel_btf())
    added.snapshot.path.write_bytes(b"junk")
    details = show_kernel(catalog, "6.1")
    assert details.health is None
    assert "6.1.btf.xz" in details.problems[0]


def test_show_names_what_is_missing(catalog: Catalog) -> None:
    add_upload(catalog, "6.1.btf", BtfWriter().encode("little"))
    assert "task_struct" in show_kernel(catalog, "6.1").problems[0]


def test_add_a_file(catalog: Catalog, tmp_path: Path) -> None:
    path = tmp_path / "vmlinux"
    path.write_bytes(vmlinux(kernel_btf()))
    (added,) = add_kernel(catalog, str(path))
    assert (added.fresh, added.snapshot.id) == (True, "6.1.0-1-amd64")
    (again,) = add_kernel(catalog, path)
    assert not again.fresh


def test_add_the_running_kernel(
    catalog: Catalog, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "vmlinux"
    path.write_bytes(kernel_btf())
    monkeypatch.setattr(kernels, "RUNNING_BTF", path)
    (added,) = add_kernel(catalog, "running")
    assert added.snapshot.release == os.uname().release
    assert added.snapshot.source == "running"
    assert added.snapshot.arch == debian_arch(os.uname().machine)


def test_a_machine_without_btf_of_its_own(
    catalog: Catalog, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kernels, "RUNNING_BTF", tmp_path / "none")
    with pytest.raises(KernelFileError, match="cannot be read"):
        add_kernel(catalog, "running")
