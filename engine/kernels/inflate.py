"""Streaming decompression with a bound, into memory-mapped temporary files.

Kernel images are large (a vmlinux with debug data has 590 MB) and may be hostile, so nothing
is unpacked into memory as a whole: chunks go to an unlinked temporary file that is mapped.
"""

from __future__ import annotations

import lzma
import mmap
import struct
import tempfile
import zlib
from collections.abc import Callable, Iterable, Iterator
from typing import Final

import lz4.block
import zstandard

from engine.errors import KernelFileError

Image = bytes | mmap.mmap
"""Bytes that can be searched and sliced; large ones are mapped files."""

FETCH_AGAIN: Final = "The file is incomplete or damaged: fetch it again."
CHUNK: Final = 1 << 20
_XZ_MEMORY: Final = 256 << 20
_LZ4_BLOCK: Final = 8 << 20
"""Unpacked size of a block in `lz4 -l` format: kernel lib/decompress_unlz4.c."""
_LZ4_PACKED: Final = _LZ4_BLOCK + _LZ4_BLOCK // 255 + 16
_ZSTD_FEED: Final = 1 << 10
"""Input of one step: 4 bytes make at most 128 KiB, so a step gives 32 MiB at most."""
_FAILURES: Final = (lzma.LZMAError, zlib.error, zstandard.ZstdError, lz4.block.LZ4BlockError)

MAGICS: Final[tuple[tuple[bytes, str], ...]] = (
    (b"\xfd7zXZ\0", "xz"),
    (b"\x28\xb5\x2f\xfd", "zstd"),
    (b"\x1f\x8b\x08", "gzip"),
    (b"\x02\x21\x4c\x18", "lz4"),
)
"""First bytes of each compressed stream that is understood; lz4 is the legacy frame."""


def compression_of(head: bytes) -> str | None:
    """Name the compression whose magic `head` starts with, or None."""
    return next((name for magic, name in MAGICS if head.startswith(magic)), None)


def inflate(kind: str, packed: memoryview, *, place: str) -> Iterator[bytes]:
    """Unpack one stream, about `CHUNK` bytes of output at a time; bytes after it are ignored.

    `kind` is a name from `MAGICS`. Raises KernelFileError when the stream is damaged or ends
    early. (lz4 yields whole blocks of 8 MiB, zstd up to 32 MiB for a stream made to be a bomb.)
    """
    try:
        yield from _INFLATERS[kind](packed, place)
    except _FAILURES as error:
        raise KernelFileError(
            f"the {kind} stream is damaged: {error}", place=place, hint=FETCH_AGAIN
        ) from error


def spool(chunks: Iterable[bytes], limit: int, *, place: str) -> Image:
    """Collect chunks in an unlinked temporary file and map it; more than `limit` bytes raise."""
    total = 0
    try:
        with tempfile.TemporaryFile(prefix="coreplay-") as file:
            for chunk in chunks:
                total += len(chunk)
                if total > limit:
                    raise too_large(limit, place)
                file.write(chunk)
            file.flush()
            return mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) if total else b""
    except OSError as error:
        raise KernelFileError(
            f"unpacking failed: {error}",
            place=place,
            hint="Unpacking a kernel needs room in the temporary folder (TMPDIR).",
        ) from error


def too_large(limit: int, place: str) -> KernelFileError:
    """Give the error for something that unpacks to more than `limit` bytes."""
    return KernelFileError(
        f"this unpacks to more than {limit >> 20} MiB, the most that is read",
        place=place,
        hint="No kernel is that large; give the package or the .btf file itself.",
    )


class ChunkReader:
    """A `read(n)` over an iterator of chunks, for tarfile; more than `limit` bytes raise."""

    def __init__(self, chunks: Iterator[bytes], limit: int, place: str) -> None:
        self._chunks = chunks
        self._left = limit
        self._limit = limit
        self._place = place
        self._buffer = b""
        self._at = 0

    def read(self, size: int) -> bytes:
        """Give up to `size` bytes: fewer only at the end of a chunk, none at the end of all."""
        if self._at >= len(self._buffer):
            self._buffer, self._at = next(self._chunks, b""), 0
            self._left -= len(self._buffer)
            if self._left < 0:
                raise too_large(self._limit, self._place)
        found = self._buffer[self._at : self._at + size]
        self._at += len(found)
        return found


def _cut_off(kind: str, place: str) -> KernelFileError:
    return KernelFileError(f"the {kind} stream ends early", place=place, hint=FETCH_AGAIN)


def _inflate_xz(packed: memoryview, place: str) -> Iterator[bytes]:
    stream = lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=_XZ_MEMORY)
    at = 0
    while not stream.eof:
        feed = b""
        if stream.needs_input:
            feed = bytes(packed[at : at + CHUNK])
            at += len(feed)
            if not feed:
                raise _cut_off("xz", place)
        if chunk := stream.decompress(feed, CHUNK):
            yield chunk


def _inflate_gzip(packed: memoryview, place: str) -> Iterator[bytes]:
    stream = zlib.decompressobj(wbits=31)
    at = 0
    while not stream.eof:
        feed = stream.unconsumed_tail
        if not feed:
            feed = bytes(packed[at : at + CHUNK])
            at += len(feed)
        chunk = stream.decompress(feed, CHUNK)
        if not feed and not chunk:
            raise _cut_off("gzip", place)
        if chunk:
            yield chunk


def _inflate_zstd(packed: memoryview, place: str) -> Iterator[bytes]:
    # max_window_size 0 is libzstd's default, 128 MiB: what `zstd -22 --ultra` of a kernel needs.
    stream = zstandard.ZstdDecompressor(max_window_size=0).decompressobj()
    at = 0
    while not stream.eof:
        feed = packed[at : at + _ZSTD_FEED]
        at += len(feed)
        if not feed:
            raise _cut_off("zstd", place)
        if chunk := stream.decompress(feed):
            yield chunk


def _inflate_lz4(packed: memoryview, place: str) -> Iterator[bytes]:
    """Unpack the legacy frame: magic, then (packed size u32, block) until the data ends.

    A bzImage has the unpacked size, u32, after the last block; it is told from a block's size
    by nothing following it.
    """
    at = 4
    while len(packed) - at > 4:
        (size,) = struct.unpack_from("<I", packed, at)
        at += 4
        if not size:
            break
        if size > _LZ4_PACKED or size > len(packed) - at:
            raise _cut_off("lz4", place)
        yield lz4.block.decompress(packed[at : at + size], uncompressed_size=_LZ4_BLOCK)
        at += size
    if at == 4:
        raise _cut_off("lz4", place)


_INFLATERS: Final[dict[str, Callable[[memoryview, str], Iterator[bytes]]]] = {
    "xz": _inflate_xz,
    "gzip": _inflate_gzip,
    "zstd": _inflate_zstd,
    "lz4": _inflate_lz4,
}
