"""One frame's stack: what a verifier remembers of each 8-byte slot.

    slot -1   fp-8 .. fp-1      slot -2   fp-16 .. fp-9      ...

A slot remembers one value stored at its first byte (8 bytes of anything, or 4 bytes of a
constant), and which bytes were zeroed one by one. All else that is stored is forgotten.

Follows: Linux kernel/bpf/verifier.c check_stack_write_fixed_off, check_stack_read_fixed_off
@ v5.10 and v6.12, and what loading programs on five kernels showed.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from engine.flow.values import (
    ANY,
    MERGED,
    SIZED,
    U32,
    U64,
    UNKNOWN,
    UNMODELLED,
    WILD,
    WRITTEN,
    Range,
    Value,
    covers,
    is_scalar,
    join,
    narrowed,
    relinked,
)
from engine.flow.verifier import VerifierPolicy

SLOT: Final = 8
STACK_BYTES: Final = 512


class Slot(NamedTuple):
    """What is known of one slot.

    kept   the value stored at the first byte and its size in bytes; size 0: none
    zeros  bit n: byte n is zero on its own account
    weak   index into REASONS: a verifier may know more of the other bytes
    """

    kept: Value
    size: int
    zeros: int
    weak: int = 0


Slots = dict[int, Slot]


def store(slots: Slots, off: int, size: int, value: Value, policy: VerifierPolicy) -> None:
    """Write `size` bytes at fp+off; offsets outside the stack are ignored."""
    if not -STACK_BYTES <= off < 0:
        return
    number, at = off >> 3, off & 7
    if at + size > SLOT:
        lose(slots, off, off + size, WRITTEN)
        return
    if size == SLOT:
        slots[number] = _whole(value, policy)
        return
    old = slots.get(number)
    zeros, weak = (old.zeros, old.weak) if old is not None else (0, 0)
    mask = (1 << size) - 1 << at
    number_spilled = at == 0 and is_scalar(value) and value != 0
    if zeros & ~mask and not _zeros_stay(old, at, policy, spilled=number_spilled):
        zeros, weak = 0, weak or UNMODELLED
    zeros &= ~mask
    if value == 0 and type(value) is int:
        if at == 0 and not policy.zeros_outlive_neighbours:
            slots[number] = Slot(0, size, zeros, weak)
        else:
            slots[number] = Slot(None, 0, zeros | mask, weak)
    elif type(value) is int and size == 4 and at == 0 and value <= U32:
        slots[number] = Slot(value, 4, zeros, weak)
    elif number_spilled and zeros:
        # The next store into the slot may make it ordinary bytes; that is not followed.
        slots[number] = Slot(None, 0, 0, weak or UNMODELLED)
    else:
        slots[number] = Slot(None, 0, zeros, weak or _weakness(value))


def _zeros_stay(old: Slot | None, at: int, policy: VerifierPolicy, *, spilled: bool) -> bool:
    """Whether zeros in other bytes of a slot are remembered after a store into a part of it.

    A store that is no spill makes a slot that held one ordinary bytes; so does, for the bytes
    beside it, a spill on kernels before 6.8.
    """
    if spilled:
        return policy.zeros_outlive_spills
    return at == 0 or old is None or old.size == 0


def _whole(value: Value, policy: VerifierPolicy) -> Slot:
    if type(value) is int:
        if value == 0 and policy.zeros_outlive_neighbours:
            return Slot(None, 0, 0xFF)
        return Slot(value, SLOT, 0)
    if type(value) is Range and value.link:
        value = relinked(value, 0)
    return Slot(value, SLOT, 0)


def _weakness(value: Value) -> int:
    return value.weak if type(value) is Range else 0


def fetch(slots: Slots, off: int, size: int, policy: VerifierPolicy) -> Value:
    """Read `size` bytes at fp+off, zero-extended."""
    slot = slots.get(off >> 3)
    at = off & 7
    if slot is None or at + size > SLOT or not -STACK_BYTES <= off < 0:
        return ANY if size == SLOT else SIZED[size]
    if slot.size:
        if at == 0 and size == slot.size:
            return slot.kept
        if type(slot.kept) is int:
            if slot.kept == 0 and at + size <= slot.size:
                return 0
            if at == 0 and size < slot.size and policy.narrow_fills:
                return slot.kept & (1 << 8 * size) - 1
    mask = (1 << size) - 1 << at
    if slot.zeros & mask == mask:
        return 0
    if size == SLOT:
        return WILD if slot.weak else UNKNOWN
    weak = slot.weak or _weakness(slot.kept)
    return SIZED[size]._replace(weak=weak) if weak else SIZED[size]


def lose(slots: Slots, start: int, end: int, reason: int) -> None:
    """Forget the slots that bytes fp+start .. fp+end touch; reason 0: verifiers do so as well.

    What is written there may be a number, never an address in a stack.
    """
    for number in [n for n in slots if start <= n * SLOT + SLOT - 1 and n * SLOT < end]:
        slots[number] = Slot(None, 0, 0, reason)


def scatter(slots: Slots) -> None:
    """Forget all slots, as after writing a pointer to an unknown place."""
    for number in range(-STACK_BYTES // SLOT, 0):
        slots[number] = Slot(None, 0, 0, WRITTEN)


def join_slots(one: Slots, other: Slots) -> Slots:
    """What holds for both stacks."""
    joined: Slots = {}
    for number in one.keys() | other.keys():
        a, b = one.get(number), other.get(number)
        if a is None or b is None:
            joined[number] = Slot(None, 0, 0, MERGED)
        elif a == b:
            joined[number] = a
        elif a.size == b.size == SLOT:
            joined[number] = Slot(join(a.kept, b.kept), SLOT, 0, a.weak or b.weak)
        else:
            same = a.size == b.size and a.kept == b.kept and type(a.kept) is type(b.kept)
            kept, size = (a.kept, a.size) if same else (None, 0)
            joined[number] = Slot(kept, size, a.zeros & b.zeros, MERGED)
    return joined


def slots_cover(known: Slots, new: Slots) -> bool:
    """Whether whatever `new` says holds no more than what `known` says."""
    for number, a in known.items():
        b = new.get(number)
        if a == b:
            continue
        if b is None or a.zeros & ~b.zeros:
            return False
        if a.size and not (a.size == b.size and covers(a.kept, b.kept)):
            return False
        if not a.weak and (b.weak or (not a.size and b.size == SLOT and not is_scalar(b.kept))):
            # Not a stack pointer, as far as `known` goes; `new` may hold one.
            return False
    return all(number in known for number in new)


def sign_extend(value: Value, size: int) -> Value:
    """Read the low `size` bytes of a loaded value as a signed number."""
    bits = 8 * size
    limit = 1 << bits - 1
    if type(value) is int:
        return value - (1 << bits) & U64 if value & limit else value
    return narrowed(0, U64, 0, U64, -limit, limit - 1, _weakness(value))
