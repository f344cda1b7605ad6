"""Reading .BTF lazily: a type is decoded when it is asked for.

One class serves the BTF of an object (parsed from bytes) and that of a kernel (an index file,
memory-mapped, see `engine.btf.index`). Both hold the same parts: the type section as native
32-bit words, the word offset of each type, and the string section.

    header   magic u16, version u8, flags u8, hdr_len, type_off, type_len, str_off, str_len
             (offsets count from the end of the header, byte hdr_len)
    type     name_off, info (bit 31 kind_flag, 24..30 kind, 0..23 vlen), size or type, tail

Source: Linux Documentation/bpf/btf.rst; the wide kind and vlen fields: libbpf 9801e029.
"""

from __future__ import annotations

import hashlib
import mmap
import struct
import sys
import zlib
from array import array
from bisect import bisect_left
from collections.abc import Collection, Sequence
from typing import Any, Final

from engine import limits
from engine.btf.kinds import KIND_OF, VOID, BtfKind, BtfType, ByteOrder, TypeId
from engine.btf.tails import decode_type, tail_words
from engine.errors import BtfDecodeError, BtfTypeError, LimitExceeded

MAGIC: Final = 0xEB9F
MIN_HEADER_BYTES: Final = 24
_TYPE_CACHE_ENTRIES: Final = 20_000
_HASHES_NEAR: Final = 1024
_LONG_NAMES: Final = frozenset(
    {"long", "long int", "int long", "unsigned long", "long unsigned", "unsigned long int"}
    | {"long unsigned int", "int long unsigned", "int unsigned long", "long int unsigned"}
    | {"unsigned int long"}
)
"""Ways to spell `long`; libbpf btf.c uses the first such integer to tell the pointer size."""


def coarse_key(name: bytes) -> bytes:
    """The part of a name that every loader's flavor rule keeps.

    Loaders cut `name___flavor` at different places, yet whatever they keep starts with this
    key, so one index serves them all: look up the key, then apply the loader's own rule.
    """
    return name.split(b"___", 1)[0].rstrip(b"_")


def key_hash(key: bytes) -> int:
    """Give 32 bits of a coarse key, the same in every process."""
    return zlib.crc32(key)


def place(hashes: memoryview, wanted: int) -> int:
    """Give the place of the first hash that is not below `wanted`.

    Hashes are spread evenly, so it is near where its size says; one look there spares most of
    the pages that a search would touch.
    """
    guess = len(hashes) * wanted >> 32
    low, high = max(guess - _HASHES_NEAR, 0), min(guess + _HASHES_NEAR, len(hashes))
    if (low and hashes[low - 1] >= wanted) or (high < len(hashes) and hashes[high] < wanted):
        low, high = 0, len(hashes)
    return bisect_left(hashes, wanted, low, high)


