"""A kernel's BTF as an index file that opens in microseconds and is shared between processes.

The file holds the parts of `engine.btf.decode.Btf` in the order of this machine's bytes:

    header      magic, format version, byte-order mark, source byte order, counts, sha256,
                the first id of each kind
    words       the type section, u32 each
    offsets     the word offset of each type, u32 each
    hashes      a hash of the coarse key of each named type, ascending, u32 each
    ids         the ids of these types, those of one hash ascending, u32 each
    strings     the string section

A look-up touches few pages, so that dozens of kernels take little memory: a hash stands close to
where its size says, and only the types that have it are read.
"""

from __future__ import annotations

import mmap
import struct
from array import array
from pathlib import Path
from typing import Final

from engine.btf.decode import Btf, key_hash
from engine.btf.kinds import BtfKind, ByteOrder
from engine.errors import KernelFileError

FORMAT_VERSION: Final = 2
_MAGIC: Final = b"coreplay"
_ORDER_MARK: Final = 0x01020304
_KINDS: Final = len(BtfKind)
_HEADER: Final = struct.Struct(f"=8sIIIIIII32s{_KINDS}I")


def build_index(raw_btf: bytes) -> bytes:
    """Give the content of the index file for a raw .BTF section.

    Raises what `Btf.parse` raises. A split BTF has no index: it is parsed on its base.
    """
    btf = Btf.parse(raw_btf)
    keyed = sorted((key_hash(key), type_id) for type_id, key in btf.keyed_ids())
    hashes = array("I", (number for number, _ in keyed))
    ids = array("I", (type_id for _, type_id in keyed))
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
        *(btf.first_of(kind) for kind in BtfKind),
    )
    return b"".join((header, bytes(words), bytes(offsets), bytes(hashes), bytes(ids), strings))


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
    magic, version, mark, order, *counts, digest = _HEADER.unpack_from(mapped)[:-_KINDS]
    if (magic, version, mark) != (_MAGIC, FORMAT_VERSION, _ORDER_MARK):
        raise KernelFileError("this is no index of the present format", place=path.name)
    words, offsets, ids, strings = counts
    strings_at = _HEADER.size + 4 * (words + offsets + 2 * ids)
    if len(mapped) != strings_at + strings:
        raise KernelFileError("the index has the wrong length", place=path.name)
    table = memoryview(mapped)[_HEADER.size : strings_at].cast("I")
    byte_order: ByteOrder = "big" if order else "little"
    return Btf(
        words=table[:words],
        offsets=table[words : words + offsets],
        names=(table[words + offsets : -ids or None], table[-ids or len(table) :]),
        firsts=_HEADER.unpack_from(mapped)[-_KINDS:],
        blob=mapped,
        strings_at=strings_at,
        strings_len=strings,
        byte_order=byte_order,
        digest=digest.hex(),
    )
