"""Comparing whole types side by side, as cilium/ebpf does for type relocations.

Follows: cilium/ebpf btf/core.go coreAreTypesCompatible, coreTypesMatch @ v0.22.0.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from engine import limits
from engine.btf.decode import Btf
from engine.btf.kinds import INT_SIGNED, BtfKind, BtfType
from engine.btf.resolve import skip_modifiers_and_typedefs
from engine.core.compat import kinds_compatible
from engine.core.gonames import go_name
from engine.core.pairwise import CODE, Impossible, names_match
from engine.core.policy import FlavorRule
from engine.core.refusal import Refusal

_LEAVES = frozenset(
    {BtfKind.VOID, BtfKind.STRUCT, BtfKind.UNION, BtfKind.ENUM, BtfKind.ENUM64}
    | {BtfKind.FWD, BtfKind.INT}
)


@dataclass(slots=True)
class PairTypes:
    """Compares types of two BTFs; a pair that was seen before counts as equal."""

    local_btf: Btf
    target_btf: Btf
    rule: FlavorRule
    seen: set[tuple[int, int]] = field(default_factory=set)

    def _enter(self, local_id: int, target_id: int) -> tuple[BtfType, BtfType]:
        if len(self.seen) > limits.TYPE_MATCH_STEPS:
            raise Refusal(CODE, "types are nested too deep")
        return (
            skip_modifiers_and_typedefs(self.local_btf, local_id),
            skip_modifiers_and_typedefs(self.target_btf, target_id),
        )

    def _first_visit(self, local: BtfType, target: BtfType) -> bool:
        pair = (local.id, target.id)
        if pair in self.seen:
            return False
        self.seen.add(pair)
        return True

    def compatible(self, local_id: int, target_id: int, depth: int = 0) -> None:
        """Raises Impossible when the types are not compatible, Refusal for unknown kinds."""
        local, target = self._enter(local_id, target_id)
        if not kinds_compatible(local, target):
            raise Impossible("type-incompatible", f"{target.kind.word} {target.name}".strip())
        if not self._first_visit(local, target) or local.kind in _LEAVES:
            return
        _bounded(depth)
        if local.kind is BtfKind.PTR:
            self.compatible(local.type_id, target.type_id, depth + 1)
        elif local.kind is BtfKind.ARRAY:
            self.compatible(local.index_type_id, target.index_type_id, depth + 1)
            self.compatible(local.type_id, target.type_id, depth + 1)
        elif local.kind is BtfKind.FUNC_PROTO:
            self.compatible(local.type_id, target.type_id, depth + 1)
            if len(local.params) != len(target.params):
                raise Impossible("type-incompatible", "parameters differ")
            for own, other in zip(local.params, target.params, strict=True):
                self.compatible(own.type_id, other.type_id, depth + 1)
        else:
            raise Refusal(CODE, f"unsupported type *btf.{go_name(local.kind)}")

    def match(self, local_id: int, target_id: int, depth: int = 0) -> None:
        """The same for type_matches, which compares names and members as well."""
        local, target = self._enter(local_id, target_id)
        if not names_match(local.name, target.name, self.rule):
            raise Impossible("type-mismatch", f"{local.name} is not called {target.name}")
        if not kinds_compatible(local, target):
            raise Impossible("type-mismatch", f"{local.kind.word} meets {target.kind.word}")
        if not self._first_visit(local, target) or local.kind is BtfKind.VOID:
            return
        _bounded(depth)
        if local.is_composite:
            self._match_members(local, target, depth)
        elif local.is_enum:
            self._match_enum(local, target)
        elif local.kind is BtfKind.FUNC_PROTO:
            self._match_function(local, target, depth)
        elif local.kind is BtfKind.PTR:
            self._match_pointer(local, target, depth)
        else:
            self._match_plain(local, target, depth)

    def _match_plain(self, local: BtfType, target: BtfType, depth: int) -> None:
        if local.kind is BtfKind.ARRAY:
            if local.nelems != target.nelems:
                raise Impossible("type-mismatch", f"[{local.nelems}] meets [{target.nelems}]")
            self.match(local.type_id, target.type_id, depth + 1)
        elif local.kind is BtfKind.INT:
            signs = {t.int_encoding == INT_SIGNED for t in (local, target)}
            if local.size != target.size or len(signs) > 1:
                raise Impossible("type-mismatch", f"int {local.name} meets int {target.name}")
        elif local.kind is BtfKind.FWD:
            if local.kind_flag != target.kind_flag:
                raise Impossible("type-mismatch", "struct meets union")
        else:
            raise Refusal(CODE, f"unsupported type *btf.{go_name(local.kind)}")

    def _match_members(self, local: BtfType, target: BtfType, depth: int) -> None:
        if len(local.members) > len(target.members):
            raise Impossible("type-mismatch", f"{target.name} has fewer members")
        others = {member.name: member for member in target.members}
        for member in local.members:
            other = others.get(member.name)
            if other is None:
                raise Impossible("type-mismatch", f"no member {member.name or '<anon>'}")
            self.match(member.type_id, other.type_id, depth + 1)

    def _match_enum(self, local: BtfType, target: BtfType) -> None:
        if local.size != target.size or len(local.enumerators) > len(target.enumerators):
            raise Impossible("type-mismatch", f"enum {target.name} has another shape")
        for row in local.enumerators:
            if not any(
                names_match(row.name, other.name, self.rule) for other in target.enumerators
            ):
                raise Impossible("type-mismatch", f"no enumerator {row.name}")

    def _match_pointer(self, local: BtfType, target: BtfType, depth: int) -> None:
        own = skip_modifiers_and_typedefs(self.local_btf, local.type_id)
        other = skip_modifiers_and_typedefs(self.target_btf, target.type_id)
        if _forward_of(own, other) or _forward_of(other, own):
            return
        self.match(local.type_id, target.type_id, depth + 1)

    def _match_function(self, local: BtfType, target: BtfType, depth: int) -> None:
        if len(local.params) != len(target.params):
            raise Impossible("type-mismatch", "parameters differ")
        for own, other in zip(local.params, target.params, strict=True):
            self.match(own.type_id, other.type_id, depth + 1)
        self.match(local.type_id, target.type_id, depth + 1)


def _forward_of(fwd: BtfType, other: BtfType) -> bool:
    if fwd.kind is not BtfKind.FWD:
        return False
    return other.kind is (BtfKind.UNION if fwd.kind_flag else BtfKind.STRUCT)


def _bounded(depth: int) -> None:
    if depth > limits.PAIR_DEPTH:
        raise Refusal(CODE, "types are nested too deep")