class Btf:
    """A type graph with ids from 0 (void) to `len(btf) - 1`; a split BTF includes its base.

    Build one with `Btf.parse` or `engine.btf.index.open_index`.
    """

    def __init__(
        self,
        *,
        words: array[int] | memoryview,
        offsets: array[int] | memoryview,
        blob: bytes | mmap.mmap,
        strings_at: int,
        strings_len: int,
        byte_order: ByteOrder,
        base: Btf | None = None,
        digest: str = "",
        names: tuple[memoryview, memoryview] | None = None,
        firsts: tuple[int, ...] | None = None,
    ) -> None:
        self._words = words
        self._offsets = offsets
        self._blob = blob
        self._strings_at = strings_at
        self._strings_len = strings_len
        self._strings_end = strings_at + strings_len
        self._names = names
        self._firsts = firsts
        self._key_map: dict[bytes, tuple[TypeId, ...]] | None = None
        self._types: dict[int, BtfType] = {}
        self._pointer_size = 0
        self._names_fit: bool | None = None
        self.byte_order: ByteOrder = byte_order
        self.base = base
        self.first_id = len(base) if base else 1
        self.first_string = base.string_bytes if base else 0
        self.sha256 = digest
        self.caches: dict[str, Any] = {}
        """Room for tables that other modules derive from this BTF, by the module's name."""

    @classmethod
    def parse(cls, data: bytes, *, base: Btf | None = None) -> Btf:
        """Read a raw .BTF section of either byte order; `base` makes it a split BTF.

        Raises BtfDecodeError with the byte offset, or LimitExceeded. Type references are
        checked when they are followed.
        """
        if len(data) > limits.BTF_BYTES:
            raise LimitExceeded(
                f"the BTF is {len(data)} bytes long; at most {limits.BTF_BYTES} are read",
                place=".BTF",
            )
        byte_order, type_at, type_len, str_at, str_len = _read_header(data)
        if base is None and str_len and data[str_at]:
            raise BtfDecodeError(
                "the string section does not start with an empty string",
                at=str_at,
                hint="The BTF of a kernel module extends its kernel's; it cannot stand alone.",
            )
        if base is not None and base.byte_order != byte_order:
            raise BtfDecodeError("the split BTF and its base have different byte orders", at=0)
        words = array("I", data[type_at : type_at + type_len])
        if byte_order != sys.byteorder:
            words.byteswap()
        return cls(
            words=words,
            offsets=_scan_types(words, type_at),
            blob=data,
            strings_at=str_at,
            strings_len=str_len,
            byte_order=byte_order,
            base=base,
            digest=hashlib.sha256(data).hexdigest(),
        )

    def __len__(self) -> int:
        """Number of ids, void and the base included."""
        return self.first_id + len(self._offsets)

    @property
    def string_bytes(self) -> int:
        """Length of the string section, the base's included."""
        return self.first_string + self._strings_len

    @property
    def pointer_size(self) -> int:
        """Bytes of a pointer: told by the first integer spelled as a `long`, else 8."""
        if not self._pointer_size:
            self._pointer_size = self.base.pointer_size if self.base else self._guess_pointer_size()
        return self._pointer_size

    def string(self, offset: int) -> str:
        """The string at `offset`; bytes that are not UTF-8 are shown as escapes."""
        start = self._strings_at + offset - self.first_string
        if self._strings_at <= start < self._strings_end:  # the usual case, without more calls
            end = self._blob.find(b"\0", start, self._strings_end)
            if 0 <= end - start <= limits.BTF_NAME_BYTES:
                return self._blob[start:end].decode("utf-8", "backslashreplace")
        return self._string_at(offset).decode("utf-8", "backslashreplace")

    def all_strings_readable(self, offsets: Collection[int]) -> bool:
        """Whether `string` answers for all these offsets; False where that takes longer to know."""
        first, size = self.first_string, self._strings_len
        if not offsets or not size or min(offsets) < first or max(offsets) >= first + size:
            return not offsets
        if self._names_fit is None:
            strings = self._blob[self._strings_at : self._strings_at + size]
            self._names_fit = size <= limits.BTF_NAME_BYTES or (
                max(map(len, strings.split(b"\0"))) <= limits.BTF_NAME_BYTES
            )
        return self._names_fit

    def kind(self, type_id: int) -> BtfKind:
        """The kind of a type, without decoding the rest."""
        if type_id == VOID:
            return BtfKind.VOID
        if self.base is not None and type_id < self.first_id:
            return self.base.kind(type_id)
        return KIND_OF[self._words[self._word_of(type_id) + 1] >> 24 & 0x7F]

    def name(self, type_id: int) -> str:
        """The name of a type, empty when it is anonymous."""
        return self._name_bytes(type_id).decode("utf-8", "backslashreplace")

    def type(self, type_id: int) -> BtfType:
        """Decode one type; raises BtfTypeError for an id outside the graph."""
        found = self._types.get(type_id)
        if found is not None:
            return found
        if self.base is not None and type_id < self.first_id:
            return self.base.type(type_id)
        if type_id == VOID:
            return BtfType(VOID, BtfKind.VOID, "void")
        if len(self._types) >= _TYPE_CACHE_ENTRIES:
            self._types.clear()
        decoded = decode_type(self._words, self._word_of(type_id), TypeId(type_id), self.string)
        self._types[type_id] = decoded
        return decoded

    def word_behind(self, type_id: int) -> int:
        """The word that follows the three common words of a type, 0 past the end.

        It belongs to the type's tail or, where the kind has none, to the next type; some old
        loaders read it without looking at the kind.
        """
        if self.base is not None and type_id < self.first_id:
            return self.base.word_behind(type_id)
        at = self._word_of(type_id) + 3
        return self._words[at] if at < len(self._words) else 0

    def candidate_ids(self, key: bytes) -> tuple[TypeId, ...]:
        """Ids of this BTF's own named types with this `coarse_key`, ascending."""
        if self._names is None:
            if self._key_map is None:
                self._key_map = self._build_key_map()
            return self._key_map.get(key, ())
        hashes, ids = self._names
        wanted = key_hash(key)
        start = stop = place(hashes, wanted)
        while stop < len(hashes) and hashes[stop] == wanted:
            stop += 1
        return tuple(TypeId(number) for number in ids[start:stop] if self._key_of(number) == key)

    def first_of(self, kind: BtfKind) -> int:
        """The lowest of this BTF's own ids with this kind, 0 where there is none."""
        if self._firsts is None:
            words, firsts = self._words, [0] * len(BtfKind)
            for type_id, offset in enumerate(self._offsets, self.first_id):
                found = words[offset + 1] >> 24 & 0x7F
                firsts[found] = firsts[found] or type_id
            self._firsts = tuple(firsts)
        return self._firsts[kind]

    def ids_named(self, name: str) -> tuple[TypeId, ...]:
        """Ids of all types with exactly this name, the base's first, ascending."""
        wanted = name.encode("utf-8", "surrogatepass")
        own = tuple(
            type_id
            for type_id in self.candidate_ids(coarse_key(wanted))
            if self._name_bytes(type_id) == wanted
        )
        return self.base.ids_named(name) + own if self.base else own

    def _word_of(self, type_id: int) -> int:
        index = type_id - self.first_id
        if not 0 <= index < len(self._offsets):
            raise BtfTypeError(
                f"type id {type_id} does not exist; the BTF has ids up to {len(self) - 1}",
                place=f"type [{type_id}] of .BTF",
            )
        return self._offsets[index]

    def _name_bytes(self, type_id: int) -> bytes:
        if type_id == VOID:
            return b"void"
        if self.base is not None and type_id < self.first_id:
            return self.base._name_bytes(type_id)
        return self._string_at(self._words[self._word_of(type_id)])

    def _key_of(self, type_id: int) -> bytes:
        return coarse_key(self._name_bytes(type_id))

    def _string_at(self, offset: int) -> bytes:
        if self.base is not None and offset < self.first_string:
            return self.base._string_at(offset)
        local = offset - self.first_string
        if not 0 <= local < max(self._strings_len, 1):
            raise BtfDecodeError(
                f"string offset {offset:#x} is outside the {self.string_bytes} bytes of strings",
                at=self._strings_at,
            )
        start = self._strings_at + local
        end = self._blob.find(b"\0", start, self._strings_end)
        if end < 0:
            end = self._strings_end
        if end - start > limits.BTF_NAME_BYTES:
            raise LimitExceeded(
                f"a name is longer than {limits.BTF_NAME_BYTES} bytes",
                place=f"string {offset:#x} of .BTF",
            )
        return self._blob[start:end]

    def _build_key_map(self) -> dict[bytes, tuple[TypeId, ...]]:
        found: dict[bytes, list[TypeId]] = {}
        for type_id, key in self.keyed_ids():
            found.setdefault(key, []).append(type_id)
        return {key: tuple(ids) for key, ids in found.items()}

    def keyed_ids(self) -> list[tuple[TypeId, bytes]]:
        """(id, coarse key) of this BTF's own named types, by id."""
        keys: dict[int, bytes] = {}
        found = []
        words = self._words
        for index, offset in enumerate(self._offsets):
            name_offset = words[offset]
            if not name_offset:
                continue
            key = keys.get(name_offset)
            if key is None:
                key = keys[name_offset] = coarse_key(self._string_at(name_offset))
            found.append((TypeId(self.first_id + index), key))
        return found

    def parts(self) -> tuple[array[int], array[int], bytes]:
        """This BTF's own words, word offsets and strings, for writing them elsewhere."""
        strings = self._blob[self._strings_at : self._strings_at + self._strings_len]
        return _copied(self._words), _copied(self._offsets), strings

    def _guess_pointer_size(self) -> int:
        for offset in self._offsets[:4096]:
            if self._words[offset + 1] >> 24 & 0x7F == BtfKind.INT:
                size = self._words[offset + 2]
                if size in (4, 8) and self.string(self._words[offset]) in _LONG_NAMES:
                    return size
        return 8


