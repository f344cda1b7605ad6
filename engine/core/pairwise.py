"""Walking the local and a target type side by side, as cilium/ebpf does.

Two outcomes besides a field: `Impossible` refuses the candidate, a Refusal the program.

Follows: cilium/ebpf btf/core.go coreFindField, coreFindMember, coreAreMembersCompatible,
coreAreTypesCompatible @ v0.22.0.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from engine import limits
from engine.btf.decode import Btf
from engine.btf.kinds import BtfKind, BtfType, Enumerator, Member
from engine.btf.resolve import size_of, skip_modifiers_and_typedefs
from engine.core.compat import kinds_compatible
from engine.core.gonames import go_name, go_type
from engine.core.names import essential_name
from engine.core.policy import FlavorRule, LoaderPolicy
from engine.core.refusal import Refusal
from engine.core.values import U32
from engine.errors import BtfTypeError

CODE = "relocate"
"""The step that a refusal is reported for."""


class Impossible(Exception):
    """The candidate cannot serve; `rule` and `detail` say why. Never leaves `engine.core`."""

    def __init__(self, rule: str, detail: str = "") -> None:
        super().__init__(rule)
        self.rule = rule
        self.detail = detail


class Position(NamedTuple):
    """Where a walk stands.

    start of the root    offset (bytes)    bitfield_offset (bits)   bitfield_size (bits)
    """

    btf: Btf
    type_id: int
    offset: int = 0
    bitfield_offset: int = 0
    bitfield_size: int = 0

    @property
    def underlying(self) -> BtfType:
        """The type behind modifiers and typedefs."""
        return skip_modifiers_and_typedefs(self.btf, self.type_id)

    def nth(self, index: int, *, always: bool = False) -> Position:
        """Step over `index` elements of this type."""
        if not index and not always:
            return self
        size = sized(self.btf, self.type_id)
        return self._replace(offset=self.offset + index * size & U32)

    def at_bits(self, bit_offset: int) -> Position:
        """Step to a bitfield: its load starts at a multiple of the type's alignment."""
        align = _alignment(self.btf, self.type_id)
        start = (bit_offset // 8) // align * align
        return self._replace(
            offset=self.offset + start & U32, bitfield_offset=bit_offset - start * 8
        )

    def bits(self) -> int:
        """Size in bits; that of the whole type when this is no bitfield."""
        return self.bitfield_size or sized(self.btf, self.type_id) * 8


def sized(btf: Btf, type_id: int) -> int:
    """Size in bytes; raises Refusal for a type without one, such as a variable."""
    kind = skip_modifiers_and_typedefs(btf, type_id).kind
    try:
        if kind is BtfKind.VAR:
            raise BtfTypeError(f"type [{type_id}] is a variable")
        return size_of(btf, type_id)
    except BtfTypeError as error:
        raise Refusal(CODE, f"type *btf.{go_name(kind)}: unsized type") from error


def _alignment(btf: Btf, type_id: int) -> int:
    found = skip_modifiers_and_typedefs(btf, type_id)
    while found.kind is BtfKind.ARRAY:
        found = skip_modifiers_and_typedefs(btf, found.type_id)
    if not (found.is_enum or found.kind is BtfKind.INT):
        raise Refusal(CODE, f"can't calculate alignment of *btf.{go_name(found.kind)}")
    if found.size <= 0 or found.size & (found.size - 1):
        raise Refusal(CODE, f"alignment value {found.size} is not a power of two")
    return found.size


@dataclass(slots=True)
class PairWalk:
    """Finds the field that an access string names, on both sides at once."""

    policy: LoaderPolicy
    local: Position
    target: Position
    local_flexible: bool = False
    target_flexible: bool = False

    def run(self, indices: tuple[int, ...]) -> tuple[Position, Position]:
        """Give the field on both sides; raises Impossible or Refusal."""
        if self.policy.sizes_unsized_candidates:
            self._first(indices[0], always=True)
            self._compatible()
        else:
            self._compatible()
            self._first(indices[0], always=False)
        for position, index in enumerate(indices[1:], start=1):
            here = self.local.underlying
            if here.is_composite:
                if self._member(here, index, last=position == len(indices) - 1):
                    continue
            elif here.kind is BtfKind.ARRAY:
                self._element(here, index)
            else:
                raise Refusal(CODE, f"relocate field of *btf.{go_name(here.kind)}: not supported")
            self._compatible()
        return self.local, self.target

    def _first(self, index: int, *, always: bool) -> None:
        self.local = self.local.nth(index, always=always)
        self.target = self.target.nth(index, always=always)

    def _member(self, here: BtfType, index: int, *, last: bool) -> bool:
        """Enter a member; True when it was an anonymous one, which leaves the target alone."""
        if index >= len(here.members):
            raise Refusal(CODE, f"invalid accessor {index} for {go_type(here)}")
        member = here.members[index]
        if not member.name:
            self._anonymous(member)
            return True
        composite = self.target.underlying
        if not composite.is_composite:
            raise Impossible("not-composite", f"{composite.kind.word} {composite.name}".strip())
        found, self.target_flexible = find_member(self.target.btf, composite, member.name)
        self.local_flexible = index == len(here.members) - 1
        local, target = self.local, self.target
        if not (member.bitfield_size or found.bitfield_size):
            start = local.offset + member.bit_offset // 8 & U32
            self.local = Position(local.btf, member.type_id, start)
            start = target.offset + found.bit_offset // 8 & U32
            self.target = Position(target.btf, found.type_id, start)
            return False
        if not last:
            raise Refusal(CODE, "can't descend into bitfield")
        self.local, self.target = (
            Position(side.btf, own.type_id, side.offset, 0, own.bitfield_size).at_bits(
                own.bit_offset
            )
            for side, own in ((local, member), (target, found))
        )
        return False

    def _anonymous(self, member: Member) -> None:
        inner = skip_modifiers_and_typedefs(self.local.btf, member.type_id)
        if not inner.is_composite:
            shown = go_type(self.local.btf.type(member.type_id))
            raise Refusal(CODE, f"unnamed field with type {shown}: not supported")
        offset = self.local.offset + member.bit_offset // 8
        self.local = Position(self.local.btf, inner.id, offset)
        self.local_flexible = False

    def _element(self, here: BtfType, index: int) -> None:
        array = self.target.underlying
        if array.kind is not BtfKind.ARRAY:
            raise Impossible("not-array", f"{array.kind.word} {array.name}".strip())
        for side, found, flexible in (
            ("local", here, self.local_flexible),
            ("target", array, self.target_flexible),
        ):
            if not found.nelems and not flexible:
                raise Refusal(CODE, f"{side} type has invalid flexible array")
        if here.nelems and index >= here.nelems:
            raise Refusal(CODE, f"invalid access of {go_type(here)} at index {index}")
        if array.nelems and index >= array.nelems:
            raise Impossible("out-of-bounds", f"[{index}] of {array.nelems}")
        self.local_flexible = self.target_flexible = False
        self.local = Position(self.local.btf, here.type_id, self.local.offset).nth(index)
        self.target = Position(self.target.btf, array.type_id, self.target.offset).nth(index)

    def _compatible(self) -> None:
        local, target = self.local.underlying, self.target.underlying
        if local.is_composite and target.is_composite:
            return
        if not kinds_compatible(local, target):
            raise Impossible("field-type", f"{target.kind.word} {target.name}".strip())
        if local.kind in (BtfKind.ARRAY, BtfKind.PTR, BtfKind.FLOAT, BtfKind.INT):
            return
        if not (local.is_enum or local.kind is BtfKind.FWD):
            raise Refusal(CODE, f"type {go_type(local)}: not supported")
        if not names_match(local.name, target.name, self.policy.flavor):
            raise Impossible("field-type", f"{target.kind.word} {target.name}".strip())


def names_match(local: str, target: str, rule: FlavorRule) -> bool:
    """Equal essential names; an empty name matches any."""
    if not local or not target:
        return True
    return essential_name(local, rule) == essential_name(target, rule)


def find_member(btf: Btf, composite: BtfType, name: str) -> tuple[Member, bool]:
    """Find a member breadth-first through anonymous members.

    The offset is counted from the outer type. The flag tells whether it is the last member of
    its own struct. Raises Impossible when there is none.
    """
    queue = [(composite, 0)]
    visited: set[tuple[int, int]] = set()
    for holder, base in queue:
        if (holder.id, base) in visited:
            continue
        if len(visited) >= limits.TYPE_CHAIN_STEPS:
            raise Refusal(CODE, "type is nested too deep")
        visited.add((holder.id, base))
        for index, member in enumerate(holder.members):
            if member.name == name:
                last = index == len(holder.members) - 1
                return member._replace(bit_offset=member.bit_offset + base), last
            if member.name:
                continue
            inner = skip_modifiers_and_typedefs(btf, member.type_id)
            if not inner.is_composite:
                shown = go_name(btf.kind(member.type_id))
                raise Refusal(CODE, f"anonymous non-composite type *btf.{shown} not allowed")
            queue.append((inner, base + member.bit_offset))
    raise Impossible("no-member", name)


def find_enumerator(enum: BtfType, name: str, rule: FlavorRule) -> Enumerator:
    """The first enumerator with the same essential name; raises Impossible."""
    if not enum.is_enum:
        raise Impossible("not-an-enum", enum.kind.word)
    wanted = essential_name(name, rule)
    for row in enum.enumerators:
        if essential_name(row.name, rule) == wanted:
            return row
    raise Impossible("no-enumerator", name)
