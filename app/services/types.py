"""Types across kernels: one of them, two compared, and what became of one over time."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from app.errors import AppError
from engine.btf.decode import Btf
from engine.btf.kinds import BtfKind
from engine.errors import EngineError
from engine.explain.type_diff import PartChange, Shape, diff_shapes, pairs, shape_of, shapes
from engine.kernels.catalog import Catalog

ShapesOf = Callable[[Btf], tuple[Shape, ...]]
"""Finds the types in question in one kernel."""


@dataclass(frozen=True, slots=True)
class TypeDiff:
    """One type on two kernels; `before` or `after` is None where it is not there."""

    before: Shape | None
    after: Shape | None
    changes: tuple[PartChange, ...]

    @property
    def words(self) -> str:
        """`struct task_struct`."""
        shape = self.after or self.before
        return "" if shape is None else shape.words


@dataclass(frozen=True, slots=True)
class Step:
    """One kernel of a history, compared with the one before it of its architecture.

    previous  "" for the first kernel of an architecture
    diffs     only types that changed, came or went
    shapes    the types as they are there
    """

    kernel: str
    arch: str
    types: int
    previous: str = ""
    diffs: tuple[TypeDiff, ...] = ()
    shapes: tuple[Shape, ...] = ()


def find_types(btf: Btf, wanted: str) -> tuple[Shape, ...]:
    """The types that C words mean; AppError `type-unknown` with near names for none."""
    found = shapes(btf, wanted)
    if not found:
        raise unknown_type(wanted, [btf])
    return found


def unknown_type(wanted: str, kernels: list[Btf]) -> AppError:
    """Make the error for a type that none of some kernels has."""
    from engine.btf.scan import name_table
    from engine.explain.nearest import near_names  # late: only for a mistake

    words = wanted.split()
    name = words[-1] if words else ""
    near: tuple[str, ...] = ()
    if name:
        beginning = name.lstrip("_").partition("_")[0][:40]
        near = near_names(name, name_table(kernels[-1]).type_names(beginning))
    return AppError(
        f"There is no type {wanted[:120]!r}",
        code="type-unknown",
        place="TYPE",
        hint=f"Near: {', '.join(near)}."
        if near
        else "Give a name as in C: task_struct, 'struct sk_buff', 'enum bpf_cmd'.",
    )


def compare_types(before: Btf, after: Btf, wanted: str) -> tuple[TypeDiff, ...]:
    """A type on two kernels; types of one name are paired by what they have in common."""
    return _diffs(shapes(before, wanted), shapes(after, wanted))


def _diffs(before: tuple[Shape, ...], after: tuple[Shape, ...]) -> tuple[TypeDiff, ...]:
    return tuple(
        TypeDiff(old, new, () if old is None or new is None else diff_shapes(old, new))
        for old, new in pairs(before, after)
    )


def diff_type(catalog: Catalog, wanted: str, before: str, after: str) -> tuple[TypeDiff, ...]:
    """Compare a type on two kernels of the catalog, given by id."""
    old, new = catalog.btf(before), catalog.btf(after)
    found = compare_types(old, new, wanted)
    if not found:
        raise unknown_type(wanted, [old, new])
    return found


def type_history(catalog: Catalog, wanted: str) -> tuple[Step, ...]:
    """Follow a type over all kernels, each architecture for itself, in the catalog's order."""
    steps = history(catalog, lambda btf: shapes(btf, wanted))
    if not any(step.types for step in steps):
        raise unknown_type(wanted, [catalog.btf(s.id) for s in catalog.snapshots()][-1:])
    return steps


def history(catalog: Catalog, shapes_of: ShapesOf) -> tuple[Step, ...]:
    """Follow whatever `shapes_of` finds; each step says what differs from the one before it."""
    steps = []
    last: dict[str, tuple[str, tuple[Shape, ...]]] = {}
    for snapshot in catalog.snapshots():
        arch = snapshot.arch or ""
        found = shapes_of(catalog.btf(snapshot.id))
        previous = last.get(arch)
        if previous is None:
            steps.append(Step(snapshot.id, arch, len(found), shapes=found))
        else:
            diffs = tuple(
                diff
                for diff in _diffs(previous[1], found)
                if diff.changes or diff.before is None or diff.after is None
            )
            steps.append(Step(snapshot.id, arch, len(found), previous[0], diffs, found))
        last[arch] = snapshot.id, found
    return tuple(steps)


def named(btf: Btf, name: str, kind: str = "") -> tuple[Shape, ...]:
    """The types of exactly this name, of one kind or of all; damaged ones are left out.

    Unlike `engine.explain.type_diff.shapes` it takes names with blanks in them. Without a kind a
    definition leaves out forward declarations.
    """
    found = []
    for type_id in btf.ids_named(name):
        if btf.kind(type_id) in _SHOWN and kind in ("", kind_word(btf.kind(type_id))):
            try:
                found.append(shape_of(btf, type_id))
            except EngineError:
                continue
    best = [shape for shape in found if shape.kind is not BtfKind.FWD]
    return tuple(best or found)


def compare_named(before: Btf, after: Btf, name: str) -> tuple[TypeDiff, ...]:
    """The types of exactly this name on two kernels, paired."""
    return _diffs(named(before, name), named(after, name))


def kind_word(kind: BtfKind) -> str:
    """A kind as C says it: both kinds of enum are `enum`."""
    return "enum" if kind is BtfKind.ENUM64 else kind.word


_SHOWN: Final = frozenset(
    {BtfKind.STRUCT, BtfKind.UNION, BtfKind.ENUM, BtfKind.ENUM64, BtfKind.TYPEDEF, BtfKind.FWD}
    | {BtfKind.INT, BtfKind.FLOAT, BtfKind.FUNC, BtfKind.VAR}
)
