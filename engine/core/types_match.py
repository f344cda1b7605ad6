"""The question of type_matches: is the local type a part of the target, member by member.

Follows: libbpf src/relo_core.c __bpf_core_types_match @ v1.7.0 (BY_LEVEL).
"""

from __future__ import annotations

from dataclasses import dataclass

from engine import limits
from engine.btf.decode import Btf
from engine.btf.kinds import INT_SIGNED, BtfKind, BtfType
from engine.btf.resolve import skip_modifiers_and_typedefs
from engine.core.compat import Warn, silent, unexpected
from engine.core.names import essential_name
from engine.core.policy import LoaderPolicy
from engine.core.refusal import Refusal

_NAMELESS = {
    BtfKind.PTR: "a pointer",
    BtfKind.ARRAY: "an array",
    BtfKind.FUNC_PROTO: "a function",
}
_FWD_KIND = {False: BtfKind.STRUCT, True: BtfKind.UNION}


@dataclass(slots=True)
class TypeMatcher:
    """Compares types of two BTFs; `mismatch` tells the first thing that did not fit."""

    local_btf: Btf
    target_btf: Btf
    policy: LoaderPolicy
    warn: Warn = silent
    mismatch: str = ""
    steps: int = 0

    def match(self, local_id: int, target_id: int) -> bool:
        """Compare two root types, whose names were compared before.

        Raises Refusal EINVAL when they are nested deeper than the loader goes.
        """
        return self._match(local_id, target_id, False, self.policy.match_levels)

    def _match(self, local_id: int, target_id: int, behind_ptr: bool, level: int) -> bool:
        if level <= 0:
            raise Refusal("EINVAL", "types are nested too deep for type_matches")
        for _ in range(limits.COMPAT_DEPTH):
            self._count()
            local = skip_modifiers_and_typedefs(self.local_btf, local_id)
            target = skip_modifiers_and_typedefs(self.target_btf, target_id)
            if not self._names_match(local.name, target.name):
                return self._no(f"{_words(local)} is not called {_words(target)}")
            if local.kind is BtfKind.PTR or local.kind is BtfKind.ARRAY:
                if local.kind is not target.kind:
                    return self._no(f"{_words(local)} meets {_words(target)}")
                if local.nelems != target.nelems:
                    return self._no(f"an array of {local.nelems} meets one of {target.nelems}")
                behind_ptr = behind_ptr or local.kind is BtfKind.PTR
            elif local.kind is BtfKind.FUNC_PROTO:
                if not self._params_match(local, target, behind_ptr, level):
                    return False
            else:
                return self._leaf(local, target, behind_ptr, level)
            local_id, target_id = local.type_id, target.type_id
        raise Refusal("EINVAL", "types are nested too deep for type_matches")

    def _leaf(self, local: BtfType, target: BtfType, behind_ptr: bool, level: int) -> bool:
        same = local.kind is target.kind
        if local.kind is BtfKind.VOID:
            fits = same
        elif local.kind is BtfKind.INT:
            fits = (
                same
                and local.size == target.size
                and local.int_encoding & INT_SIGNED == target.int_encoding & INT_SIGNED
            )
        elif local.kind is BtfKind.FWD:
            fits = (same and local.kind_flag == target.kind_flag) or (
                behind_ptr and target.kind is _FWD_KIND[local.kind_flag]
            )
        elif local.is_enum:
            return self._enums_match(local, target)
        elif local.is_composite:
            if not behind_ptr:
                return self._composites_match(local, target, level)
            fits = same or (
                target.kind is BtfKind.FWD and _FWD_KIND[target.kind_flag] is local.kind
            )
        else:
            self.warn(unexpected(local, target))
            fits = False
        return fits or self._no(f"{_words(local)} meets {_words(target)}")

    def _composites_match(self, local: BtfType, target: BtfType, level: int) -> bool:
        if local.kind is not target.kind or len(local.members) > len(target.members):
            return self._no(f"{_words(local)} has members that {_words(target)} lacks")
        for member in local.members:
            for other in target.members:
                if self._names_match(member.name, other.name) and self._match(
                    member.type_id, other.type_id, False, level - 1
                ):
                    break
            else:
                return self._no(f"no member of {_words(target)} fits {member.name or '<anon>'}")
        return True

    def _enums_match(self, local: BtfType, target: BtfType) -> bool:
        if not target.is_enum or local.size != target.size:
            return self._no(f"{_words(local)} has another size than {_words(target)}")
        if len(local.enumerators) > len(target.enumerators):
            return self._no(f"{_words(target)} has fewer enumerators than {_words(local)}")
        rule = self.policy.flavor
        names = {essential_name(row.name, rule) for row in target.enumerators}
        for row in local.enumerators:
            if essential_name(row.name, rule) not in names:
                return self._no(f"{_words(target)} has no {row.name}")
        return True

    def _params_match(self, local: BtfType, target: BtfType, behind_ptr: bool, level: int) -> bool:
        if local.kind is not target.kind or len(local.params) != len(target.params):
            return self._no("the functions take different parameters")
        return all(
            self._match(own.type_id, other.type_id, behind_ptr, level - 1)
            for own, other in zip(local.params, target.params, strict=True)
        )

    def _names_match(self, local: str, target: str) -> bool:
        if not target:
            return not local
        rule = self.policy.flavor
        return essential_name(local, rule) == essential_name(target, rule)

    def _no(self, mismatch: str) -> bool:
        self.mismatch = mismatch
        return False

    def _count(self) -> None:
        self.steps += 1
        if self.steps > limits.TYPE_MATCH_STEPS:
            raise Refusal("EINVAL", "type_matches takes too many steps")


def _words(found: BtfType) -> str:
    if found.name:
        return f"{found.kind.word} {found.name}"
    return _NAMELESS.get(found.kind, f"an anonymous {found.kind.word}")
