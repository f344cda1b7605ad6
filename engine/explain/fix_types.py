"""Fixes for whole types: asked for before they are used, of another kind, or the program's own."""

from __future__ import annotations

from engine.btf.kinds import BtfKind
from engine.core.kinds import CoreReloKind
from engine.core.names import essential_name
from engine.core.policy import FlavorRule
from engine.core.trace import StepKind
from engine.explain import fix_code
from engine.explain.c_parts import Leaf, Steps, can_flavor, is_name, leaf_of
from engine.explain.fields import field_of
from engine.explain.fix_code import Snippet, Way
from engine.explain.fix_fields import KEYWORDS, can_name, label, root_name, steps_of
from engine.explain.scene import Scene

_MACROS = {
    CoreReloKind.TYPE_SIZE: "bpf_core_type_size",
    CoreReloKind.TYPE_ID_TARGET: "bpf_core_type_id_kernel",
}
_MOST_MEMBERS = 40


def guard(scene: Scene) -> Snippet | None:
    """Ask for a type's size or id only where the kernel has the type."""
    macro = _MACROS.get(scene.relocation.kind)
    return _question(scene, macro) if macro else None


def exists(scene: Scene) -> Snippet | None:
    """Ask only whether the type exists."""
    return _question(scene, "bpf_core_type_exists")


def _question(scene: Scene, macro: str) -> Snippet | None:
    local = scene.local
    if local is None:
        return None
    keyword = KEYWORDS.get(local.root_kind, "")
    if local.root_kind in (BtfKind.ENUM, BtfKind.ENUM64):
        keyword = "enum"
    name = essential_name(local.root_name, FlavorRule.FIRST)
    if not keyword or not can_flavor(name):
        return None
    return fix_code.type_question(name, keyword, f"{name}___wanted", macro)


def other_kind(scene: Scene) -> tuple[str, Snippet] | None:
    """Declare the root as the kind that the target has of this name."""
    local = scene.local
    others = scene.steps(StepKind.OTHER_KIND)
    if local is None or not others or not scene.steps(StepKind.NO_CANDIDATE):
        return None
    kinds = [BtfKind[step.text.upper()] for step in others]
    kind = next((kind for kind in kinds if kind in KEYWORDS), None)
    field = field_of(local, scene.local_btf)
    if kind is None or field is None or not can_name(local):
        return None
    leaf = leaf_of(scene.local_btf, field.type.id, field.bits, "___now")
    if leaf is None:
        return None
    about = "The kind of type that this kernel has."
    way = Way(KEYWORDS[kind], f"{root_name(local)}___now", steps_of(local), leaf, about)
    return KEYWORDS[kind], fix_code.read_field(label(way.steps), (way,))


def own_struct(scene: Scene) -> Snippet | None:
    """Write the program's own struct out without the attribute, when it is a plain one."""
    local = scene.local
    if local is None or local.root_kind not in (BtfKind.STRUCT, BtfKind.UNION):
        return None
    root = scene.local_btf.type(local.root_id)
    steps = steps_of(local)
    if not is_name(root.name) or not 0 < root.vlen <= _MOST_MEMBERS or len(steps) != 1:
        return None
    fields: list[tuple[Steps, Leaf]] = []
    for member in root.members:
        leaf = leaf_of(scene.local_btf, member.type_id, member.bitfield_size, "___own")
        if leaf is None or not is_name(member.name) or "{" in leaf.type:
            return None
        fields.append(((member.name,), leaf))
    wanted = next((leaf for name, leaf in fields if name[0] == steps[0]), None)
    if wanted is None or not wanted.value:
        return None
    return fix_code.own_struct(local.root_kind.word, root.name, fields, steps)
