"""Fitting a module that was built outside of the kernel's tree to the kernel that loads it.

Such a module brings the types of vmlinux that its own refer to, as a small base of its own in
.BTF.base: names, kinds and sizes, without members ("distilled"). The kernel that loads it finds
each of them among its types by name, and rewrites ids and names in the module's .BTF, which is
then split BTF on vmlinux like that of any other module.

Follows: libbpf src/btf_relocate.c btf_relocate @ v1.7.0, which Linux compiles as well since 6.11.
"""

from __future__ import annotations

import struct
import sys
from array import array
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Final

from engine import limits
from engine.btf.decode import Btf
from engine.btf.encode_type import PREFIX
from engine.btf.kinds import COMPOSITE_KINDS, MODIFIER_KINDS, BtfKind, BtfType
from engine.errors import KernelFileError

_DISTILLED: Final = frozenset(
    {BtfKind.INT, BtfKind.FLOAT, BtfKind.ENUM, BtfKind.STRUCT, BtfKind.UNION, BtfKind.FWD}
)
_SIZED: Final = frozenset({BtfKind.INT, BtfKind.FLOAT, BtfKind.ENUM, BtfKind.ENUM64})
"""Kinds of the kernel that must have the distilled type's size, too."""
_MATCHED: Final = _DISTILLED | {BtfKind.ENUM64}
_PASSED: Final = MODIFIER_KINDS | {BtfKind.TYPEDEF, BtfKind.ARRAY}
"""What may stand between a member and a struct that it embeds."""
_REFERS: Final[frozenset[int]] = MODIFIER_KINDS | frozenset(
    {BtfKind.PTR, BtfKind.TYPEDEF, BtfKind.FUNC, BtfKind.FUNC_PROTO, BtfKind.VAR, BtfKind.DECL_TAG}
)
"""Kinds whose third word is a type id."""
_ROWS: Final[dict[int, tuple[int, int | None, int | None]]] = {
    BtfKind.STRUCT: (3, 0, 1),
    BtfKind.UNION: (3, 0, 1),
    BtfKind.FUNC_PROTO: (2, 0, 1),
    BtfKind.DATASEC: (3, None, 0),
    BtfKind.ENUM: (2, 0, None),
    BtfKind.ENUM64: (3, 0, None),
}
"""Words of an entry, and which of them are its name and its type id."""


def fit_to_kernel(split: bytes, distilled: bytes, kernel: Btf) -> bytes:
    """Give a module's .BTF as split BTF on `kernel`; `distilled` is its .BTF.base.

    Raises KernelFileError where the kernel lacks a type or has several that fit, and what
    `Btf.parse` raises for either section.
    """
    base = Btf.parse(distilled)
    own = Btf.parse(split, base=base)
    if own.byte_order != kernel.byte_order:
        raise _unfit("it has another byte order")
    words = _Fitting(own, base, kernel).fitted()
    if own.byte_order != sys.byteorder:
        words.byteswap()
    header, start, length = struct.unpack_from(f"{PREFIX[own.byte_order]}4xIII", split)
    start += header
    return b"".join((split[:start], words.tobytes(), split[start + length :]))


