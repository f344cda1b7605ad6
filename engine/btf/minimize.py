"""Writing the part of a BTF that somebody needs, with ids in the old order.

What is kept but refers to something that is not gets a stand-in: nobody looks there, yet the
result stays well formed, so `bpftool btf dump` reads it.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass, field, replace

from engine.btf.decode import Btf
from engine.btf.encode import BtfBuilder
from engine.btf.kinds import VOID, BtfKind, BtfType, Member, TypeId

_WRAPPERS = frozenset(
    {BtfKind.TYPEDEF, BtfKind.CONST, BtfKind.VOLATILE, BtfKind.RESTRICT, BtfKind.TYPE_TAG}
    | {BtfKind.ARRAY, BtfKind.VAR, BtfKind.DECL_TAG}
)


@dataclass(frozen=True, slots=True)
class Keep:
    """What to keep of a BTF.

    ids          types, those that are looked at
    member       tells by its name whether a member is kept; the last one always is, because
                 loaders ask whether an array stands last
    enumerator   the same for enumerators
    fixed_ids    types keep their ids: fillers take the place of those that are left out
    """

    ids: Collection[int]
    member: Callable[[str], bool]
    enumerator: Callable[[str], bool]
    fixed_ids: bool = False


def minimize(btf: Btf, keep: Keep) -> bytes:
    """Give a raw .BTF section in the byte order of `btf`; a split BTF is written with its base.

    Raises what `Btf.type` raises for broken input and BtfEncodeError.
    """
    return _Writer(btf, keep).write()


@dataclass(slots=True)
class _Writer:
    btf: Btf
    keep: Keep
    builder: BtfBuilder = field(default_factory=BtfBuilder)
    new_ids: dict[int, TypeId] = field(default_factory=dict)
    stand_in: TypeId = VOID
    prototype: TypeId = VOID

    def write(self) -> bytes:
        ids = sorted(type_id for type_id in self.keep.ids if type_id != VOID)
        if self.keep.fixed_ids:
            self.new_ids = {type_id: TypeId(type_id) for type_id in ids}
        else:
            self.new_ids = {type_id: TypeId(at) for at, type_id in enumerate(ids, start=1)}
        last = max(self.new_ids.values(), default=VOID)
        self.stand_in, self.prototype = TypeId(last + 1), TypeId(last + 2)
        for type_id in ids:
            while self.builder.next_id < self.new_ids[type_id]:
                self.builder.add_const(VOID)
            self.builder.add(self._reduced(self.btf.type(type_id)))
        self.builder.add_int("char", 1)
        self.builder.add_func_proto(VOID, ())
        return self.builder.encode(self.btf.byte_order)

    def _reduced(self, found: BtfType) -> BtfType:
        if found.is_composite:
            return replace(found, members=self._members(found))
        if found.is_enum:
            kept = tuple(row for row in found.enumerators if self.keep.enumerator(row.name))
            return replace(found, enumerators=kept)
        if found.kind is BtfKind.PTR:
            return replace(found, type_id=self.new_ids.get(found.type_id, VOID))
        if found.kind is BtfKind.FUNC:
            return replace(found, type_id=self.new_ids.get(found.type_id, self.prototype))
        if found.kind is BtfKind.FUNC_PROTO:
            params = tuple(row._replace(type_id=self._mapped(row.type_id)) for row in found.params)
            return replace(found, type_id=self._mapped(found.type_id), params=params)
        if found.kind is BtfKind.DATASEC:
            return replace(found, variables=())
        if found.kind in _WRAPPERS:
            return replace(
                found,
                type_id=self._mapped(found.type_id),
                index_type_id=self._mapped(found.index_type_id),
            )
        return found

    def _members(self, found: BtfType) -> tuple[Member, ...]:
        last = len(found.members) - 1
        return tuple(
            member._replace(type_id=self._mapped(member.type_id))
            for position, member in enumerate(found.members)
            if position == last
            or (self.keep.member(member.name) if member.name else member.type_id in self.new_ids)
        )

    def _mapped(self, type_id: TypeId) -> TypeId:
        return VOID if type_id == VOID else self.new_ids.get(type_id, self.stand_in)
