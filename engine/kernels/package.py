"""Reading the files in a Debian package or a tar archive as a stream, with bounds.

A .deb is an ar archive of `debian-binary`, `control.tar.*` and `data.tar.*`: see deb(5). Names
in it only choose what to read; nothing is written under them.
"""

from __future__ import annotations

import re
import tarfile
from collections.abc import Iterator
from typing import IO, Final

from engine import limits
from engine.errors import KernelFileError
from engine.kernels.inflate import (
    CHUNK,
    FETCH_AGAIN,
    ChunkReader,
    Image,
    compression_of,
    inflate,
    spool,
)

AR_MAGIC: Final = b"!<arch>\n"
_AR_HEADER: Final = 60
_AR_MEMBERS: Final = 64
_TAR_MEMBERS: Final = 100_000
_TAR_NAME_BYTES: Final = 64 << 10
"""A pax header or a GNU long name; tarfile reads these into memory."""
_CONTROL_BYTES: Final = 4 << 20
_NAMES: Final = frozenset({tarfile.XHDTYPE, tarfile.XGLTYPE, tarfile.SOLARIS_XHDTYPE}) | {
    tarfile.GNUTYPE_LONGNAME,
    tarfile.GNUTYPE_LONGLINK,
}


class _BoundedTarInfo(tarfile.TarInfo):
    """A header whose size is checked before tarfile acts on it."""

    def _proc_member(self, archive: tarfile.TarFile) -> tarfile.TarInfo:
        """Act on this header; raises KernelFileError for an impossible size.

        Every version of tarfile calls this entry point, which its source offers to subclasses;
        newer ones pass `frombuf` by.
        """
        if self.size < 0 or (self.type in _NAMES and self.size > _TAR_NAME_BYTES):
            raise KernelFileError(
                f"a tar header claims {self.size} bytes",
                place=f"block {self.name!r}",
                hint=FETCH_AGAIN,
            )
        info: tarfile.TarInfo = super()._proc_member(archive)  # type: ignore[misc]  # not in typeshed
        return info


def ar_members(image: Image, *, place: str) -> dict[str, memoryview]:
    """Give the members of an ar archive by name, as views; raises KernelFileError."""
    view = memoryview(image)
    found: dict[str, memoryview] = {}
    at = len(AR_MAGIC)
    while at < len(view) and len(found) < _AR_MEMBERS:
        header = bytes(view[at : at + _AR_HEADER])
        size = header[48:58].strip()
        if len(header) < _AR_HEADER or header[58:] != b"`\n" or not re.fullmatch(rb"\d+", size):
            raise KernelFileError(
                "the package has a broken member header",
                place=f"{place}, byte {at:#x}",
                hint=FETCH_AGAIN,
            )
        at += _AR_HEADER
        if int(size) > len(view) - at:
            raise KernelFileError(
                "the package is cut off", place=f"{place}, byte {at:#x}", hint=FETCH_AGAIN
            )
        name = header[:16].decode("ascii", "replace").strip().rstrip("/")
        found[name] = view[at : at + int(size)]
        at += int(size) + int(size) % 2
    return found


def tar_files(
    packed: memoryview, *, place: str, limit: int
) -> Iterator[tuple[str, tarfile.TarInfo, IO[bytes]]]:
    """Walk the regular files of a tar archive, compressed or not: name, header, content.

    The content must be read before the next file is asked for. At most `limit` unpacked bytes
    are read. Raises KernelFileError for whatever is wrong with the archive.
    """
    kind = compression_of(bytes(packed[:8]))
    chunks = inflate(kind, packed, place=place) if kind else _plain(packed)
    reader = ChunkReader(chunks, limit, place)
    try:
        with tarfile.open(fileobj=reader, mode="r|", tarinfo=_BoundedTarInfo) as archive:  # type: ignore[call-overload]  # a reader needs no more than read()
            for count, member in enumerate(archive):
                if count >= _TAR_MEMBERS:
                    raise KernelFileError(
                        f"more than {_TAR_MEMBERS} files", place=place, hint=FETCH_AGAIN
                    )
                content = archive.extractfile(member) if member.isreg() else None
                if content is not None:
                    yield member.name.removeprefix("./"), member, content
    except (tarfile.TarError, OSError, EOFError, ValueError, OverflowError) as error:
        raise KernelFileError(
            f"the tar archive is damaged: {error}", place=place, hint=FETCH_AGAIN
        ) from error


def spool_file(content: IO[bytes], *, place: str) -> Image:
    """Unpack one file of a tar archive into a mapped temporary file."""
    return spool(iter(lambda: content.read(CHUNK), b""), limits.KERNEL_IMAGE_BYTES, place=place)


def control_fields(members: dict[str, memoryview], *, place: str) -> dict[str, str]:
    """Give the one-line fields of a package's control file, empty when there is none."""
    name = next((name for name in members if name.startswith("control.tar")), None)
    if name is None:
        return {}
    where = f"{place}, {name}"
    for path, member, content in tar_files(members[name], place=where, limit=_CONTROL_BYTES):
        if path == "control" and member.size <= _TAR_NAME_BYTES:
            text = content.read().decode("utf-8", "replace")
            return dict(re.findall(r"^([A-Za-z-]+):[ \t]*(.*?)[ \t]*$", text, re.MULTILINE))
    return {}


def _plain(view: memoryview) -> Iterator[bytes]:
    for at in range(0, len(view), CHUNK):
        yield bytes(view[at : at + CHUNK])
