"""The one name of the target that comes closest to what a relocation asks for in vain."""

from __future__ import annotations

from engine.core.candidates import Target
from engine.core.policy import LoaderPolicy
from engine.core.prepare import PreparedObject
from engine.core.result import Relocation
from engine.explain.scene import Scene
from engine.explain.story_candidates import nearest


def nearest_name(
    relocation: Relocation, prepared: PreparedObject, target: Target, policy: LoaderPolicy
) -> str:
    """Give the nearest name as it is shown (`__state`, `thread_info.cpu`), or nothing."""
    scene = Scene(relocation, prepared, target, policy)
    if scene.local is None:
        return ""
    for sentence in nearest(scene, scene.local):
        if sentence and not sentence[0].code:  # one that begins with a name speaks of another enum
            return next((piece.text for piece in sentence if piece.code), "")
    return ""
