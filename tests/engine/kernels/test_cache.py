"""Index files: built once however many ask, rebuilt when unusable, done without if need be."""

from __future__ import annotations

import multiprocessing
import time
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from hashlib import sha256
from pathlib import Path

import pytest

from engine.btf.index import build_index
from engine.errors import KernelFileError
from engine.kernels.cache import IndexCache, file_lock, write_atomically
from engine.kernels.catalog import Catalog
from tests.support.kernel_files import kernel_btf

BTF = kernel_btf()
DIGEST = sha256(BTF).hexdigest()


class Source:
    """Gives the raw BTF and counts how often it was asked."""

    def __init__(self) -> None:
        self.calls = 0

    def __call__(self) -> bytes:
        self.calls += 1
        time.sleep(0.05)
        return BTF


@pytest.fixture
def cache(tmp_path: Path) -> IndexCache:
    return IndexCache(tmp_path / "a" / "cache")


def test_the_index_is_built_on_first_use(cache: IndexCache) -> None:
    source = Source()
    assert cache.open(DIGEST, source).ids_named("task_struct")
    assert cache.open(DIGEST, source).ids_named("sk_buff")
    assert source.calls == 1
    assert cache.path(DIGEST).stat().st_mode & 0o777 == 0o644


def test_threads_build_once(cache: IndexCache) -> None:
    source = Source()
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda _: len(cache.open(DIGEST, source)), range(8)))
    assert set(found) == {11}
    assert source.calls == 1


def _open_and_log(folder: Path) -> int:
    def raw() -> bytes:
        with (folder / "builds").open("a") as log:
            log.write("x")
        time.sleep(0.05)
        return BTF

    return len(IndexCache(folder / "cache").open(DIGEST, raw))


def test_processes_build_once(tmp_path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(3, mp_context=context) as pool:
        assert set(pool.map(_open_and_log, [tmp_path] * 6)) == {11}
    assert (tmp_path / "builds").read_text() == "x"


OTHER = build_index(kernel_btf(extra="other"))
GOOD = build_index(BTF)
UNUSABLE = {
    "empty": b"",
    "cut off in the header": GOOD[:20],
    "cut off": GOOD[:-1],
    "too long": GOOD + b"\0",
    "not an index": b"#!/bin/sh\n" * 50,
    "of another format": GOOD[:8] + b"\xff" + GOOD[9:],
    "of the other byte order": GOOD[:12] + GOOD[12:16][::-1] + GOOD[16:],
    "of another kernel": OTHER,
}


@pytest.mark.parametrize("case", UNUSABLE)
def test_an_unusable_index_is_rebuilt(cache: IndexCache, case: str) -> None:
    cache.folder.mkdir(parents=True)
    cache.path(DIGEST).write_bytes(UNUSABLE[case])
    source = Source()
    assert len(cache.open(DIGEST, source)) == 11
    assert source.calls == 1
    assert cache.path(DIGEST).read_bytes() == GOOD


def test_leftovers_of_the_same_kernel_are_swept(cache: IndexCache) -> None:
    cache.folder.mkdir(parents=True)
    old = cache.folder / f"{DIGEST}.v0-little.idx"
    dead = cache.folder / f"{DIGEST}.v1-little.idx.abc.tmp"
    alien = cache.folder / "notes.txt"
    for path in (old, dead, alien):
        path.write_bytes(b"x")
    cache.open(DIGEST, Source())
    assert {p.suffix for p in cache.folder.iterdir()} == {".idx", ".lock", ".txt"}
    assert not old.exists()


def test_a_folder_that_cannot_be_written(tmp_path: Path) -> None:
    """Read-only media: the BTF is parsed in memory."""
    (tmp_path / "file").write_bytes(b"")
    source = Source()
    btf = IndexCache(tmp_path / "file" / "cache").open(DIGEST, source)
    assert btf.ids_named("task_struct")
    assert btf.sha256 == DIGEST


def test_a_disk_that_is_full(cache: IndexCache, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(path: Path, content: bytes) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("engine.kernels.cache.write_atomically", full)
    assert len(cache.open(DIGEST, Source())) == 11


def test_an_index_in_a_folder_that_cannot_be_written_is_used(cache: IndexCache) -> None:
    cache.open(DIGEST, Source())
    (cache.folder / f"{DIGEST}.lock").unlink()
    cache.folder.chmod(0o500)
    source = Source()
    assert len(cache.open(DIGEST, source)) == 11
    assert source.calls == 0


def test_errors_of_the_source_come_through(cache: IndexCache) -> None:
    def broken() -> bytes:
        raise KernelFileError("gone", place="x", hint="y")

    with pytest.raises(KernelFileError, match="gone"):
        cache.open(DIGEST, broken)
    assert not cache.path(DIGEST).exists()


def test_a_failed_write_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_: int) -> None:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr("os.fsync", fail)
    with pytest.raises(OSError, match="Input/output"):
        write_atomically(tmp_path / "x", b"content")
    assert list(tmp_path.iterdir()) == []


def test_the_lock_keeps_others_out(tmp_path: Path) -> None:
    order: list[str] = []

    def second() -> None:
        with file_lock(tmp_path / "lock"):
            order.append("second")

    with ThreadPoolExecutor(1) as pool:
        with file_lock(tmp_path / "lock"):
            waiting = pool.submit(second)
            time.sleep(0.1)
            order.append("first")
        waiting.result(5)
    assert order == ["first", "second"]


def test_a_built_index_opens_within_a_millisecond(tmp_path: Path) -> None:
    Catalog(tmp_path, tmp_path / "cache").btf("6.1.0-56-amd64")
    best = 1.0
    for _ in range(20):
        catalog = Catalog(tmp_path, tmp_path / "cache")
        catalog.snapshots()
        start = time.perf_counter()
        catalog.btf("6.1.0-56-amd64")
        best = min(best, time.perf_counter() - start)
    assert best < 0.001
