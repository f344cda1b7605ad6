"""The newest kernel of a series that Debian's public archive offers, and fetching it.

Point releases vanish from an archive, and now and then an index names a file that is gone: so
all that an index offers is tried, the newest first. Small indexes (security, backports) come
before those of whole releases. Only the cloud flavour is taken: it is small and has no drivers.

Source of the format: https://wiki.debian.org/DebianRepository/Format, section "Packages" Indices.
"""

from __future__ import annotations

import hashlib
import lzma
import os
import re
import urllib.error
import urllib.request
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Final

from app.errors import AppError
from app.sandbox.vm.archive_trust import IN_RELEASE_BYTES, trusted_digest
from engine import limits

ARCHIVE: Final = "https://deb.debian.org"
SUITES: Final = (
    ("debian-security", "bullseye-security"),
    ("debian-security", "bookworm-security"),
    ("debian-security", "trixie-security"),
    ("debian", "bookworm-backports"),
    ("debian", "trixie-backports"),
)
LARGE_SUITES: Final = (
    ("debian", "bullseye"),
    ("debian", "bookworm"),
    ("debian", "trixie"),
    ("debian", "sid"),
)
"""Asked only when the small ones have nothing: 10 MB each."""
NEWEST: Final = "newest"

_PACKAGE: Final = re.compile(
    r"linux-(?:image|binary)-(?P<release>\d+\.\d+[^ ]*-cloud-amd64)(?:-unsigned)?"
)
_INDEX: Final = "main/binary-amd64/Packages.xz"
_INDEX_BYTES: Final = 32 << 20
_INDEX_UNPACKED: Final = 256 << 20
_SMALLEST: Final = 5 << 20
"""From 6.19 on linux-image-* are empty wrappers of linux-binary-*."""
_TRIES: Final = 6
_SECONDS: Final = 30.0
_CHUNK: Final = 1 << 18

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Offer:
    """One package of an index."""

    release: str
    """`6.1.0-56-cloud-amd64`."""
    version: str
    """`6.1.192-2`: of Debian's package; it begins with the version of Linux."""
    url: str
    size: int
    sha256: str

    @property
    def series(self) -> str:
        """`6.1`."""
        return ".".join(re.findall(r"\d+", self.version)[:2])

    def sort_key(self) -> tuple[object, ...]:
        """Order by version, number by number, then by address."""
        return ([int(number) for number in re.findall(r"\d+", self.version)], self.url)


def offers(
    series: str, *, archive: str = ARCHIVE, say: Say = lambda _: None, release: str | None = None
) -> tuple[Offer, ...]:
    """Give what the archive offers of a series (`6.1`), the newest first; all for `newest`.

    A `release` comes before everything else. Raises AppError `vm-archive` or `vm-not-offered`.
    """
    for suites in (SUITES, LARGE_SUITES):
        found: dict[str, Offer] = {}
        for part, suite in suites:
            say(f"reading what {suite} offers")
            for offer in _index(f"{archive}/{part}", suite, say):
                if series in (NEWEST, offer.series):
                    found[offer.url] = offer
        if found:
            newest = sorted(found.values(), key=Offer.sort_key, reverse=True)
            return tuple(sorted(newest, key=lambda offer: offer.release != release))
    raise AppError(
        f"Debian's archive has no kernel {series} for clouds",
        code="vm-not-offered",
        hint="It has 5.10, 6.1, 6.12 and some newer ones; or give the file of a package.",
    )


def fetch(chosen: Iterable[Offer], folder: Path, say: Say = lambda _: None) -> tuple[Offer, Path]:
    """Fetch the first of the offers that is there, into a folder; its SHA-256 is checked.

    A file that was fetched before is taken as it is. Raises AppError `vm-archive`,
    `vm-not-offered`.
    """
    missing = 0
    for offer in list(chosen)[:_TRIES]:
        path = folder / offer.url.rpartition("/")[2]
        if path.is_file() and _digest(path) == offer.sha256:
            return offer, path
        say(f"fetching {path.name} ({offer.size / 1e6:.1f} MB)")
        try:
            with _open(offer.url) as answer:
                _receive(answer, offer, path)
        except FileNotFoundError:
            missing += 1
            continue
        return offer, path
    raise AppError(
        f"the archive's index names {missing} kernels, but their files are gone",
        code="vm-not-offered",
        hint="Try another series, or give the file of a package.",
    )


