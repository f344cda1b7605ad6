"""The rules, one a module; each has `RULE`. See docs/lint.md."""

from __future__ import annotations

from typing import Final

from engine.lint.rule import Rule
from engine.lint.rules import (
    ambiguity,
    constant_guard,
    enum_number,
    flavor_name,
    guard_lost,
    guard_mismatch,
    jump_over_load,
    loader_support,
    no_relocation,
    plain_bitfield,
    reachable_poison,
    root_kind,
    silent_zero,
    size_change,
    unguarded_enum_value,
)

RULES: Final[tuple[Rule, ...]] = (
    reachable_poison.RULE,
    unguarded_enum_value.RULE,
    guard_mismatch.RULE,
    guard_lost.RULE,
    silent_zero.RULE,
    jump_over_load.RULE,
    size_change.RULE,
    ambiguity.RULE,
    loader_support.RULE,
    plain_bitfield.RULE,
    no_relocation.RULE,
    constant_guard.RULE,
    root_kind.RULE,
    flavor_name.RULE,
    enum_number.RULE,
)
"""All rules, in the order in which they are documented."""
