"""Fixes for fields: another name, another type, another width, or none at all."""

from __future__ import annotations

from collections.abc import Iterator

from engine.btf.kinds import BtfKind
from engine.btf.resolve import skip_modifiers_and_typedefs
from engine.core.kinds import CoreReloKind
from engine.core.members import flat_members
from engine.core.names import essential_name
from engine.core.policy import FlavorRule, Strategy
from engine.core.spec import AccessSpec
from engine.core.trace import Step, StepKind
from engine.errors import EngineError
from engine.explain import fix_code
from engine.explain.c_parts import Leaf, Steps, can_flavor, can_write, leaf_of
from engine.explain.fields import field_of
from engine.explain.fix_code import Snippet, Way
from engine.explain.nearest import near_members
from engine.explain.scene import Scene

KEYWORDS = {BtfKind.STRUCT: "struct", BtfKind.UNION: "union", BtfKind.TYPEDEF: "typedef"}


def steps_of(local: AccessSpec) -> Steps:
    """The path of a field without its anonymous members, as C writes it."""
    return tuple(
        accessor.position if accessor.name is None else accessor.name
        for accessor in local.accessors[1:]
    )


def root_name(local: AccessSpec) -> str:
    """The name of the root type without a flavor, as every loader cuts it."""
    return essential_name(local.root_name, FlavorRule.FIRST)


def can_name(local: AccessSpec | None) -> bool:
    """Whether the access can be written in C with a flavor of its type."""
    return (
        local is not None
        and local.root_kind in KEYWORDS
        and can_flavor(root_name(local))
        and bool(local.raw)
        and not local.raw[0]
        and can_write(steps_of(local))
    )


def label(steps: Steps) -> str:
    """A name for the function that reads a path: its last member."""
    names = [step for step in steps if isinstance(step, str)]
    return names[-1].lstrip("_") or "field"


def _local_way(scene: Scene) -> Way | None:
    """The field as the program was compiled for it."""
    local = scene.local
    if local is None or not can_name(local):
        return None
    field = field_of(local, scene.local_btf)
    if field is None:
        return None
    leaf = leaf_of(scene.local_btf, field.type.id, field.bits, "___compiled")
    if leaf is None:
        return None
    return Way(
        KEYWORDS[local.root_kind],
        f"{root_name(local)}___compiled",
        steps_of(local),
        leaf,
        "The field as compiled for; loaders ignore what follows the three underscores.",
    )


def guard(scene: Scene) -> Snippet | None:
    """Read the field only where it exists."""
    way = _local_way(scene)
    return fix_code.read_field(label(way.steps), (way,)) if way else None


def by_width(scene: Scene) -> Snippet | None:
    """Read the field through the bitfield macro."""
    way = _local_way(scene)
    if way is None or not way.leaf.value or "*" in way.leaf.value:
        return None
    return fix_code.read_field(label(way.steps), (way,), by_width=True)


def is_plain_bitfield(scene: Scene) -> bool:
    """Whether a bitfield, here or in the kernel, is read without its shifts."""
    relocation, local, taken = scene.relocation, scene.local, scene.taken()
    if relocation.kind is not CoreReloKind.FIELD_BYTE_OFFSET or local is None or taken is None:
        return False
    mine, theirs = field_of(local, scene.local_btf), field_of(taken[1], taken[0])
    if mine is None or theirs is None or not (mine.bits or theirs.bits):
        return False
    others = scene.function.relocations if scene.function else ()
    return not any(
        row.kind is CoreReloKind.FIELD_LSHIFT_U64
        and row.access == relocation.access
        and row.local == relocation.local
        for row in others
    )


def renamed(scene: Scene) -> Iterator[tuple[str, Snippet]]:
    """Read the nearest name that the target has where the compiled one is missing."""
    way = _local_way(scene)
    if way is None or scene.steps(StepKind.MATCHED):
        return
    for step in scene.steps(StepKind.REFUSED)[:1]:
        ended = scene.holder(step)
        if step.rule != "no-member" or ended is None:
            continue
        before, behind = _around(way.steps, scene.partial(step))
        for near in near_members(*ended, step.text):
            if not near.exact:
                continue
            steps: Steps = (*before, *near.path, *behind)
            leaf = _leaf_at(scene, step, steps)
            if leaf is None or not can_write(steps) or bool(leaf.value) != bool(way.leaf.value):
                continue
            yield near.name, fix_code.read_field(label(way.steps), (way, _now(way, steps, leaf)))
        for name in _flattened(step.text, behind):
            leaf = _leaf_at(scene, step, (*before, name))
            if leaf is not None and bool(leaf.value) == bool(way.leaf.value):
                now = _now(way, (*before, name), leaf)
                yield name, fix_code.read_field(label(way.steps), (way, now))


