"""Looking through modifiers and typedefs, and finding the size of a type."""

from __future__ import annotations

from engine import limits
from engine.btf.decode import Btf
from engine.btf.kinds import MODIFIER_KINDS, SKIPPED_KINDS, BtfKind, BtfType
from engine.errors import BtfTypeError

_SIZED_KINDS = frozenset(
    {BtfKind.INT, BtfKind.STRUCT, BtfKind.UNION, BtfKind.ENUM, BtfKind.ENUM64}
    | {BtfKind.FLOAT, BtfKind.DATASEC}
)
_FOLLOWED_KINDS = SKIPPED_KINDS | {BtfKind.VAR, BtfKind.DECL_TAG}


def skip_modifiers(btf: Btf, type_id: int) -> BtfType:
    """The type behind const, volatile, restrict and type tags; a typedef stops the walk.

    Raises BtfTypeError when the chain is longer than 32 steps (it may be a cycle).
    """
    return _skip(btf, type_id, MODIFIER_KINDS)


def skip_modifiers_and_typedefs(btf: Btf, type_id: int) -> BtfType:
    """The type behind modifiers and typedefs.

    Raises BtfTypeError when the chain is longer than 32 steps (it may be a cycle).
    Follows: libbpf src/btf.c skip_mods_and_typedefs.
    """
    found = btf.type(type_id)
    return found if found.kind not in SKIPPED_KINDS else _skip(btf, type_id, SKIPPED_KINDS)


def size_of(btf: Btf, type_id: int) -> int:
    """Size in bytes; an array counts all its dimensions.

    Raises BtfTypeError for a type without a size (void, FWD, FUNC ...) and for long chains.
    Follows: libbpf src/btf.c btf__resolve_size.
    """
    count = 1
    current = btf.type(type_id)
    for _ in range(limits.TYPE_CHAIN_STEPS):
        if current.kind in _SIZED_KINDS:
            return count * current.size
        if current.kind is BtfKind.PTR:
            return count * btf.pointer_size
        if current.kind is BtfKind.ARRAY:
            count *= current.nelems
        elif current.kind not in _FOLLOWED_KINDS:
            raise BtfTypeError(
                f"type [{type_id}] has no size: it leads to [{current.id}] {current.kind.word}",
                place=f"type [{type_id}] of .BTF",
            )
        current = btf.type(current.type_id)
    raise _too_long(type_id)


def _skip(btf: Btf, type_id: int, kinds: frozenset[BtfKind]) -> BtfType:
    current = btf.type(type_id)
    if current.kind not in kinds:
        return current
    for _ in range(limits.TYPE_CHAIN_STEPS):
        if current.kind not in kinds:
            return current
        current = btf.type(current.type_id)
    raise _too_long(type_id)


def _too_long(type_id: int) -> BtfTypeError:
    return BtfTypeError(
        f"type [{type_id}] leads through more than {limits.TYPE_CHAIN_STEPS} other types, "
        "which is a cycle or as good as one",
        place=f"type [{type_id}] of .BTF",
    )
