"""The catalog: the committed kernels, adding, naming, and what becomes of damaged files."""

from __future__ import annotations

import hashlib
import json
import lzma
import pickle
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from engine.errors import KernelFileError, KernelUnknown
from engine.kernels import catalog as catalog_module
from engine.kernels.catalog import COMMITTED, Catalog
from engine.kernels.snapshot import SUFFIX, Snapshot
from tests.support.btf_writer import BtfWriter
from tests.support.kernel_files import RELEASE, bzimage, deb, kernel_btf, tar, vmlinux, xz

BTF = kernel_btf()
COMMITTED_IDS = (
    "5.10.0-46-amd64",
    "6.1.0-56-amd64",
    "6.12.117+deb12-amd64",
    "6.12.117+deb12-arm64",
    "6.12.107+deb13-s390x",
    "7.3.4+deb13-amd64",
)


@pytest.fixture
def catalog(tmp_path: Path) -> Catalog:
    """The committed kernels and an empty data folder that does not exist yet."""
    return Catalog(tmp_path / "data", tmp_path / "cache")


@pytest.fixture
def empty(tmp_path: Path) -> Catalog:
    """No kernels at all."""
    return Catalog(tmp_path / "data", tmp_path / "cache", committed=tmp_path / "none")


def ids(catalog: Catalog) -> tuple[str, ...]:
    return tuple(snapshot.id for snapshot in catalog.snapshots())


def write(path: Path, data: bytes) -> Path:
    path.write_bytes(data)
    return path


def test_the_committed_kernels_in_order(catalog: Catalog) -> None:
    assert ids(catalog) == COMMITTED_IDS
    assert catalog.problems() == ()
    s390x = catalog.snapshot("6.12.107+deb13-s390x")
    assert (s390x.byte_order, s390x.arch, s390x.origin) == ("big", "s390x", "committed")
    assert (s390x.types, s390x.distribution, s390x.series) == (88_137, "Debian", "6.12")


def test_committed_records_agree_with_their_sums(catalog: Catalog) -> None:
    rows = (line.split() for line in (COMMITTED / "SHA256SUMS").read_text().splitlines())
    sums = {name.removesuffix(".btf"): digest for digest, name in rows}
    assert {s.id: s.sha256 for s in catalog.snapshots()} == sums
    assert {path.name for path in COMMITTED.glob("*.xz")} == {i + SUFFIX for i in COMMITTED_IDS}


@pytest.mark.parametrize("snapshot_id", COMMITTED_IDS)
def test_committed_files_are_what_their_records_say(catalog: Catalog, snapshot_id: str) -> None:
    snapshot = catalog.snapshot(snapshot_id)
    raw = snapshot.read()
    assert len(raw) == snapshot.raw_bytes
    assert hashlib.sha256(raw).hexdigest() == snapshot.sha256


def test_a_real_kernel_opens(catalog: Catalog) -> None:
    assert not catalog.indexed("5.10.0-46-amd64")
    btf = catalog.btf("5.10.0-46-amd64")
    assert len(btf) == 83_142
    assert [btf.kind(i).word for i in btf.ids_named("task_struct")] == ["struct"]
    assert catalog.btf("5.10.0-46-amd64") is btf
    assert catalog.indexed("5.10.0-46-amd64")


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("6.1.0-56-amd64", "6.1.0-56-amd64"),
        ("6.1", "6.1.0-56-amd64"),
        ("6.1.0-56", "6.1.0-56-amd64"),
        ("5", "5.10.0-46-amd64"),
        ("6.12.107", "6.12.107+deb13-s390x"),
    ],
)
def test_resolve(catalog: Catalog, text: str, found: str) -> None:
    assert catalog.resolve(text).id == found


@pytest.mark.parametrize("text", ["6.12", "6", "6.12.117+deb12"])
def test_resolve_refuses_to_guess(catalog: Catalog, text: str) -> None:
    with pytest.raises(KernelUnknown, match="can mean") as caught:
        catalog.resolve(text)
    assert "6.12.117+deb12-amd64, 6.12.117+deb12-arm64" in caught.value.hint


@pytest.mark.parametrize("text", ["", "6.1.", "6.13", "../5.10.0-46-amd64", "x" * 10_000, "\0"])
def test_unknown_ids_name_known_ones(catalog: Catalog, text: str) -> None:
    for look_up in (catalog.snapshot, catalog.resolve, catalog.btf, catalog.check):
        with pytest.raises(KernelUnknown) as caught:
            look_up(text)
        assert "-amd64" in caught.value.hint
        assert len(str(caught.value)) < 200


