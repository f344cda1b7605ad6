"""Conditional jumps: which side can run, and what each side learns.

Follows: Linux kernel/bpf/verifier.c is_branch_taken, reg_set_min_max @ v5.10; @ v6.12 for the
comparisons that `VerifierPolicy` tells apart.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Final

from engine.flow.values import (
    S64_MAX,
    S64_MIN,
    TESTED,
    U32,
    U64,
    UNMODELLED,
    Opaque,
    Range,
    Value,
    as_range,
    from_bits,
    is_scalar,
    low32,
    narrowed,
    signed,
)
from engine.flow.verifier import VerifierPolicy

EQ, GT, GE, SET, NE, SGT, SGE, LT, LE, SLT, SLE = (
    0x10, 0x20, 0x30, 0x40, 0x50, 0x60, 0x70, 0xA0, 0xB0, 0xC0, 0xD0,
)  # fmt: skip

OPPOSITE: Final = {EQ: NE, NE: EQ, GT: LE, LE: GT, GE: LT, LT: GE,
                   SGT: SLE, SLE: SGT, SGE: SLT, SLT: SGE}  # fmt: skip
"""The condition under which a jump is not taken; SET has none."""


def decide(
    condition: int, one: Value, other: Value, *, wide: bool, policy: VerifierPolicy
) -> bool | None:
    """Whether the jump is taken; None when the verifier goes on both ways."""
    if type(one) is int and type(other) is int:
        return _constants(condition, one, other, wide)
    if not is_scalar(one) or not is_scalar(other):
        return None
    if type(other) is not int and not policy.ranges_compared:
        return None
    return _ranges(condition, one, other, wide, policy)


def _ranges(
    condition: int, one: int | Range, other: int | Range, wide: bool, policy: VerifierPolicy
) -> bool | None:
    a, b = _view(one, wide), _view(other, wide)
    if condition in (EQ, NE):
        if not policy.ranges_decide_equality:
            return None
        apart = a.umin > b.umax or a.umax < b.umin or a.smin > b.smax or a.smax < b.smin
        return condition == NE if apart else None
    if condition == SET:
        if b.mask:
            return None
        if a.value & b.value:
            return True
        return None if (a.value | a.mask) & b.value else False
    return _order(condition, a, b)


def _constants(condition: int, one: int, other: int, wide: bool) -> bool:
    if not wide:
        one, other = one & U32, other & U32
    if condition == EQ:
        return one == other
    if condition == NE:
        return one != other
    if condition == SET:
        return bool(one & other)
    if condition in (SGT, SGE, SLT, SLE):
        one, other = (signed(one), signed(other)) if wide else (_signed32(one), _signed32(other))
    if condition in (GT, SGT):
        return one > other
    if condition in (GE, SGE):
        return one >= other
    if condition in (LT, SLT):
        return one < other
    return one <= other


def _signed32(value: int) -> int:
    return value - (1 << 32) if value >> 31 else value


def _view(value: int | Range, wide: bool) -> Range:
    """The half that is compared; signed bounds of a 32-bit one are those of 32 bits."""
    if wide:
        return as_range(value)
    low = low32(value)
    if not isinstance(low, Range):
        number = _signed32(low)
        return as_range(low)._replace(smin=number, smax=number)
    if low.umax >> 31:
        return low._replace(smin=-(1 << 31), smax=(1 << 31) - 1)
    return low


def _order(condition: int, a: Range, b: Range) -> bool | None:
    if condition in (SGT, SLE, SGE, SLT):
        low, high, other_low, other_high = a.smin, a.smax, b.smin, b.smax
    else:
        low, high, other_low, other_high = a.umin, a.umax, b.umin, b.umax
    if condition in (GT, SGT, LE, SLE):
        if low > other_high:
            return condition in (GT, SGT)
        return condition in (LE, SLE) if high <= other_low else None
    if low >= other_high:
        return condition in (GE, SGE)
    return condition in (LT, SLT) if high < other_low else None


def learn(condition: int, value: Value, other: Value, *, taken: bool, wide: bool) -> Value:
    """What the first operand is known to be on one side of a jump that can go both ways."""
    if type(value) is not Range:
        if value is not Opaque.ANY:
            return value
        differs = condition == (NE if taken else EQ) and type(other) is int and other
        return value if differs else TESTED
    if type(other) is not int:
        return value._replace(weak=value.weak or UNMODELLED)
    if not wide:
        return _learn32(condition, value, other & U32, taken)
    if condition == SET:
        return _learn_set(value, other, taken)
    return _bounded(condition if taken else OPPOSITE[condition], value, other)


def _learn_set(value: Range, bits: int, taken: bool) -> Value:
    if not taken:
        learnt = from_bits(value.value & ~bits, value.mask & ~bits, value.weak)
    elif bits & bits - 1 == 0:
        learnt = from_bits(value.value | bits, value.mask & ~bits, value.weak)
    else:
        return value
    if not isinstance(learnt, Range):
        return learnt
    return narrowed(
        learnt.value, learnt.mask, value.umin, value.umax, value.smin, value.smax, value.weak
    )


@lru_cache(maxsize=4096)
def _bounded(condition: int, value: Range, limit: int) -> Value:
    umin, umax, smin, smax = value.umin, value.umax, value.smin, value.smax
    number = signed(limit)
    if condition == EQ:
        return limit
    if condition == NE:
        return value
    if condition == GT:
        umin = max(umin, min(limit + 1, U64))
    elif condition == GE:
        umin = max(umin, limit)
    elif condition == LT:
        umax = min(umax, max(limit - 1, 0))
    elif condition == LE:
        umax = min(umax, limit)
    elif condition == SGT:
        smin = max(smin, min(number + 1, S64_MAX))
    elif condition == SGE:
        smin = max(smin, number)
    elif condition == SLT:
        smax = min(smax, max(number - 1, S64_MIN))
    elif condition == SLE:
        smax = min(smax, number)
    return narrowed(value.value, value.mask, umin, umax, smin, smax, value.weak)


def _learn32(condition: int, value: Range, limit: int, taken: bool) -> Value:
    """A 32-bit comparison; of a wider value only bits are kept, as old kernels do."""
    if (value.value | value.mask) >> 32 == 0:
        if condition == SET:
            return _learn_set(value, limit, taken)
        condition = condition if taken else OPPOSITE[condition]
        if condition in (SGT, SGE, SLT, SLE) and (value.umax >> 31 or limit >> 31):
            # The sign bit of the lower half may be set: its bounds are not those of 64 bits.
            return value._replace(weak=value.weak or UNMODELLED)
        return _bounded(condition, value, limit)
    known, mask = value.value, value.mask
    if (condition == EQ and taken) or (condition == NE and not taken):
        known, mask = known & ~U32 & U64 | limit, mask & ~U32
    weak = value.weak if condition in (EQ, NE) else value.weak or UNMODELLED
    return from_bits(known, mask, weak)
