"""Finding the local path again in one candidate of the target.

Follows: libbpf src/relo_core.c bpf_core_spec_match, bpf_core_match_member @ v1.7.0.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

from engine import limits
from engine.btf.decode import Btf
from engine.btf.kinds import BtfKind, BtfType
from engine.btf.resolve import size_of, skip_modifiers_and_typedefs
from engine.core.compat import Warn, fields_compatible, silent, types_compatible
from engine.core.kinds import ENUM_KINDS, TYPE_KINDS, CoreReloKind
from engine.core.members import FlatMembers, FoundMember, flat_members
from engine.core.names import essential_name
from engine.core.policy import LoaderPolicy
from engine.core.refusal import Refusal, as_refusal
from engine.core.spec import Accessor, AccessSpec, is_flexible
from engine.core.types_match import TypeMatcher
from engine.errors import BtfTypeError


class Match(NamedTuple):
    """The path in the target, or the rule that refused the candidate and what did not fit.

    `spec` is the partial path when `matched` is false, as loaders print it. `refusal` is set
    where the loader gives up on the whole relocation.
    """

    matched: bool
    spec: AccessSpec
    rule: str = ""
    detail: str = ""
    refusal: Refusal | None = None


def match_spec(
    local: AccessSpec,
    local_btf: Btf,
    target_btf: Btf,
    target_id: int,
    policy: LoaderPolicy,
    warn: Warn = silent,
) -> Match:
    """Walk the local path through the type `target_id` of the target.

    `warn` takes the loader's words about kinds that it does not expect.
    """
    root = target_btf.type(target_id)
    empty = AccessSpec(local.kind, root.id, root.kind, root.name)
    try:
        if local.kind in TYPE_KINDS:
            return _match_type(local, local_btf, target_btf, empty, policy, warn)
        if local.kind in ENUM_KINDS:
            return _match_enumerator(local, target_btf, empty, policy)
    except (Refusal, BtfTypeError) as error:
        return Match(False, empty, refusal=as_refusal(error))
    walk = _FieldWalk(local, local_btf, target_btf, root, policy)
    try:
        refused = walk.run()
    except (Refusal, BtfTypeError) as error:
        return Match(False, walk.spec(empty), refusal=as_refusal(error))
    return Match(refused is None, walk.spec(empty), *(refused or ()))


def _match_type(
    local: AccessSpec,
    local_btf: Btf,
    target_btf: Btf,
    empty: AccessSpec,
    policy: LoaderPolicy,
    warn: Warn,
) -> Match:
    if local.kind is CoreReloKind.TYPE_MATCHES:
        matcher = TypeMatcher(local_btf, target_btf, policy, warn)
        matched = matcher.match(local.root_id, empty.root_id)
        return Match(matched, empty, "" if matched else "type-mismatch", matcher.mismatch)
    sides = local_btf, local.root_id, target_btf, empty.root_id
    matched = types_compatible(*sides, policy, warn)
    return Match(matched, empty, "" if matched else "type-incompatible")


def _match_enumerator(
    local: AccessSpec, target_btf: Btf, empty: AccessSpec, policy: LoaderPolicy
) -> Match:
    enum = skip_modifiers_and_typedefs(target_btf, empty.root_id)
    wanted = local.accessors[0].name or ""
    if not enum.is_enum:
        return Match(False, empty, "not-an-enum", enum.kind.word)
    name = essential_name(wanted, policy.flavor)
    for index, row in enumerate(enum.enumerators):
        if essential_name(row.name, policy.flavor) == name:
            found = AccessSpec(
                local.kind,
                empty.root_id,
                empty.root_kind,
                empty.root_name,
                (Accessor(enum.id, index, row.name, enum.name),),
                (index,),
                enum_value=row.value,
            )
            return Match(True, found)
    return Match(False, empty, "no-enumerator", wanted)


_Refused = tuple[str, str]
"""The rule that refused a candidate, and what did not fit."""


@dataclass(slots=True)
class _FieldWalk:
    """The state of one walk: where we are in the target and what we have passed."""

    local: AccessSpec
    local_btf: Btf
    target_btf: Btf
    here: BtfType
    policy: LoaderPolicy
    accessors: list[Accessor] = field(default_factory=list)
    raw: list[int] = field(default_factory=list)
    bit_offset: int = 0

    def run(self) -> _Refused | None:
        for position, accessor in enumerate(self.local.accessors):
            self.here = skip_modifiers_and_typedefs(self.target_btf, self.here.id)
            if accessor.name is not None:
                refused = self._enter_member(accessor)
            else:
                refused = self._enter_element(accessor, position)
            if refused:
                return refused
        return None

    def spec(self, empty: AccessSpec) -> AccessSpec:
        return AccessSpec(
            empty.kind,
            empty.root_id,
            empty.root_kind,
            empty.root_name,
            tuple(self.accessors),
            tuple(self.raw),
            self.bit_offset & 0xFFFFFFFF,
        )

    def _enter_member(self, accessor: Accessor) -> _Refused | None:
        name = accessor.name or ""
        if not self.here.is_composite:
            return "not-composite", f"{self.here.kind.word} {self.here.name}".strip()
        flat = flat_members(self.target_btf, self.here)
        rows = flat.by_name.get(name, ())
        last: tuple[int, ...] = ()
        room = limits.ACCESS_SPEC_PARTS - len(self.raw)
        if self.policy.depth_noticed_later:
            if room == 0 and flat.depth:  # a path that is already longer goes on
                raise Refusal("E2BIG", "types are nested too deep")
            room = flat.depth + len(rows)
        for row in rows:
            self._must_fit(flat, row.depth_seen, room, last)
            self._step_to(row, last)
            if self._fits(accessor, row):
                self._take(row, name)
                return None
            last = row.path
            if len(last) == 1:
                return "field-type", name
            # A search that fails inside an anonymous struct goes on in the outer one.
            self._step_back(row)
            room -= 1
        self._must_fit(flat, flat.depth, room, last)
        self._leave(last)
        return ("field-type", name) if rows else ("no-member", name)

    def _must_fit(self, flat: FlatMembers, depth: int, room: int, last: tuple[int, ...]) -> None:
        """Stop where the path is full, at the first struct that the search finds that deep."""
        if depth <= room:
            return
        paths = [row.path for rows in flat.by_name.values() for row in rows]
        deep = min((path for path in paths if len(path) > room), default=())[:room]
        common = _common(last, deep)
        self._leave(last[common:])
        self.raw += deep[common:]
        holder = self.here
        for index in deep:
            member = holder.members[index]
            self.bit_offset += member.bit_offset
            holder = skip_modifiers_and_typedefs(self.target_btf, member.type_id)
        raise Refusal("E2BIG", "types are nested too deep")

    def _fits(self, accessor: Accessor, row: FoundMember) -> bool:
        return fields_compatible(
            self.local_btf,
            accessor.member_type_id,
            self.target_btf,
            row.member.type_id,
            self.policy,
        )

    def _step_to(self, row: FoundMember, last: tuple[int, ...]) -> None:
        """Go from the refused member with path `last`, or from the start, to the next one."""
        common = _common(last, row.path)
        self._leave(last[common:])
        self.raw += row.path[common:]
        self.bit_offset += row.bit_offset

    def _step_back(self, row: FoundMember) -> None:
        """Take back a refused member's place; some loaders leave its own offset added."""
        self.bit_offset -= row.bit_offset
        if self.policy.refused_offset_stays:
            self.bit_offset += row.member.bit_offset

    def _leave(self, path: tuple[int, ...]) -> None:
        """Drop the indices of `path`, but for one where the refused member's offset stays."""
        dropped = len(path) - self.policy.refused_offset_stays
        if dropped > 0:
            del self.raw[-dropped:]

    def _take(self, row: FoundMember, name: str) -> None:
        holder = self.target_btf.type(row.holder_id)
        self.accessors.append(
            Accessor(row.holder_id, row.position, name, holder.name, row.member.type_id)
        )
        self.here = self.target_btf.type(row.member.type_id)

    def _enter_element(self, accessor: Accessor, position: int) -> _Refused | None:
        if position:
            if self.here.kind is not BtfKind.ARRAY:
                return "not-array", f"{self.here.kind.word} {self.here.name}".strip()
            flexible = is_flexible(self.target_btf, self.accessors[-1], self.here)
            if not flexible and accessor.position >= self.here.nelems:
                return "out-of-bounds", f"[{accessor.position}] of {self.here.nelems}"
            self.here = skip_modifiers_and_typedefs(self.target_btf, self.here.type_id)
        if len(self.raw) == limits.ACCESS_SPEC_PARTS:
            raise Refusal("E2BIG", "types are nested too deep")
        self.accessors.append(Accessor(self.here.id, accessor.position, None, self.here.name))
        self.raw.append(accessor.position)
        if accessor.position or self.here.kind is not BtfKind.STRUCT:
            self.bit_offset += accessor.position * size_of(self.target_btf, self.here.id) * 8
        return None


def _common(left: tuple[int, ...], right: tuple[int, ...]) -> int:
    """How many indices two paths begin with in common."""
    common = 0
    while common < min(len(left), len(right)) and left[common] == right[common]:
        common += 1
    return common