@dataclass(slots=True)
class _Fitting:
    """One module; `ids` and `names` lead from the distilled base to the kernel."""

    own: Btf
    base: Btf
    kernel: Btf
    ids: dict[int, int] = field(default_factory=lambda: {0: 0})
    names: dict[int, int] = field(default_factory=lambda: {0: 0})
    name_of: Callable[[int], int] = field(init=False)
    distilled_name_of: Callable[[int], int] = field(init=False)

    def __post_init__(self) -> None:
        self.name_of = _name_offsets(self.kernel)
        self.distilled_name_of = _name_offsets(self.base)

    def fitted(self) -> array[int]:
        """The module's words with the kernel's ids and names."""
        self._check()
        self._match()
        words, offsets, _ = self.own.parts()
        for at in offsets:
            for place in _name_places(words, at):
                words[place] = self._name(words[place])
            for place in _id_places(words, at):
                words[place] = self._id(words[place])
        return words

    def _check(self) -> None:
        """A distilled base has nothing but named numbers, enums, structs and unions."""
        for type_id in range(1, len(self.base)):
            kind = self.base.kind(type_id)
            if kind not in _DISTILLED:
                raise self._misfit(type_id, f"is of kind {kind.word}, which has no place there")
            if not self.distilled_name_of(type_id):
                raise self._misfit(type_id, "has no name")

    def _match(self) -> None:
        wanted: dict[str, list[BtfType]] = {}
        for type_id in range(1, len(self.base)):
            wanted.setdefault(self.base.name(type_id), []).append(self.base.type(type_id))
        embedded = frozenset(self._embedded())
        for name, distilled in wanted.items():
            known = [self.kernel.type(type_id) for type_id in self.kernel.ids_named(name)]
            structs = Counter(self.name_of(found.id) for found in known if found.is_composite)
            for found in known:
                repeated = found.is_composite and structs[self.name_of(found.id)] > 1
                for row in distilled:
                    if found.size != row.size and (
                        found.kind in _SIZED or repeated or row.id in embedded
                    ):
                        continue
                    if found.kind in _MATCHED and _stands_for(found, row):
                        self._note(row, found)
        for type_id in range(1, len(self.base)):
            if type_id not in self.ids:
                raise self._misfit(type_id, "is not among the kernel's types")

    def _note(self, distilled: BtfType, found: BtfType) -> None:
        before = self.ids.setdefault(distilled.id, found.id)
        if before != found.id:
            what = f"fits several of the kernel's types, [{before}] and [{found.id}]"
            raise self._misfit(distilled.id, what)
        self.names[self.distilled_name_of(distilled.id)] = self.name_of(found.id)

    def _embedded(self) -> Iterator[int]:
        """Distilled structs that the module's own hold by value: these must have their size."""
        for type_id in range(self.own.first_id, len(self.own)):
            for member in self.own.type(type_id).members:
                found = self.own.type(member.type_id)
                for _ in range(limits.TYPE_CHAIN_STEPS):
                    if found.kind not in _PASSED:
                        break
                    found = self.own.type(found.type_id)
                if found.kind in COMPOSITE_KINDS and found.id < self.own.first_id:
                    yield found.id

    def _id(self, type_id: int) -> int:
        if type_id >= len(self.own):
            raise _unfit(f"it refers to type [{type_id}], which does not exist")
        if type_id >= self.own.first_id:
            return type_id + len(self.kernel) - self.own.first_id
        return self.ids[type_id]

    def _name(self, offset: int) -> int:
        if offset >= self.own.first_string:
            return offset + self.kernel.string_bytes - self.own.first_string
        if offset not in self.names:
            raise _unfit(f"the string at byte {offset:#x} is no type's name")
        return self.names[offset]

    def _misfit(self, type_id: int, what: str) -> KernelFileError:
        kind, name = self.base.kind(type_id), self.base.name(type_id)
        return _unfit(f"type [{type_id}], {kind.word} {name or '<anon>'}, {what}")


def _unfit(what: str) -> KernelFileError:
    return KernelFileError(what, place="section .BTF.base of the module")


def _stands_for(found: BtfType, distilled: BtfType) -> bool:
    """Whether the kernel's type may stand for the distilled one of its name, sizes aside.

    A distilled struct takes any kind. One that is only declared goes by the kind_flag of the
    kernel's type, which for a struct says that it has bitfields: so it is written there.
    """
    match distilled.kind:
        case BtfKind.FWD:
            if found.kind is BtfKind.FWD:
                return found.kind_flag == distilled.kind_flag
            return found.is_composite and found.kind_flag == (found.kind is BtfKind.UNION)
        case BtfKind.INT:
            return found.kind is BtfKind.INT and found.int_encoding == distilled.int_encoding
        case BtfKind.FLOAT:
            return found.kind is BtfKind.FLOAT
        case BtfKind.ENUM:
            return found.is_enum
    return True


def _name_offsets(btf: Btf) -> Callable[[int], int]:
    words, offsets, _ = btf.parts()
    return lambda type_id: words[offsets[type_id - 1]]


def _name_places(words: array[int], at: int) -> Iterator[int]:
    """Where the type that starts at word `at` has names."""
    yield at
    step, name, _, end = _entries(words, at)
    if name is not None:
        yield from range(at + 3 + name, end, step)


def _id_places(words: array[int], at: int) -> Iterator[int]:
    """Where the type that starts at word `at` has ids of other types."""
    kind = words[at + 1] >> 24 & 0x7F
    if kind in _REFERS:
        yield at + 2
    if kind == BtfKind.ARRAY:
        yield from (at + 3, at + 4)
    step, _, type_id, end = _entries(words, at)
    if type_id is not None:
        yield from range(at + 3 + type_id, end, step)


def _entries(words: array[int], at: int) -> tuple[int, int | None, int | None, int]:
    info = words[at + 1]
    step, name, type_id = _ROWS.get(info >> 24 & 0x7F, (1, None, None))
    return step, name, type_id, at + 3 + step * (info & 0xFFFFFF)