def test_the_nearest_id_comes_first(catalog: Catalog) -> None:
    with pytest.raises(KernelUnknown) as caught:
        catalog.snapshot("6.1.0-55-amd64")
    assert caught.value.hint.startswith("Known are 6.1.0-56-amd64")


def test_an_empty_catalog_says_how_to_fill_it(empty: Catalog) -> None:
    with pytest.raises(KernelUnknown) as caught:
        empty.snapshot("6.1")
    assert "kernels add" in caught.value.hint


def test_add_a_package(catalog: Catalog, tmp_path: Path) -> None:
    package = deb({f"boot/vmlinuz-{RELEASE}": bzimage(xz(vmlinux(BTF)))})
    (added,) = catalog.add(write(tmp_path / "linux.deb", package))
    assert (added.id, added.origin, added.arch, added.types) == (RELEASE, "added", "amd64", 10)
    assert added.source.endswith(f"boot/vmlinuz-{RELEASE}")
    assert ids(catalog)[1:3] == (RELEASE, "6.1.0-56-amd64")
    assert catalog.btf(RELEASE).ids_named("task_struct")
    again = Catalog(tmp_path / "data", tmp_path / "cache")
    assert again.snapshot(RELEASE) == added
    assert again.snapshot(RELEASE).read() == BTF


def test_adding_twice_changes_nothing(empty: Catalog, tmp_path: Path) -> None:
    path = write(tmp_path / "6.1.0-1-amd64.btf", BTF)
    (first,) = empty.add_all(path)
    (second,) = empty.add_all(path, release="6.2")
    assert (first.fresh, second.fresh) == (True, False)
    assert first.snapshot == second.snapshot


def test_adding_from_many_threads_stores_once(empty: Catalog) -> None:
    with ThreadPoolExecutor(6) as pool:
        rows = list(pool.map(lambda _: empty.add_all(BTF, name="6.1.btf"), range(6)))
    assert sum(added.fresh for (added,) in rows) == 1
    assert {added.snapshot.id for (added,) in rows} == {"6.1"}


def test_a_committed_kernel_is_not_stored_again(catalog: Catalog) -> None:
    raw = catalog.snapshot("5.10.0-46-amd64").read()
    (found,) = catalog.add_all(raw, name="other.btf")
    assert (found.fresh, found.snapshot.id) == (False, "5.10.0-46-amd64")


def test_the_same_release_with_other_content_gets_an_id_of_its_own(empty: Catalog) -> None:
    empty.add(BTF, name="6.1.0-1-amd64.btf")
    other = kernel_btf(extra="one_more")
    (added,) = empty.add(other, name="6.1.0-1-amd64.btf")
    assert added.id == f"6.1.0-1-amd64-{added.sha256[:8]}"
    assert added.release == "6.1.0-1-amd64"
    assert empty.snapshot("6.1.0-1-amd64").read() == BTF


def test_an_id_gets_the_architecture_its_release_lacks(empty: Catalog) -> None:
    (added,) = empty.add(vmlinux(BTF, release="6.8.0-45-generic"))
    assert (added.id, added.release) == ("6.8.0-45-generic-amd64", "6.8.0-45-generic")


def test_a_file_that_names_no_release(empty: Catalog) -> None:
    (unnamed,) = empty.add(BTF, name="vmlinux")
    assert unnamed.id == f"kernel-{unnamed.sha256[:8]}"
    (named,) = empty.add(kernel_btf("big"), name="vmlinux", release="6.12.1-s390x")
    assert (named.id, named.byte_order) == ("6.12.1-s390x", "big")


@pytest.mark.parametrize("release", ["../../etc", "", "-rf", "6.1\n", "x" * 81, "6/1"])
def test_a_release_that_cannot_be_an_id(empty: Catalog, release: str) -> None:
    with pytest.raises(KernelFileError, match="cannot be a kernel's release"):
        empty.add(BTF, release=release)
    assert empty.snapshots() == ()


def test_an_archive_is_added_whole_or_not_at_all(empty: Catalog) -> None:
    broken = bytearray(kernel_btf(extra="x"))
    broken[24 + 7] = 0x7F  # the kind of the first type
    with pytest.raises(KernelFileError, match="kind 127") as caught:
        empty.add(tar({"5.1.btf": BTF, "5.2.btf": bytes(broken)}))
    assert "5.2.btf" in caught.value.place
    assert empty.snapshots() == ()
    added = empty.add(tar({"5.1.btf": BTF, "5.2.btf": kernel_btf(extra="x")}))
    assert [snapshot.id for snapshot in added] == ["5.1", "5.2"]


