"""Errors as one sentence: how aya tells what it refuses.

Follows: aya-obj src/btf/relocation.rs RelocationError @ 0.3.0.
"""

from __future__ import annotations

from collections.abc import Iterable

from engine.core.kinds import CoreReloKind
from engine.core.refusal import Refusal

_RUST_NAMES = {
    CoreReloKind.TYPE_ID_TARGET: "TypeIdTarget",
    CoreReloKind.TYPE_SIZE: "TypeSize",
}


def told(refusal: Refusal, section: str, number: int, slot: int) -> str:
    """The whole error; `number` counts records in their section, `slot` in the function."""
    reason = refusal.sentence.format(
        instruction=f"instruction #{slot} referenced by relocation #{number} is invalid"
    )
    return f"error relocating `{section}`: {reason or refusal}"


def escaped(text: str) -> str:
    """A text that stands in a sentence with places to fill."""
    return text.replace("{", "{{").replace("}", "}}")


def out_of_bounds(access: str, name: str, what: str) -> str:
    """An index that the local type does not have."""
    return escaped(f"invalid access string `{access}` for type `{name}`: {what}")


def sizes_differ(local: str, local_size: int, target: str, target_size: int) -> str:
    """An access that cannot be resized; sizes are in bytes."""
    return "{instruction}: " + escaped(
        f"original type {local} has size {local_size} but target type {target} has size "
        f"{target_size}"
    )


def too_far(value: int) -> str:
    """An offset that does not fit its field."""
    return f"{{instruction}}: value `{value}` overflows 16 bits offset field"


def missing_type(kind: CoreReloKind, type_id: int, insn_number: int) -> str:
    """A type whose size or id is asked for, and which the target lacks."""
    return (
        f"applying relocation `{_RUST_NAMES[kind]}` missing target BTF info for type "
        f"`{type_id}` at instruction #{insn_number}"
    )


def conflict(name: str, others: Iterable[str]) -> str:
    """Candidates that do not agree."""
    listed = ", ".join(f'"{other}"' for other in others)
    return escaped(
        f"error relocating {name}, multiple candidate target types found with different memory "
        f"layouts: [{listed}]"
    )