def _flattened(member: str, behind: Steps) -> Iterator[str]:
    """Names that a struct's parts get when it is dissolved: i_atime.tv_sec, i_atime_sec."""
    if len(behind) == 1 and isinstance(behind[0], str):
        part = behind[0]
        yield f"{member}_{part}"
        if "_" in part:
            yield f"{member}_{part.partition('_')[2]}"


def _around(steps: Steps, spec: AccessSpec | None) -> tuple[Steps, Steps]:
    """What stands before and behind the member that is missing."""
    reached = len(spec.accessors) - 1 if spec is not None and spec.accessors else 0
    return steps[:reached], steps[reached + 1 :]


def _now(way: Way, steps: Steps, leaf: Leaf) -> Way:
    return Way(
        way.keyword,
        way.tag.replace("___compiled", "___now"),
        steps,
        leaf,
        "The field as this kernel has it.",
    )


def _leaf_at(scene: Scene, step: Step, steps: Steps) -> Leaf | None:
    """The type of the target at a path from the candidate's root."""
    btf = scene.btf_of(step)
    if btf is None or step.type_id is None:
        return None
    type_id, bits = step.type_id, 0
    try:
        for part in steps:
            here = skip_modifiers_and_typedefs(btf, type_id)
            if isinstance(part, int):
                if here.kind is not BtfKind.ARRAY:
                    return None
                type_id, bits = here.type_id, 0
                continue
            rows = flat_members(btf, here).by_name.get(part)
            if not rows:
                return None
            type_id, bits = rows[0].member.type_id, rows[0].member.bitfield_size
    except EngineError:
        return None
    return leaf_of(btf, type_id, bits, "___now")


def retyped(scene: Scene) -> Snippet | None:
    """Declare the field with the target's type beside the compiled one."""
    way = _local_way(scene)
    refused = [step for step in scene.steps(StepKind.REFUSED) if step.rule == "field-type"]
    if way is None or not refused or scene.steps(StepKind.MATCHED):
        return None
    leaf = _leaf_at(scene, refused[0], way.steps)
    if leaf is None or bool(leaf.value) != bool(way.leaf.value):
        return None
    return fix_code.read_field(label(way.steps), (way, _now(way, way.steps, leaf)))


def tell_apart(scene: Scene) -> Snippet | None:
    """Ask first for a member that only the first of several types has."""
    way = _local_way(scene)
    steps = scene.steps(StepKind.MATCHED)
    if scene.policy.strategy is Strategy.GROUPED:
        steps = scene.steps(StepKind.MATCHED, StepKind.REFUSED)
    if way is None or len(steps) < 2 or not way.leaf.value:
        return None
    tables = []
    for step in steps:
        btf = scene.btf_of(step)
        if btf is None or step.type_id is None:
            return None
        tables.append(
            (btf, flat_members(btf, skip_modifiers_and_typedefs(btf, step.type_id)).by_name)
        )
    (btf, first), others = tables[0], tables[1:]
    if way.steps[0] not in first:
        return None
    for name, rows in first.items():
        if any(name in table for _, table in others) or name == way.steps[0]:
            continue
        leaf = leaf_of(btf, rows[0].member.type_id, rows[0].member.bitfield_size, "___meant")
        if leaf is None or not can_write((name,)) or leaf.behind.startswith(" :"):
            continue
        meant = Way(
            way.keyword,
            way.tag.replace("___compiled", "___meant"),
            way.steps,
            way.leaf,
            f"Type [{steps[0].type_id}] of the kernel: of several, the one that has {name}.",
        )
        return fix_code.tell_apart(meant, ((name,), leaf), label(way.steps))
    return None