def test_btf_without_types_is_refused(empty: Catalog) -> None:
    """Some distributions shipped modules whose BTF is a header and nothing else."""
    with pytest.raises(KernelFileError, match="no types"):
        empty.add(BtfWriter().encode("little")[:8] + bytes(12) + b"\1\0\0\0\0")


def test_names_outside_the_strings_are_refused(empty: Catalog) -> None:
    broken = bytearray(BTF)
    broken[24:28] = b"\xff\xff\xff\x7f"
    with pytest.raises(KernelFileError, match="string offset") as caught:
        empty.add(bytes(broken), name="6.1.btf")
    assert "module" in caught.value.hint


def test_a_data_folder_that_cannot_be_made(tmp_path: Path) -> None:
    catalog = Catalog(write(tmp_path / "file", b""), tmp_path / "cache")
    assert ids(catalog) == COMMITTED_IDS
    with pytest.raises(KernelFileError, match="cannot be stored") as caught:
        catalog.add(BTF)
    assert "COREPLAY_DATA" in caught.value.hint


DAMAGED = {
    "not json": (b"{", "record cannot be read"),
    "nested too deep": (b"[" * 100_000, "record cannot be read"),
    "a list": (b"[]", "not an object"),
    "no release": (b'{"arch": null}', "field release"),
    "no sha256": ({"sha256": "../x"}, "field sha256"),
    "raw_bytes a word": ({"raw_bytes": "9"}, "field raw_bytes"),
    "raw_bytes too large": ({"raw_bytes": 1 << 40}, "field raw_bytes"),
    "raw_bytes a truth": ({"raw_bytes": True}, "field raw_bytes"),
    "byte order": ({"byte_order": "middle"}, "field byte_order"),
}


@pytest.mark.parametrize("case", DAMAGED)
def test_damaged_records_are_left_out(empty: Catalog, case: str) -> None:
    content, words = DAMAGED[case]
    (added,) = empty.add(BTF, name="6.1.0-1-amd64.btf")
    record = added.path.with_name("6.1.0-1-amd64.json")
    if isinstance(content, dict):
        content = json.dumps(json.loads(record.read_bytes()) | content).encode()
    record.write_bytes(content)
    record.rename(added.path.with_name("6.1.json"))
    added.path.rename(added.path.with_name("6.1.btf.xz"))
    assert empty.snapshots() == ()
    (problem,) = empty.problems()
    assert words in problem
    assert "6.1.json" in problem


def test_a_record_without_its_file_is_left_out(empty: Catalog) -> None:
    (added,) = empty.add(BTF, name="6.1.btf")
    added.path.unlink()
    assert empty.snapshots() == ()
    assert "missing" in empty.problems()[0]


@pytest.mark.parametrize("content", [b"", b"junk", lzma.compress(b"x"), lzma.compress(bytes(9999))])
def test_a_snapshot_that_was_changed_is_refused(empty: Catalog, content: bytes) -> None:
    (added,) = empty.add(BTF, name="6.1.btf")
    added.path.write_bytes(content)
    with pytest.raises(KernelFileError) as caught:
        empty.btf("6.1")
    assert caught.value.place.startswith("6.1.btf.xz")


def test_what_another_process_adds_is_seen(
    empty: Catalog, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(catalog_module, "_SETTLED_NS", -1 << 62)  # trust time stamps at once
    assert empty.snapshots() == ()
    other = Catalog(tmp_path / "data", tmp_path / "cache", committed=tmp_path / "none")
    other.add(BTF, name="6.1.btf")
    assert ids(empty) == ("6.1",)
    assert empty.snapshots() is empty.snapshots()


def test_snapshots_cross_process_borders(catalog: Catalog) -> None:
    for snapshot in catalog.snapshots():
        assert pickle.loads(pickle.dumps(snapshot)) == snapshot


def test_order_is_by_number(empty: Catalog) -> None:
    names = ("custom", "6.1.0-10", "10.2", "6.1.0-9", "6.1.0-9~bpo", "5.4")
    for number, name in enumerate(names):
        empty.add(kernel_btf(extra=f"x{number}"), release=name)
    assert ids(empty) == ("5.4", "6.1.0-9", "6.1.0-9~bpo", "6.1.0-10", "10.2", "custom")
    assert all(isinstance(snapshot, Snapshot) for snapshot in empty.snapshots())
