"""Who points at a type: members, parameters, typedefs and variables, however deep in the chain.

struct file { const struct inode *f_inode; }     struct file, member f_inode, by pointer
struct x { struct { struct inode i; } in; }      struct x, member in.i, by value
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Final, Literal

from engine.btf.backrefs import Backrefs
from engine.btf.decode import Btf
from engine.btf.kinds import BtfKind, BtfType
from engine.errors import EngineError

How = Literal["by value", "by pointer", "in an array"]

_NAMELESS: Final = frozenset({BtfKind.CONST, BtfKind.VOLATILE, BtfKind.RESTRICT, BtfKind.TYPE_TAG})
_ENDS: Final = frozenset({BtfKind.TYPEDEF, BtfKind.FUNC, BtfKind.VAR})
_ROLES: Final = ("argument ", "return value")
_MOST: Final = 6_000
"""References followed; a type such as `int` has many more."""


@dataclass(frozen=True, slots=True)
class Pointer:
    """One place that names the type; `path` is the member, the parameter, or empty."""

    id: int
    kind: BtfKind
    name: str
    path: str
    how: How


@dataclass(frozen=True, slots=True)
class _Step:
    id: int
    path: str = ""
    how: How = "by value"
    depth: int = 0


def pointers_at(btf: Btf, refs: Backrefs, ids: Iterable[int]) -> tuple[tuple[Pointer, ...], bool]:
    """All places, nearest first, and whether there were too many to follow them all."""
    waiting = deque(_Step(type_id) for type_id in ids)
    seen: set[tuple[int, str]] = set()
    found: list[Pointer] = []
    left = _MOST
    while waiting:
        step = waiting.popleft()
        for source in refs.of(step.id):
            left -= 1
            if left < 0:
                return tuple(found), True
            try:
                holder = btf.type(source)
                for after in _after(holder, step):
                    if isinstance(after, Pointer):
                        found.append(after)
                    elif (after.id, after.path) not in seen and after.depth < 24:
                        seen.add((after.id, after.path))
                        waiting.append(after)
            except EngineError:
                continue
    return tuple(found), False


def _after(holder: BtfType, step: _Step) -> Iterator[Pointer | _Step]:
    """What a reference leads to: a place with a name, or one step further out."""
    kind = holder.kind
    on = replace(step, id=holder.id, depth=step.depth + 1)
    if kind in _NAMELESS:
        yield on
    elif kind is BtfKind.PTR:
        yield replace(on, how="by pointer")
    elif kind is BtfKind.ARRAY:
        yield replace(on, how="in an array" if step.how == "by value" else step.how)
    elif kind is BtfKind.FUNC_PROTO:
        yield from _parameters(holder, step, on)
    elif kind in _ENDS:
        yield Pointer(holder.id, kind, holder.name, step.path, step.how)
    elif holder.is_composite:
        for member in holder.members:
            if member.type_id != step.id:
                continue
            gap = ", " if step.path.startswith(_ROLES) else "."
            path = gap.join(filter(None, (member.name, step.path)))
            if holder.name:
                yield Pointer(holder.id, kind, holder.name, path, step.how)
            else:
                yield replace(on, path=path)


def _parameters(proto: BtfType, step: _Step, on: _Step) -> Iterator[_Step]:
    """A prototype: its function names the place; a pointer to it does not."""
    places = [param.name or f"argument {n}" for n, param in enumerate(proto.params, 1)
              if param.type_id == step.id]  # fmt: skip
    if proto.type_id == step.id:
        places.append("return value")
    if step.path:  # a function that takes a pointer to a function
        places = [f"{place}, {step.path}" for place in places[:1]]
    yield from (replace(on, path=place) for place in places)