def _receive(answer: IO[bytes], offer: Offer, path: Path) -> None:
    """Write what comes to a file that has its name only when all of it is right."""
    if offer.size > limits.KERNEL_PACKAGE_BYTES:
        raise _broken(f"{path.name} is said to have {offer.size} bytes")
    part = path.with_name(f".{path.name}.{os.getpid()}")
    digest, size = hashlib.sha256(), 0
    try:
        with part.open("wb") as file:
            while chunk := answer.read(_CHUNK):
                size += len(chunk)
                if size > offer.size:
                    break
                digest.update(chunk)
                file.write(chunk)
        if size != offer.size or digest.hexdigest() != offer.sha256:
            raise _broken(f"{path.name} is not the file that the index promises")
        os.replace(part, path)
    except OSError as error:
        raise _broken(f"{path.name} was not received: {error}") from error
    finally:
        part.unlink(missing_ok=True)


def _index(base: str, suite: str, say: Say) -> Iterator[Offer]:
    """Give the kernels of one suite; nothing where it has no index. Raises AppError."""
    folder = f"{base}/dists/{suite}"
    packed = _small(f"{folder}/{_INDEX}", _INDEX_BYTES)
    if packed is None:
        return
    signed = _small(f"{folder}/InRelease", IN_RELEASE_BYTES)
    digest = trusted_digest(signed, suite, _INDEX, say)
    if digest is not None and hashlib.sha256(packed).hexdigest() != digest:
        raise _broken(f"the index of {suite} is not the one that is signed")
    unpacker = lzma.LZMADecompressor(lzma.FORMAT_XZ)
    try:
        text = unpacker.decompress(packed, _INDEX_UNPACKED).decode("utf-8", "replace")
    except lzma.LZMAError as error:
        raise _broken(f"the index of {suite} is damaged: {error}") from error
    if not unpacker.eof:
        raise _broken(f"the index of {suite} is cut off, or larger than indexes are")
    yield from parse_index(text, base)


def parse_index(text: str, base: str) -> Iterator[Offer]:
    """Give the kernels that an index names and that can be guests."""
    for start in re.finditer(r"^Package: linux-(?:image|binary)-\d", text, re.MULTILINE):
        paragraph = text[start.start() : text.find("\n\n", start.start())]
        fields = dict(re.findall(r"^([A-Za-z0-9-]+): (.*)$", paragraph, re.MULTILINE))
        name = _PACKAGE.fullmatch(fields.get("Package", ""))
        size, path = fields.get("Size", ""), fields.get("Filename", "")
        sha256 = fields.get("SHA256", "")
        wrong = (
            name is None
            or not re.fullmatch(r"\d{1,12}", size)
            or not re.fullmatch(r"[0-9a-f]{64}", sha256)
            or not re.fullmatch(r"[\w.+~/-]+\.deb", path, re.ASCII)
        )
        if name is None or wrong or int(size) < _SMALLEST or ".." in path:
            continue
        yield Offer(name["release"], fields.get("Version", ""), f"{base}/{path}", int(size), sha256)


def _small(url: str, limit: int) -> bytes | None:
    """Give a file's bytes, at most one more than `limit`; None where it is not there."""
    try:
        with _open(url) as answer:
            return answer.read(limit + 1)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise _broken(f"{url} was not received: {error}") from error


def _open(url: str) -> IO[bytes]:
    """Open an address; raises FileNotFoundError for what is not there, AppError else."""
    try:
        answer: IO[bytes] = urllib.request.urlopen(url, timeout=_SECONDS)  # noqa: S310 - https only
    except urllib.error.HTTPError as error:
        error.close()
        if error.code in (403, 404, 410):
            raise FileNotFoundError(url) from error
        raise _broken(f"{url} gives status {error.code}") from error
    except (OSError, ValueError) as error:
        raise _broken(f"{url} cannot be reached: {error}") from error
    return answer


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _broken(what: str) -> AppError:
    return AppError(
        what, code="vm-archive", hint="Try again, or give the file of a package: vm add FILE.deb."
    )
