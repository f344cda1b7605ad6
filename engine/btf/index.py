"""A kernel's BTF as an index file that opens in microseconds and is shared between processes.

The file holds the parts of `engine.btf.decode.Btf` in the order of this machine's bytes:

    header      magic, format version, byte-order mark, source byte order, counts, sha256
    words       the type section, u32 each
    offsets     the word offset of each type, u32 each
    ids by key  ids of named types sorted by (coarse key, id), u32 each
    strings     the string section
"""

from __future__ import annotations

import mmap
import struct
from array import array
from pathlib import Path
from typing import Final

from engine.btf.decode import Btf
from engine.btf.kinds import ByteOrder
from engine.errors import KernelFileError

FORMAT_VERSION: Final = 1
_MAGIC: Final = b"coreplay"
_ORDER_MARK: Final = 0x01020304
_HEADER: Final = struct.Struct("=8sIIIIIII32s")


def build_index(raw_btf: bytes) -> bytes:
    """Give the content of the index file for a raw .BTF section.

    Raises what `Btf.parse` raises. A split BTF has no index: it is parsed on its base.
    """
    btf = Btf.parse(raw_btf)
    ids = array("I", (type_id for type_id, _ in sorted(btf.keyed_ids(), key=_by_key)))
    words, offsets, strings = btf.parts()
    header = _HEADER.pack(
        _MAGIC,
        FORMAT_VERSION,
        _ORDER_MARK,
        0 if btf.byte_order == "little" else 1,
        len(words),
        len(offsets),
        len(ids),
        len(strings),
        bytes.fromhex(btf.sha256),
    )
    return b"".join((header, bytes(words), bytes(offsets), ids.tobytes(), strings))


def _by_key(row: tuple[int, bytes]) -> tuple[bytes, int]:
    return row[1], row[0]


def open_index(path: Path) -> Btf:
    """Map an index file; nothing is read until it is asked for.

    Raises KernelFileError when the file is not an index of this format version and byte order.
    """
    try:
        with path.open("rb") as file:
            mapped = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    except (OSError, ValueError) as error:
        raise KernelFileError(f"the index cannot be mapped: {error}", place=path.name) from error
    if len(mapped) < _HEADER.size:
        raise KernelFileError("the index is cut off", place=path.name)
    magic, version, mark, order, words, offsets, ids, strings, digest = _HEADER.unpack_from(mapped)
    if (magic, version, mark) != (_MAGIC, FORMAT_VERSION, _ORDER_MARK):
        raise KernelFileError("this is no index of the present format", place=path.name)
    strings_at = _HEADER.size + 4 * (words + offsets + ids)
    if len(mapped) != strings_at + strings:
        raise KernelFileError("the index has the wrong length", place=path.name)
    table = memoryview(mapped)[_HEADER.size : strings_at].cast("I")
    byte_order: ByteOrder = "big" if order else "little"
    return Btf(
        words=table[:words],
        offsets=table[words : words + offsets],
        ids_by_key=table[words + offsets :],
        blob=mapped,
        strings_at=strings_at,
        strings_len=strings,
        byte_order=byte_order,
        digest=digest.hex(),
    )
