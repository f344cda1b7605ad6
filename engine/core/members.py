"""The members of a struct as a loader's depth-first search meets them, kept per BTF.

A search enters an anonymous struct or union where it stands, so the order of visits is fixed
and the whole search for a name becomes one dictionary look-up.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from engine import limits
from engine.btf.decode import Btf
from engine.btf.kinds import BtfType, Member, TypeId
from engine.btf.resolve import skip_modifiers_and_typedefs
from engine.errors import LimitExceeded


class FoundMember(NamedTuple):
    """A named member: where it stands and how the search came to it.

    bit_offset  from the start of the outer struct
    path        member indices from the outer struct down
    depth_seen  the longest path visited up to here, this one included
    """

    member: Member
    holder_id: TypeId
    position: int
    bit_offset: int
    path: tuple[int, ...]
    depth_seen: int


@dataclass(frozen=True, slots=True)
class FlatMembers:
    """Named members by name, in the order of visits; `depth` is the longest path visited."""

    by_name: dict[str, tuple[FoundMember, ...]]
    depth: int


_KEY = "core.members"


def flat_members(btf: Btf, composite: BtfType) -> FlatMembers:
    """Give the members that a depth-first search meets below `composite`.

    Raises LimitExceeded when nested anonymous structs make the search explode.
    """
    table: dict[int, FlatMembers] = btf.caches.setdefault(_KEY, {})
    found = table.get(composite.id)
    if found is None:
        found = table[composite.id] = _flatten(btf, composite)
    return found


def _flatten(btf: Btf, composite: BtfType) -> FlatMembers:
    by_name: dict[str, list[FoundMember]] = {}
    deepest = visited = 0
    stack: list[tuple[BtfType, int, int, tuple[int, ...]]] = []
    if composite.is_composite:
        stack.append((composite, 0, 0, ()))
    while stack:
        holder, index, base, path = stack.pop()
        if index >= len(holder.members):
            continue
        stack.append((holder, index + 1, base, path))
        visited += 1
        if visited > limits.MEMBERS_VISITED:
            raise LimitExceeded(
                f"more than {limits.MEMBERS_VISITED} members lie below type [{composite.id}]",
                place=f"type [{composite.id}] of .BTF",
            )
        member = holder.members[index]
        here = (*path, index)
        deepest = max(deepest, len(here))
        if member.name:
            by_name.setdefault(member.name, []).append(
                FoundMember(member, holder.id, index, base + member.bit_offset, here, deepest)
            )
        elif len(here) <= limits.ACCESS_SPEC_PARTS:
            inner = skip_modifiers_and_typedefs(btf, member.type_id)
            if inner.is_composite:
                stack.append((inner, 0, base + member.bit_offset, here))
    return FlatMembers({name: tuple(rows) for name, rows in by_name.items()}, deepest)
