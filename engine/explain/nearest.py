"""Names of the target that come close to one that is missing.

Kernels rename by rule more often than by whim: `state` became `__state`, `i_atime` became
`__i_atime`, `cpu` moved into `thread_info`. Those come first, then what is spelled alike.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from difflib import SequenceMatcher
from itertools import islice
from typing import Any, Final

from engine import limits
from engine.btf.decode import Btf
from engine.btf.kinds import BtfKind, BtfType, TypeId
from engine.btf.resolve import skip_modifiers_and_typedefs
from engine.btf.scan import name_table
from engine.core.members import FoundMember, flat_members
from engine.errors import EngineError

_ENOUGH: Final = 3
_ALIKE: Final = 0.72
"""Least share of characters in common, as difflib counts it."""
_CHARACTERS: Final = 200
_MEMBERS: Final = f"{__name__}.members"
_TYPES: Final = f"{__name__}.types"
_REMEMBERED: Final = 2_000
"""Answers kept for one BTF."""


@dataclass(frozen=True, slots=True)
class NearMember:
    """A member that may have taken the place of a missing one.

    path   names from the struct down: one, or two when it lies in a struct inside of it
    place  its offset in bits from the start of the struct
    """

    path: tuple[str, ...]
    type_id: TypeId
    bit_offset: int
    bitfield_size: int
    exact: bool
    """The same name but for underscores, or the same name one struct further in."""

    @property
    def name(self) -> str:
        """The path as C writes it: `thread_info.cpu`."""
        return ".".join(self.path)


def near_names(wanted: str, names: Iterable[str], limit: int = _ENOUGH) -> tuple[str, ...]:
    """The names that come closest, best first; those that differ in underscores lead."""
    wanted = wanted[:_CHARACTERS]
    core = _core(wanted)
    matcher = SequenceMatcher(autojunk=False)
    matcher.set_seq2(wanted)
    scored = []
    for name in dict.fromkeys(islice(names, limits.NEAREST_NAMES)):
        if not name or name == wanted:
            continue
        if _core(name) == core:
            scored.append((2.0, name))
            continue
        if _too_long(name, wanted):
            continue
        matcher.set_seq1(name)
        if matcher.real_quick_ratio() < _ALIKE or matcher.quick_ratio() < _ALIKE:
            continue
        ratio = matcher.ratio()
        if ratio >= _ALIKE:
            scored.append((ratio, name))
    scored.sort(key=lambda row: (-row[0], row[1]))
    return tuple(name for _, name in scored[:limit])


def _core(name: str) -> str:
    return name.replace("_", "").lower()


def _too_long(name: str, wanted: str) -> bool:
    return len(name) > 2 * len(wanted) or len(wanted) > 2 * len(name)


def near_members(btf: Btf, composite: BtfType, wanted: str) -> tuple[NearMember, ...]:
    """Members of a struct, or of the structs inside of it, that may stand for `wanted`."""
    known: dict[tuple[int, str], tuple[NearMember, ...]] = btf.caches.setdefault(_MEMBERS, {})
    key = (composite.id, wanted)
    if key not in known:
        _make_room(known)
        known[key] = _near_members(btf, composite, wanted)
    return known[key]


def _make_room(known: dict[Any, Any]) -> None:
    if len(known) >= _REMEMBERED:
        known.clear()


def _near_members(btf: Btf, composite: BtfType, wanted: str) -> tuple[NearMember, ...]:
    try:
        flat = flat_members(btf, composite).by_name
    except EngineError:
        return ()
    renamed = [
        _near(flat[name][0], (), 0, exact=_core(name) == _core(wanted))
        for name in near_names(wanted, flat)
    ]
    moved = islice(_one_further_in(btf, flat.values(), wanted), _ENOUGH)
    found = [near for near in renamed if near.exact]
    found += moved
    found += [near for near in renamed if not near.exact]
    return tuple(found[:_ENOUGH])


def _one_further_in(
    btf: Btf, rows: Iterable[tuple[FoundMember, ...]], wanted: str
) -> Iterator[NearMember]:
    """Members of this name in the structs that a struct contains by value."""
    for row in islice((rows[0] for rows in rows), limits.NEAREST_NAMES):
        try:
            inner = skip_modifiers_and_typedefs(btf, row.member.type_id)
            if not inner.is_composite:
                continue
            found = flat_members(btf, inner).by_name.get(wanted)
        except EngineError:
            continue
        if found:
            yield _near(found[0], (row.member.name,), row.bit_offset, exact=True)


def _near(row: FoundMember, outer: tuple[str, ...], base: int, *, exact: bool) -> NearMember:
    member = row.member
    return NearMember(
        (*outer, member.name),
        member.type_id,
        base + row.bit_offset,
        member.bitfield_size,
        exact,
    )


def near_enumerators(btf: Btf, enum: BtfType, wanted: str) -> tuple[str, ...]:
    """Enumerators of this enum that are spelled alike."""
    return near_names(wanted, (row.name for row in enum.enumerators))


def enums_with(btf: Btf, enumerator: str) -> tuple[TypeId, ...]:
    """Other enums of the target that have an enumerator of exactly this name."""
    return name_table(btf).enums_with(enumerator)[:_ENOUGH]


def near_types(btf: Btf, kind: BtfKind, wanted: str) -> tuple[str, ...]:
    """Types of this kind whose name begins like `wanted` and is spelled alike."""
    known: dict[tuple[BtfKind, str], tuple[str, ...]] = btf.caches.setdefault(_TYPES, {})
    key = (kind, wanted)
    if key not in known:
        _make_room(known)
        known[key] = _near_types(btf, kind, wanted)
    return known[key]


def _near_types(btf: Btf, kind: BtfKind, wanted: str) -> tuple[str, ...]:
    prefix = wanted.lstrip("_").partition("_")[0][:_CHARACTERS] or wanted[:_CHARACTERS]
    table = name_table(btf)
    alike = (
        name
        for name in table.type_names(prefix)
        if any(btf.kind(type_id) is kind for type_id in table.types(name))
    )
    return near_names(wanted, alike)
