"""Access specs: what one relocation asks for, as a path through types.

The compiler writes a path as indices (`0:1:2`). The *raw* spec keeps them all; the *accessors*
keep what has a meaning across kernels: the first index, named members, array elements.
Anonymous structs and unions leave no accessor, so a field may move into or out of one.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import NamedTuple

from engine import limits
from engine.btf.decode import Btf
from engine.btf.ext import CoreRelo
from engine.btf.kinds import BtfKind, BtfType, TypeId
from engine.btf.resolve import size_of, skip_modifiers_and_typedefs
from engine.core import wording
from engine.core.kinds import ENUM_KINDS, TYPE_KINDS, CoreReloKind
from engine.core.policy import FlexibleRule
from engine.core.refusal import Refusal
from engine.errors import BtfTypeError

_INDEX = re.compile(r"\s*(?:\+|-(?=0+\b))?0*(\d{1,10})(?!\d)", re.ASCII)


class Accessor(NamedTuple):
    """One step: member `position` of `type_id` when it has a name, else an array element of it.

    `type_name` and `member_type_id` let a reader of the result describe the step.
    """

    type_id: TypeId
    position: int
    name: str | None
    type_name: str = ""
    member_type_id: TypeId = TypeId(0)


class AccessSpec(NamedTuple):
    """A path from a root type; `bit_offset` counts from the start of the root type."""

    kind: CoreReloKind
    root_id: TypeId
    root_kind: BtfKind
    root_name: str
    accessors: tuple[Accessor, ...] = ()
    raw: tuple[int, ...] = ()
    bit_offset: int = 0
    enum_value: int | None = None
    """The value of the enumerator, for enum kinds."""

    @property
    def path(self) -> str:
        """The type and path as C would write it: `struct sk_buff.cb[3]`, `enum e::A`."""
        parts = [f"{_KIND_WORDS.get(self.root_kind, self.root_kind.word)} "]
        parts.append(self.root_name or "<anon>")
        for position, accessor in enumerate(self.accessors):
            if self.kind in ENUM_KINDS:
                parts.append(f"::{accessor.name}")
            elif accessor.name is not None:
                parts.append(f".{accessor.name}")
            elif position or accessor.position:
                parts.append(f"[{accessor.position}]")
        return "".join(parts)


_KIND_WORDS = {BtfKind.ENUM64: "enum"}


def parse_spec(
    btf: Btf,
    relo: CoreRelo,
    kind: CoreReloKind,
    flexible: FlexibleRule = FlexibleRule.LAST_MEMBER,
) -> AccessSpec:
    """Turn a record of the object into a path through the object's own types.

    Raises Refusal EINVAL or E2BIG where libbpf does, BtfTypeError for broken type graphs.
    Follows: libbpf src/relo_core.c bpf_core_parse_spec @ v1.7.0.
    """
    if not relo.access or relo.access.startswith(":"):
        raise Refusal("EINVAL")
    root = btf.type(relo.type_id)
    if kind in TYPE_KINDS:
        if relo.access != "0":
            raise Refusal("EINVAL")
        return AccessSpec(kind, root.id, root.kind, root.name)
    raw = parse_indices(relo.access)
    start = skip_modifiers_and_typedefs(btf, relo.type_id)
    if kind in ENUM_KINDS:
        return _enum_spec(kind, root, start, raw)
    return _field_spec(btf, kind, root, start, raw, flexible)


@lru_cache(maxsize=4096)
def parse_indices(access: str) -> tuple[int, ...]:
    """Split an access string as scanf would; raises Refusal EINVAL or E2BIG."""
    found: list[int] = []
    at = 0
    while at < len(access):
        if access[at] == ":":
            at += 1
        index = _INDEX.match(access, at)
        if index is None:
            raise Refusal("EINVAL")
        if len(found) == limits.ACCESS_SPEC_PARTS:
            raise Refusal("E2BIG")
        value = int(index[1])
        if value >= 1 << 31:
            raise Refusal("EINVAL")
        found.append(value)
        at = index.end()
    return tuple(found)


def _enum_spec(
    kind: CoreReloKind, root: BtfType, enum: BtfType, raw: tuple[int, ...]
) -> AccessSpec:
    if not enum.is_enum or len(raw) > 1 or raw[0] >= len(enum.enumerators):
        raise Refusal("EINVAL")
    enumerator = enum.enumerators[raw[0]]
    return AccessSpec(
        kind,
        root.id,
        root.kind,
        root.name,
        (Accessor(enum.id, raw[0], enumerator.name, enum.name),),
        raw,
        enum_value=enumerator.value,
    )


def _field_spec(
    btf: Btf,
    kind: CoreReloKind,
    root: BtfType,
    start: BtfType,
    raw: tuple[int, ...],
    flexible: FlexibleRule,
) -> AccessSpec:
    try:
        bit_offset = raw[0] * size_of(btf, start.id) * 8
    except BtfTypeError as error:
        raise Refusal("EINVAL") from error
    accessors = [Accessor(start.id, raw[0], None, start.name)]
    current = start
    for position, index in enumerate(raw[1:], start=1):
        current = skip_modifiers_and_typedefs(btf, current.id)
        if current.is_composite:
            if index >= len(current.members):
                words = "out of bounds struct or union access"
                raise _no_such_index(current, raw, words)
            member = current.members[index]
            bit_offset += member.bit_offset
            if member.name:
                accessors.append(
                    Accessor(current.id, index, member.name, current.name, member.type_id)
                )
            current = btf.type(member.type_id)
        elif current.kind is BtfKind.ARRAY:
            element = skip_modifiers_and_typedefs(btf, current.type_id)
            if index >= current.nelems and not _may_index(
                btf, accessors[-1], current, index, flexible
            ):
                raise _no_such_index(current, raw, "array index out of bounds")
            accessors.append(Accessor(element.id, index, None, element.name))
            bit_offset += index * size_of(btf, element.id) * 8
            current = element
        else:
            # libbpf means to print the access string, but has read past its end by now.
            raise Refusal(
                "EINVAL",
                f"relo for [{root.id}]  (at idx {position}) captures type [{current.id}] "
                f"of unexpected kind {current.kind.word}",
            )
    return AccessSpec(
        kind, root.id, root.kind, root.name, tuple(accessors), raw, bit_offset & 0xFFFFFFFF
    )


def _no_such_index(found: BtfType, raw: tuple[int, ...], what: str) -> Refusal:
    access = ":".join(map(str, raw))
    return Refusal("EINVAL", sentence=wording.out_of_bounds(access, found.name, what))


def _may_index(btf: Btf, holder: Accessor, array: BtfType, index: int, rule: FlexibleRule) -> bool:
    if rule is FlexibleRule.LAST_MEMBER:
        return is_flexible(btf, holder, array)
    parent = btf.type(holder.type_id)
    return array.nelems == 0 and parent.kind is BtfKind.STRUCT and index == parent.vlen - 1


def is_flexible(btf: Btf, holder: Accessor, array: BtfType) -> bool:
    """True when `array` is the last member, of no length, that `holder` speaks of.

    Follows: libbpf src/relo_core.c is_flex_arr @ v1.7.0.
    """
    if holder.name is None or array.nelems > 0:
        return False
    return holder.position == btf.type(holder.type_id).vlen - 1
