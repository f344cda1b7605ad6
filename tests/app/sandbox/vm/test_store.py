"""Guests and templates on disk: whole or not there, found by all that they depend on."""

from __future__ import annotations

import json
import os
import resource
from collections.abc import Iterator
from pathlib import Path

import pytest

from app.errors import AppError
from app.sandbox.vm import snapshot as snapshot_module
from app.sandbox.vm.snapshot import Snapshot, load, save
from app.sandbox.vm.store import Guest, GuestStore, TemplateRecord
from engine.kernels.bootable import Bootable
from tests.support.kernel_files import bzimage, kernel_btf, vmlinux, xz

IMAGE = bzimage(xz(vmlinux(kernel_btf())))
RECORD = TemplateRecord("6.1.0-56-cloud-amd64", "tcg", "7.2", 0, 1.5)
RELEASES = (
    "6.12.117+deb12-cloud-amd64",
    "5.10.0-46-cloud-amd64",
    "6.1.0-9-cloud-amd64",
    "6.1.0-56-cloud-amd64",
)


def bootable(release: str = RELEASES[3]) -> Bootable:
    return Bootable(release, IMAGE, b"CONFIG_BPF=y\n", "linux-image 6.1")


@pytest.fixture
def store(tmp_path) -> GuestStore:
    return GuestStore(tmp_path / "vm")


def everything(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*")}


def test_guests_are_kept_in_the_order_of_their_kernels(store):
    assert store.guests() == ()
    for release in RELEASES:
        store.add(bootable(release), release)
    found = [guest.id for guest in store.guests()]
    assert found == [RELEASES[1], RELEASES[2], RELEASES[3], RELEASES[0]]
    guest = store.resolve("6.1.0-56")
    assert (guest.series, guest.kernel, guest.source) == ("6.1", guest.id, "linux-image 6.1")
    assert store.vmlinux(guest)[:] == vmlinux(kernel_btf())
    assert store.config(guest) == b"CONFIG_BPF=y\n"


@pytest.mark.parametrize(
    ("text", "meant"),
    [("6.1", 3), ("6.12", 0), ("5.10.0-46-cloud-amd64", 1), ("in the catalog", 3), ("6.1.0-9", 2)],
)
def test_what_a_name_means(store, text, meant):
    for release in RELEASES:
        store.add(bootable(release), "in the catalog" if release == RELEASES[3] else release)
    assert store.resolve(text).id == RELEASES[meant]


@pytest.mark.parametrize("text", ["5.1", "7.3", "cloud", "6.1.0-5"])
def test_a_name_that_means_nothing(store, text):
    with pytest.raises(AppError, match=r"Add|no real kernel") as caught:
        store.resolve(text)
    assert (caught.value.code, "coreplay vm add" in caught.value.hint) == ("guest-missing", True)
    store.add(bootable(), "k")
    with pytest.raises(AppError) as caught:
        store.resolve(text)
    assert caught.value.hint == f"Here are {RELEASES[3]}."


def test_a_damaged_kernel_and_a_damaged_record(store):
    guest = store.add(bootable(), "k")
    (store.folder / "guests" / guest.id / "vmlinuz").write_bytes(IMAGE[:-9])
    with pytest.raises(AppError, match="sha256 is another") as caught:
        store.vmlinux(guest)
    assert caught.value.code == "vm-store"
    (store.folder / "guests" / guest.id / "guest.json").write_text('{"id": 7}')
    assert store.guests() == ()


def test_a_record_that_names_another_folder(store):
    guest = store.add(bootable(), "k")
    path = store.folder / "guests" / guest.id / "guest.json"
    fields = json.loads(path.read_text())
    path.write_text(json.dumps(fields | {"id": "6.1/../../etc"}))
    assert store.guests() == ()


def fill(folder: Path) -> None:
    (folder / "ram").write_bytes(b"ram" * 5000)


def test_a_template_takes_the_place_of_the_guest_s_others(store):
    guest = store.add(bootable(), "k")
    other = store.add(bootable(RELEASES[0]), "k2")
    store.keep_template(guest, "old", RECORD, fill)
    store.keep_template(other, "other", TemplateRecord(other.id, "tcg", "7.2", 0, 1.0), fill)
    store.keep_template(guest, "new", RECORD, fill)
    assert store.template("old") is None
    folder, record = store.template("new")
    assert (folder / "ram").read_bytes() == b"ram" * 5000
    assert record.bytes >= 15_000
    assert [one.guest for one in store.templates(other)] == [other.id]
    store.remove(guest)
    assert [guest.id for guest in store.guests()] == [other.id]
    assert (store.template("new"), store.template("other") is None) == (None, False)


def test_who_comes_second_takes_what_is_there(store):
    guest = store.add(bootable(), "k")
    store.keep_template(guest, "digest", RECORD, fill)

    def again(folder: Path) -> None:
        (folder / "ram").write_bytes(b"mine")

    store.keep_template(guest, "digest", RECORD, again)
    assert (store.template("digest")[0] / "ram").read_bytes() == b"ram" * 5000
    assert not [name for name in everything(store.folder) if ".new-" in name]


@pytest.fixture
def small_files() -> Iterator[None]:
    """No file can grow beyond 64 KiB, as on a disk that is full."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (64 << 10, hard))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def snapshot(ram: bytes, state: bytes) -> Snapshot:
    fds = []
    for content in (ram, state):
        fd = snapshot_module._new("test")
        os.write(fd, content)
        fds.append(fd)
    return Snapshot(fds[0], fds[1], "tcg")


def test_a_disk_that_is_full_leaves_nothing_behind(store, request):
    guest = store.add(bootable(), "k")
    before = everything(store.folder)
    taken = snapshot(b"x" * (1 << 20), b"state")
    request.getfixturevalue("small_files")
    with pytest.raises(AppError, match="the disk is full") as caught:
        store.keep_template(guest, "digest", RECORD, lambda folder: save(taken, folder))
    taken.close()
    assert caught.value.code == "vm-disk-full"
    assert everything(store.folder) - before == {"templates"}


def test_a_folder_that_cannot_be_written(tmp_path):
    (tmp_path / "vm").write_text("a file where a folder should be")
    with pytest.raises(AppError, match="cannot be stored") as caught:
        GuestStore(tmp_path / "vm").add(bootable(), "k")
    assert caught.value.code == "vm-store"


def test_a_snapshot_is_kept_without_its_zeros_and_read_into_sealed_memory(tmp_path):
    block = os.urandom(4096)
    ram = block + bytes(8 << 20) + block + bytes(4096) + b"end" + bytes(4093)
    taken = snapshot(ram, b"state")
    save(taken, tmp_path)
    taken.close()
    assert (tmp_path / "ram").stat().st_size == len(ram)
    assert (tmp_path / "ram").stat().st_blocks * 512 < 1 << 20
    loaded = load(tmp_path, "tcg")
    assert os.pread(loaded.ram, len(ram) + 1, 0) == ram
    assert os.pread(loaded.state, 100, 0) == b"state"
    with pytest.raises(PermissionError):
        os.pwrite(loaded.ram, b"x", 0)
    loaded.close()


def test_a_release_that_is_no_name_of_a_folder(store):
    with pytest.raises(AppError, match="is no release"):
        store.add(bootable("../6.1"), "k")
    assert isinstance(store.guests(), tuple)
    assert Guest("6.1", "k", "", "").series == "6.1"
