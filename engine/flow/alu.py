"""Arithmetic on what is known of two values, no cleverer than the kernel's verifier.

Follows: Linux kernel/bpf/verifier.c adjust_scalar_min_max_vals, adjust_ptr_min_max_vals and
kernel/bpf/tnum.c @ v5.10; later kernels know at least as much.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Final

from engine.flow.values import (
    ANY,
    S64_MAX,
    S64_MIN,
    U32,
    U64,
    UNKNOWN,
    UNKNOWN32,
    UNMODELLED,
    WILD,
    Fp,
    Range,
    RoData,
    Value,
    as_range,
    from_bits,
    is_scalar,
    low32,
    narrowed,
    signed,
    weakness,
)
from engine.flow.verifier import VerifierPolicy
from engine.insn import opcodes as op

ADD, SUB, MUL, OR, AND, LSH, RSH, XOR, ARSH = (
    0x00, 0x10, 0x20, 0x40, 0x50, 0x60, 0x70, 0xA0, 0xC0,
)  # fmt: skip
_U16: Final = 0xFFFF


def arithmetic(
    operation: int, one: Value, other: Value, *, wide: bool, policy: VerifierPolicy, off: int = 0
) -> Value:
    """Apply a two-operand operation; `off` is the instruction's, 1 for signed division.

    Operations on pointers that a verifier refuses give an unknown number.
    """
    if type(one) is int and type(other) is int:
        return _constants(operation, one, other, wide, policy, off)
    if is_scalar(one) and is_scalar(other):
        return _scalars(operation, one, other, wide, policy, off)
    return _pointers(operation, one, other, wide)


def _scalars(
    operation: int, one: int | Range, other: int | Range, wide: bool,
    policy: VerifierPolicy, off: int,
) -> Value:  # fmt: skip
    if operation in (op.DIV, op.MOD):
        return _lost(one, other, known=policy.divisions or off != 0)
    if not wide:
        one, other = low32(one), low32(other)
    if operation in (LSH, RSH, ARSH) and as_range(other).umax >= (64 if wide else 32):
        return _lost(one, other, known=False)
    result = _ranges(operation, one, other, wide)
    return result if wide else low32(result)


def negated(one: Value, *, wide: bool, policy: VerifierPolicy) -> Value:
    """`r1 = -r1`."""
    if type(one) is int and policy.negations:
        return -one & (U64 if wide else U32)
    return _lost(one, 0, known=policy.negations)


def swapped(one: Value, bits: int, *, to_big: bool, policy: VerifierPolicy) -> Value:
    """`r1 = be16 r1` and its like, on a little-endian kernel; a big-endian one passes False."""
    if bits not in (16, 32, 64):
        return UNKNOWN
    if type(one) is int and policy.byte_swaps and to_big:
        return int.from_bytes((one & (1 << bits) - 1).to_bytes(bits // 8, "little"), "big")
    return _lost(one, 0, known=policy.byte_swaps)


def sign_extended(one: Value, bits: int, *, wide: bool) -> Value:
    """`r1 = (s8)r2`: kernels that have it may keep a constant, which is not followed here."""
    if bits not in (8, 16, 32):
        return UNKNOWN
    return Range(weak=UNMODELLED) if wide else UNKNOWN32._replace(weak=UNMODELLED)


def _lost(one: Value, other: Value, *, known: bool) -> Range:
    """An unknown result, of 64 bits as kernels have it; `known`: a verifier keeps more."""
    reason = UNMODELLED if known else weakness(one) or weakness(other)
    return Range(weak=reason) if reason else UNKNOWN


def _constants(
    operation: int, one: int, other: int, wide: bool, policy: VerifierPolicy, off: int
) -> Value:
    bits, limit = (64, U64) if wide else (32, U32)
    one, other = one & limit, other & limit
    if operation == ADD:
        return (one + other) & limit
    if operation == SUB:
        return (one - other) & limit
    if operation == MUL:
        return (one * other) & limit
    if operation == AND:
        return one & other
    if operation == OR:
        return one | other
    if operation == XOR:
        return one ^ other
    if operation == op.DIV and off == 0 and policy.divisions and other:
        return one // other
    if operation == op.MOD and off == 0 and policy.divisions and other:
        return narrowed(0, U64, 0, min(one, other - 1), S64_MIN, S64_MAX)
    if operation in (op.DIV, op.MOD):
        return _lost(one, other, known=policy.divisions or off != 0)
    if other >= bits:
        return UNKNOWN
    if operation == LSH:
        return (one << other) & limit
    if operation == RSH:
        return one >> other
    if operation == ARSH:
        number = one - (1 << bits) if one >> bits - 1 else one
        return (number >> other) & limit
    return UNKNOWN


def _pointers(operation: int, one: Value, other: Value, wide: bool) -> Value:
    """Only 64-bit additions and subtractions keep a pointer."""
    if not wide or operation not in (ADD, SUB):
        return UNKNOWN
    if is_scalar(one):
        one, other = other, one  # number + pointer
    elif not is_scalar(other):
        if WILD in (one, other) or operation == ADD:
            return WILD
        return UNKNOWN  # the distance of two pointers
    if type(one) is Fp:
        if one.off is None or type(other) is not int:
            return Fp(one.frame, None)
        return Fp(one.frame, one.off + _step(operation, other))
    if type(one) is RoData:
        if type(other) is not int:
            return ANY
        return one._replace(off=one.off + _step(operation, other))
    return one


def _step(operation: int, by: int) -> int:
    return signed(by) if operation == ADD else -signed(by)


@lru_cache(maxsize=4096)  # programs do the same to the same ranges over and over
def _ranges(operation: int, one: int | Range, other: int | Range, wide: bool) -> int | Range:
    a, b = as_range(one), as_range(other)
    weak = a.weak or b.weak
    if operation in (ADD, SUB):
        return _sum(operation, a, b, weak)
    if operation == AND:
        value, mask = a.value & b.value, (a.value | a.mask) & (b.value | b.mask)
        mask &= ~value
        return narrowed(value, mask, 0, min(a.umax, b.umax), S64_MIN, S64_MAX, weak)
    if operation == OR:
        value = a.value | b.value
        return from_bits(value, (a.mask | b.mask) & ~value, weak)
    if operation == XOR:
        return from_bits(a.value ^ b.value, a.mask | b.mask, weak)
    if operation == MUL:
        if wide or a.umax > _U16 or b.umax > _U16:
            return Range(weak=weak or UNMODELLED)
        return narrowed(0, U64, a.umin * b.umin, a.umax * b.umax, S64_MIN, S64_MAX, weak)
    return _shift(operation, a, b, wide, weak)


def _sum(operation: int, a: Range, b: Range, weak: int) -> int | Range:
    if operation == ADD:
        umin, umax, smin, smax = a.umin + b.umin, a.umax + b.umax, a.smin + b.smin, a.smax + b.smax
        value, mask = _bits_of_sum(a.value, a.mask, b.value, b.mask)
    else:
        umin, umax, smin, smax = a.umin - b.umax, a.umax - b.umin, a.smin - b.smax, a.smax - b.smin
        value, mask = _bits_of_difference(a.value, a.mask, b.value, b.mask)
    if umin < 0 or umax > U64:
        umin, umax = 0, U64
    if smin < S64_MIN or smax > S64_MAX:
        smin, smax = S64_MIN, S64_MAX
    return narrowed(value, mask, umin, umax, smin, smax, weak)


def _bits_of_sum(av: int, am: int, bv: int, bm: int) -> tuple[int, int]:
    least = (av + bv) & U64
    unsure = ((least + am + bm) ^ least) & U64 | am | bm
    return least & ~unsure, unsure


def _bits_of_difference(av: int, am: int, bv: int, bm: int) -> tuple[int, int]:
    plain = (av - bv) & U64
    unsure = (((plain + am) ^ (plain - bm)) & U64) | am | bm
    return plain & ~unsure & U64, unsure


def _shift(operation: int, a: Range, b: Range, wide: bool, weak: int) -> int | Range:
    """Shifts keep bits; bounds only where all kernels keep those of the lower half, too."""
    by = b.value
    if b.mask or operation not in (LSH, RSH, ARSH):
        return Range(weak=weak or UNMODELLED)
    if operation == LSH:
        return from_bits(a.value << by & U64, a.mask << by & U64, weak)
    if operation == RSH:
        value, mask = a.value >> by, a.mask >> by
        if wide:
            return from_bits(value, mask, weak)
        return narrowed(value, mask, a.umin >> by, a.umax >> by, S64_MIN, S64_MAX, weak)
    if not wide:
        return Range(weak=weak if a.umax == U32 else weak or UNMODELLED)
    value, mask = signed(a.value) >> by & U64, signed(a.mask) >> by & U64
    return from_bits(value & ~mask, mask, weak)
