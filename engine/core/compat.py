"""When a local and a target type may stand for each other.

Two questions: may a *field* of the one be read as a field of the other, and does a *type*
exist. (type_matches asks a third one, see `engine.core.types_match`.)
"""

from __future__ import annotations

from collections.abc import Callable

from engine import limits
from engine.btf.decode import Btf
from engine.btf.kinds import BtfKind, BtfType
from engine.btf.resolve import skip_modifiers_and_typedefs
from engine.core.names import essential_name
from engine.core.policy import FloatRule, LoaderPolicy
from engine.core.refusal import Refusal

_ENUMS = frozenset({BtfKind.ENUM, BtfKind.ENUM64})
_ALWAYS = frozenset(
    {BtfKind.VOID, BtfKind.STRUCT, BtfKind.UNION, BtfKind.ENUM, BtfKind.ENUM64, BtfKind.FWD}
)
_NAMED = frozenset({BtfKind.ENUM, BtfKind.ENUM64, BtfKind.FWD})


Warn = Callable[[str], None]


def silent(text: str) -> None:
    """Takes a warning that nobody reads."""


def unexpected(local: BtfType, target: BtfType) -> str:
    """Libbpf's words for a kind that it cannot compare."""
    return f"unexpected kind {local.kind.word} relocated, local [{local.id}], target [{target.id}]"


def kinds_compatible(local: BtfType, target: BtfType) -> bool:
    """Equal kinds; ENUM and ENUM64 count as equal."""
    return local.kind is target.kind or (local.kind in _ENUMS and target.kind in _ENUMS)


def fields_compatible(
    local_btf: Btf, local_id: int, target_btf: Btf, target_id: int, policy: LoaderPolicy
) -> bool:
    """Tell whether a field of the local type may be relocated to one of the target type.

    Follows: libbpf src/relo_core.c bpf_core_fields_are_compat @ v1.7.0.
    """
    for _ in range(limits.ARRAY_DIMENSIONS):
        local = skip_modifiers_and_typedefs(local_btf, local_id)
        target = skip_modifiers_and_typedefs(target_btf, target_id)
        if local.is_composite and target.is_composite:
            return True
        if not kinds_compatible(local, target):
            return False
        if local.kind in (BtfKind.PTR, BtfKind.FLOAT):
            return True
        if local.kind in _NAMED:
            return _names_agree(local.name, target.name, policy)
        if local.kind is BtfKind.INT:
            return local.int_offset == 0 and target.int_offset == 0
        if local.kind is not BtfKind.ARRAY:
            return False
        local_id, target_id = local.type_id, target.type_id
    raise Refusal("EINVAL", "array types are nested too deep")


def _names_agree(local: str, target: str, policy: LoaderPolicy) -> bool:
    if policy.anonymous_matches_any and not (local and target):
        return True
    return essential_name(local, policy.flavor) == essential_name(target, policy.flavor)


def types_compatible(
    local_btf: Btf,
    local_id: int,
    target_btf: Btf,
    target_id: int,
    policy: LoaderPolicy,
    warn: Warn = silent,
) -> bool:
    """Tell whether the local type exists as the target type; names were compared before.

    `warn` takes the loader's words about kinds that it does not expect. Raises Refusal EINVAL
    when the types are nested deeper than the loader goes.
    Follows: libbpf src/relo_core.c __bpf_core_types_are_compat @ v1.7.0.
    """
    if not kinds_compatible(local_btf.type(local_id), target_btf.type(target_id)):
        return False
    levels = policy.match_levels
    return _compatible(local_btf, local_id, target_btf, target_id, policy, levels, warn)


def _compatible(
    local_btf: Btf,
    local_id: int,
    target_btf: Btf,
    target_id: int,
    policy: LoaderPolicy,
    level: int,
    warn: Warn,
) -> bool:
    for _ in range(limits.COMPAT_DEPTH):
        local = skip_modifiers_and_typedefs(local_btf, local_id)
        target = skip_modifiers_and_typedefs(target_btf, target_id)
        if not kinds_compatible(local, target):
            return False
        if local.kind in _ALWAYS:
            return True
        if local.kind is BtfKind.INT:
            return local.int_offset == 0 and target.int_offset == 0
        if local.kind is BtfKind.FLOAT and policy.float_types is FloatRule.YES:
            return True
        if local.kind is BtfKind.FUNC_PROTO:
            if len(local.params) != len(target.params):
                return False
            for own, other in zip(local.params, target.params, strict=True):
                if level <= 0:
                    raise Refusal("EINVAL", "function types are nested too deep")
                if not _compatible(
                    local_btf, own.type_id, target_btf, other.type_id, policy, level - 1, warn
                ):
                    return False
        elif local.kind not in (BtfKind.PTR, BtfKind.ARRAY):
            warn(unexpected(local, target))
            return False
        local_id, target_id = local.type_id, target.type_id
    raise Refusal("EINVAL", "types are nested too deep")
