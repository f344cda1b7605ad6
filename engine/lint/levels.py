"""How deep types lie within types: type_matches follows them for as many levels as a loader has.

Follows: Linux kernel/bpf/btf.c MAX_TYPES_MATCH_DEPTH; libbpf src/relo_core.c
__bpf_core_types_match @ v1.7.0.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from engine.btf.decode import Btf
from engine.btf.kinds import BtfKind, BtfType
from engine.btf.resolve import skip_modifiers_and_typedefs
from engine.errors import EngineError

SKELETON_LEVELS: Final = 2
"""How far the kernel goes, which relocates for light skeletons."""
_CHAIN: Final = 32


@dataclass(slots=True)
class Levels:
    """Looks into the types of one object."""

    btf: Btf | None
    _known: dict[tuple[int, int], bool] = field(default_factory=dict)

    def exceed(self, type_id: int, level: int = SKELETON_LEVELS) -> bool:
        """Whether members held by value lie deeper than `level` levels; never raises."""
        if level <= 0:
            return True
        found = self._known.get((type_id, level))
        if found is None:
            found = self._known[type_id, level] = self._exceed(type_id, level)
        return found

    def _exceed(self, type_id: int, level: int) -> bool:
        try:
            end = self._by_value(type_id)
        except EngineError:
            return False
        if end is None:
            return False
        inner = [member.type_id for member in end.members] if end.is_composite else []
        if end.kind is BtfKind.FUNC_PROTO:
            inner = [param.type_id for param in end.params]
        return any(self.exceed(each, level - 1) for each in inner)

    def _by_value(self, type_id: int) -> BtfType | None:
        """What a type holds by value, past arrays; None where only a pointer leads on."""
        btf = self.btf
        if btf is None:
            return None
        for _ in range(_CHAIN):
            found = skip_modifiers_and_typedefs(btf, type_id)
            if found.kind is BtfKind.PTR:
                return None
            if found.kind is not BtfKind.ARRAY:
                return found
            type_id = found.type_id
        return None
