"""The smallest BTF against which every loader makes the same of an object: a mini-BTF.

The object is relocated by every loader against a BTF that remembers which types were looked
at; those are kept. The result is then checked: all loaders must give the same bytes again.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from engine.btf.decode import Btf
from engine.btf.kinds import BtfKind, BtfType, TypeId
from engine.btf.minimize import Keep, minimize
from engine.core.candidates import Target
from engine.core.kinds import CoreReloKind
from engine.core.names import essential_name
from engine.core.policy import FlavorRule, LoaderPolicy
from engine.core.prepare import PreparedObject
from engine.core.relocate import relocate_object
from engine.core.result import ObjectResult
from engine.core.trace import Step, StepKind


@dataclass(frozen=True, slots=True)
class MiniBtf:
    """A reduced BTF; `differs` names loaders whose bytes it does not reproduce."""

    data: bytes
    types: int
    kept_ids: bool
    """Types keep the ids of the full BTF, because the object asks for an id of the target."""
    differs: tuple[str, ...]


class RecordingBtf(Btf):
    """A BTF that remembers which types were decoded."""

    def __init__(self, full: Btf) -> None:
        words, offsets, strings = full.parts()
        super().__init__(
            words=words,
            offsets=offsets,
            blob=strings,
            strings_at=0,
            strings_len=len(strings),
            byte_order=full.byte_order,
            base=full.base,
        )
        self.touched: set[int] = set()
        self._full = full

    def type(self, type_id: int) -> BtfType:
        """Decode one type and remember that it was asked for."""
        self.touched.add(type_id)
        return super().type(type_id)

    def candidate_ids(self, key: bytes) -> tuple[TypeId, ...]:
        """Look names up in the full BTF's index."""
        return self._full.candidate_ids(key)


def mini_btf(prepared: PreparedObject, target: Btf, policies: Iterable[LoaderPolicy]) -> MiniBtf:
    """Reduce `target` to what the loaders look at for this object.

    An id that an object asks for (target_type_id) must not move, so fillers keep ids in place
    then. Raises ByteOrderMismatch and what malformed input raises.
    """
    chosen = tuple(policies)
    recorder = RecordingBtf(target)
    results = [relocate_object(prepared, Target(recorder), policy) for policy in chosen]
    ids = recorder.touched | _candidates(results) | _newest(target)
    ids |= _pointer_size_source(target)
    wanted = _Wanted.of(prepared, results)
    data = minimize(target, Keep(ids, wanted.member, wanted.enumerator, wanted.fixed_ids))
    small = Btf.parse(data)
    differs = tuple(
        policy.id
        for policy, result in zip(chosen, results, strict=True)
        if not _same(result, relocate_object(prepared, Target(small), policy))
    )
    return MiniBtf(data, len(small) - 1, wanted.fixed_ids, differs)


def _steps(results: Iterable[ObjectResult]) -> Iterator[Step]:
    for result in results:
        for function in result.functions:
            for relocation in function.relocations:
                yield from relocation.trace


def _candidates(results: Iterable[ObjectResult]) -> set[int]:
    """Types that share a name, whether they were taken or refused."""
    return {step.type_id for step in _steps(results) if step.type_id is not None and step.origin}


def _newest(btf: Btf) -> set[int]:
    """One type of the newest kind: old loaders refuse a BTF that holds it."""
    for type_id in range(btf.first_id, len(btf)):
        if btf.kind(type_id) is BtfKind.ENUM64:
            return {type_id}
    return set()


def _pointer_size_source(btf: Btf) -> set[int]:
    """The integer by which loaders tell the size of a pointer."""
    return {
        type_id
        for type_id in btf.ids_named("long int")[:1] + btf.ids_named("long unsigned int")[:1]
        if btf.kind(type_id) is BtfKind.INT
    }


@dataclass(frozen=True, slots=True)
class _Wanted:
    """Names that the object's relocations speak of."""

    names: frozenset[str]
    whole: bool
    """Whole types are compared, so that no member may go."""
    fixed_ids: bool

    @classmethod
    def of(cls, prepared: PreparedObject, results: Iterable[ObjectResult]) -> _Wanted:
        kinds = {relo.kind for relos in prepared.ext.core_relos.values() for relo in relos}
        names = {
            accessor.name
            for step in _steps(results)
            if step.kind is StepKind.LOCAL and step.spec is not None
            for accessor in step.spec.accessors
            if accessor.name is not None
        }
        return cls(
            frozenset(names | {_key(name) for name in names}),
            CoreReloKind.TYPE_MATCHES in kinds,
            CoreReloKind.TYPE_ID_TARGET in kinds,
        )

    def member(self, name: str) -> bool:
        return self.whole or name in self.names

    def enumerator(self, name: str) -> bool:
        return self.whole or _key(name) in self.names


def _key(name: str) -> str:
    """What every flavor rule keeps of an enumerator's name."""
    return essential_name(name, FlavorRule.FIRST).rstrip("_")


def _same(one: ObjectResult, other: ObjectResult) -> bool:
    """Equal bytes, or a refusal of the same function."""
    if bool(one.error) != bool(other.error):
        return False
    return all(
        mine.after == yours.after and bool(mine.error) == bool(yours.error)
        for mine, yours in zip(one.functions, other.functions, strict=True)
    )
