"""The newest kernel that an archive really has, out of indexes that promise more."""

from __future__ import annotations

import hashlib
import lzma
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.errors import AppError
from app.sandbox.vm import archive as archive_module
from app.sandbox.vm.archive import NEWEST, fetch, offers, parse_index

KERNEL = b"a package" * 700_000
GONE = "pool/main/l/linux/gone.deb"


def paragraph(name: str, version: str, path: str, **fields: object) -> str:
    told = {
        "Package": name,
        "Version": version,
        "Filename": path,
        "Size": len(KERNEL),
        "SHA256": hashlib.sha256(KERNEL).hexdigest(),
        **fields,
    }
    return "".join(f"{key}: {value}\n" for key, value in told.items())


INDEX = "\n".join(
    (
        paragraph("linux-image-6.1.0-50-cloud-amd64", "6.1.150-1", "pool/old.deb"),
        paragraph("linux-image-6.1.0-56-cloud-amd64", "6.1.192-2", "pool/new.deb"),
        paragraph("linux-image-6.1.0-57-cloud-amd64-unsigned", "6.1.200-1", GONE),
        paragraph("linux-image-6.1.0-56-amd64", "6.1.192-2", "pool/generic.deb"),
        paragraph("linux-image-6.1.0-56-cloud-amd64-dbg", "6.1.192-2", "pool/debug.deb"),
        paragraph("linux-image-cloud-amd64", "6.1.192-2", "pool/meta.deb"),
        paragraph("linux-image-7.3.4+deb13-cloud-amd64", "7.3.4-1", "pool/empty.deb", Size=1500),
        paragraph("linux-binary-7.3.4+deb13-cloud-amd64", "7.3.4-1", "pool/binary.deb"),
        paragraph("linux-image-9.9.9-cloud-amd64", "9.9.9-1", "../../etc/passwd.deb"),
        paragraph("linux-image-9.9.8-cloud-amd64", "9.9.8-1", "pool/x.deb", SHA256="abc"),
        paragraph("bash", "5.2-1", "pool/bash.deb"),
    )
)


@pytest.fixture
def served(monkeypatch) -> Iterator[tuple[str, dict[str, bytes]]]:
    """An archive on this machine: its address, and its files, which a test may change."""
    files = {
        "/debian-security/dists/bookworm-security/main/binary-amd64/Packages.xz": lzma.compress(
            INDEX.encode()
        ),
        **{f"/debian-security/pool/{n}.deb": KERNEL for n in ("old", "new", "binary")},
    }

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            content = files.get(self.path)
            self.send_response(404 if content is None else 200)
            self.send_header("Content-Length", str(len(content or b"")))
            self.end_headers()
            self.wfile.write(content or b"")

        def log_message(self, *arguments: object) -> None:
            """Stay silent."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}", files
    server.shutdown()
    thread.join()
    server.server_close()


def test_the_newest_of_a_series_that_is_there(served, tmp_path):
    archive, _ = served
    found = offers("6.1", archive=archive)
    assert [offer.version for offer in found] == ["6.1.200-1", "6.1.192-2", "6.1.150-1"]
    offer, path = fetch(found, tmp_path)
    assert (offer.release, path.name) == ("6.1.0-56-cloud-amd64", "new.deb")
    assert path.read_bytes() == KERNEL
    assert [p.name for p in tmp_path.iterdir()] == ["new.deb"]


def test_a_release_comes_before_newer_ones(served):
    archive, _ = served
    found = offers("6.1", archive=archive, release="6.1.0-50-cloud-amd64")
    assert found[0].version == "6.1.150-1"


def test_the_newest_of_all(served):
    (first, *_) = offers(NEWEST, archive=served[0])
    assert (first.series, first.url.rpartition("/")[2]) == ("7.3", "binary.deb")


def test_what_was_fetched_is_not_fetched_again(served, tmp_path):
    archive, files = served
    found = offers("7.3", archive=archive)
    fetch(found, tmp_path)
    files.clear()
    assert fetch(found, tmp_path)[1].name == "binary.deb"


@pytest.mark.parametrize("content", [KERNEL[:-1], KERNEL + b"x", b"y" + KERNEL[1:]])
def test_what_the_index_does_not_promise_is_not_kept(served, tmp_path, content):
    archive, files = served
    files["/debian-security/pool/binary.deb"] = content
    with pytest.raises(AppError, match="not the file that the index promises") as caught:
        fetch(offers("7.3", archive=archive), tmp_path)
    assert caught.value.code == "vm-archive"
    assert list(tmp_path.iterdir()) == []


def test_a_series_that_is_not_offered(served, tmp_path):
    archive, files = served
    with pytest.raises(AppError, match=r"no kernel 4\.19") as caught:
        offers("4.19", archive=archive)
    assert caught.value.code == "vm-not-offered"
    found = offers("7.3", archive=archive)
    del files["/debian-security/pool/binary.deb"]
    with pytest.raises(AppError, match="their files are gone") as caught:
        fetch(found, tmp_path)
    assert caught.value.code == "vm-not-offered"


@pytest.mark.parametrize(
    ("index", "what"),
    [(b"no xz at all, none", "damaged"), (lzma.compress(INDEX.encode())[:-8], "cut off")],
)
def test_a_broken_index(served, index, what):
    archive, files = served
    files[next(iter(files))] = index
    with pytest.raises(AppError, match=what):
        offers("6.1", archive=archive)


def test_an_index_that_is_not_the_signed_one(served, monkeypatch):
    given = {}

    def signed(data, suite, index, say):
        given[suite] = index
        return "0" * 64

    monkeypatch.setattr(archive_module, "trusted_digest", signed)
    with pytest.raises(AppError, match="not the one that is signed"):
        offers("6.1", archive=served[0])
    assert given == {"bookworm-security": "main/binary-amd64/Packages.xz"}


def test_an_index_that_unpacks_without_end(served, monkeypatch):
    monkeypatch.setattr(archive_module, "_INDEX_UNPACKED", 100)
    with pytest.raises(AppError, match="larger than indexes are"):
        offers("6.1", archive=served[0])


def test_no_archive_at_all():
    with pytest.raises(AppError, match="cannot be reached") as caught:
        offers("6.1", archive="http://127.0.0.1:1")
    assert caught.value.code == "vm-archive"


@given(st.text(max_size=200))
def test_any_text_is_an_index(text):
    broken = INDEX.replace("6.1", text, 3)
    for offer in parse_index(broken, "https://archive"):
        assert offer.url.startswith("https://archive/")
        assert ".." not in offer.url
