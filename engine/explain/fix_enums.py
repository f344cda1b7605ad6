"""Fixes for enumerators: asked for before they are used, or under another name."""

from __future__ import annotations

from collections.abc import Iterator

from engine.btf.kinds import ENUM_KINDS, BtfKind
from engine.core.names import essential_name
from engine.core.policy import FlavorRule
from engine.core.spec import AccessSpec
from engine.core.trace import StepKind
from engine.explain import fix_code
from engine.explain.c_parts import can_flavor
from engine.explain.fix_code import Snippet
from engine.explain.nearest import near_enumerators
from engine.explain.scene import Scene

_WANTED, _NOW = "___wanted", "___now"


def _names(local: AccessSpec | None) -> tuple[str, str, str] | None:
    """Keyword, type and enumerator without flavors; None when C cannot write them."""
    if local is None or not local.accessors:
        return None
    keyword = "typedef" if local.root_kind is BtfKind.TYPEDEF else "enum"
    if keyword == "enum" and local.root_kind not in ENUM_KINDS:
        return None
    tag = essential_name(local.root_name, FlavorRule.FIRST)
    enumerator = essential_name(local.accessors[0].name or "", FlavorRule.FIRST)
    if not can_flavor(tag) or not can_flavor(enumerator):
        return None
    return keyword, tag, enumerator


def guard(scene: Scene) -> Snippet | None:
    """Use the enumerator only where it exists."""
    names, local = _names(scene.local), scene.local
    if names is None or local is None:
        return None
    keyword, tag, enumerator = names
    row = (keyword, tag + _WANTED, enumerator + _WANTED, local.enum_value or 0)
    return fix_code.enum_value(enumerator, (row,))


def renamed(scene: Scene) -> Iterator[tuple[str, Snippet]]:
    """Take the nearest enumerator that the target has where the compiled one is missing."""
    names, local = _names(scene.local), scene.local
    if names is None or local is None:
        return
    keyword, tag, enumerator = names
    row = (keyword, tag + _WANTED, enumerator + _WANTED, local.enum_value or 0)
    for step in scene.steps(StepKind.REFUSED)[:1]:
        ended = scene.holder(step)
        if step.rule != "no-enumerator" or ended is None:
            continue
        values = {entry.name: entry.value for entry in ended[1].enumerators}
        for near in near_enumerators(*ended, step.text)[:1]:
            if can_flavor(near):
                other = (keyword, tag + _NOW, near + _NOW, values[near])
                yield near, fix_code.enum_value(enumerator, (row, other))