def _copied(words: array[int] | memoryview) -> array[int]:
    copy = array("I")
    copy.frombytes(memoryview(words).cast("B"))
    return copy


def _read_header(data: bytes) -> tuple[ByteOrder, int, int, int, int]:
    """Give byte order, then start and length of types and of strings, as bytes of `data`."""
    if len(data) < MIN_HEADER_BYTES:
        raise BtfDecodeError(f"the section is {len(data)} bytes long, too short for a header", at=0)
    if struct.unpack_from("<H", data)[0] == MAGIC:
        byte_order: ByteOrder = "little"
    elif struct.unpack_from(">H", data)[0] == MAGIC:
        byte_order = "big"
    else:
        raise BtfDecodeError(f"the section starts with {data[:2].hex()}, not BTF's magic", at=0)
    prefix = "<" if byte_order == "little" else ">"
    version, hdr_len, type_off, type_len, str_off, str_len = struct.unpack_from(
        prefix + "2xBxIIIII", data
    )
    if version != 1:
        raise BtfDecodeError(f"BTF version {version} is not known; only 1 is", at=2)
    if hdr_len < MIN_HEADER_BYTES or hdr_len > len(data):
        raise BtfDecodeError(f"header length {hdr_len} is impossible", at=4)
    body = len(data) - hdr_len
    if type_off % 4 or type_len % 4:
        raise BtfDecodeError("the type section is not aligned to 4 bytes", at=8)
    if type_off + type_len > body:
        raise BtfDecodeError(f"types end at {type_off + type_len:#x}, after the section", at=8)
    if str_off + str_len > body or type_off + type_len > str_off:
        raise BtfDecodeError("the string section overlaps the types or leaves the section", at=16)
    if str_len and data[hdr_len + str_off + str_len - 1]:
        raise BtfDecodeError("the string section does not end in a NUL", at=16)
    return byte_order, hdr_len + type_off, type_len, hdr_len + str_off, str_len


def _scan_types(words: Sequence[int], type_at: int) -> array[int]:
    """Find the word offset of every type; `type_at` is the byte at which types start."""
    offsets = array("I")
    append = offsets.append
    tails = tail_words()
    position, end = 0, len(words)
    while position < end:
        if position + 3 > end:
            raise BtfDecodeError("the last type is cut off", at=type_at + position * 4)
        info = words[position + 1]
        tail = tails.get(info >> 24 & 0x7F)
        if tail is None:
            raise BtfDecodeError(
                f"type [{len(offsets) + 1}] has kind {info >> 24 & 0x7F}, which is not known",
                at=type_at + position * 4 + 4,
                hint="Newer BTF kinds need a newer coreplay.",
            )
        append(position)
        position += 3 + tail[0] + tail[1] * (info & 0xFFFFFF)
        if position > end:
            raise BtfDecodeError(
                f"type [{len(offsets)}] claims {info & 0xFFFFFF} entries and leaves the section",
                at=type_at + offsets[-1] * 4 + 4,
            )
    if len(offsets) > limits.BTF_TYPES:
        raise LimitExceeded(
            f"the BTF has {len(offsets)} types; at most {limits.BTF_TYPES} are read", place=".BTF"
        )
    return offsets
