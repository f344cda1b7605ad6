"""What a register can hold, as far as a verifier knows it.

    int      a known number, 0 .. 2^64 - 1
    Range    a number of which bits and bounds are known
    Fp       a pointer into the stack of a frame; RoData one into a frozen map
    Opaque   anything else: ANY, TESTED, WILD
    None     never written

Bits are known as in the kernel's `struct tnum`: a set bit of `mask` is unknown, the others are
those of `value` (Linux kernel/bpf/tnum.c).
"""

from __future__ import annotations

from enum import Enum, auto
from typing import Final, NamedTuple, TypeGuard

U32: Final = (1 << 32) - 1
U64: Final = (1 << 64) - 1
S64_MIN, S64_MAX = -(1 << 63), (1 << 63) - 1

MERGED, WRITTEN, UNMODELLED, KCONFIG = 1, 2, 3, 4
REASONS: Final = (
    "",
    "too many paths meet, so their values were merged",
    "a call or a store may have written the stack slot that holds the value",
    "the value comes out of an operation that the analysis follows only in part",
    "the value is that of an extern in .kconfig, which the loader fills in",
)
"""Why a value is not known here although a verifier might know it; by `Range.weak`."""


class Range(NamedTuple):
    """A scalar: known bits, unsigned and signed bounds (64 bits wide).

    link  equal numbers other than 0 mark registers that hold the same value
    weak  index into REASONS: a verifier may know more than this
    """

    value: int = 0
    mask: int = U64
    umin: int = 0
    umax: int = U64
    smin: int = S64_MIN
    smax: int = S64_MAX
    link: int = 0
    weak: int = 0


class Fp(NamedTuple):
    """Address `off` bytes from the top of the stack of frame `frame`; off None: unknown."""

    frame: int
    off: int | None


class RoData(NamedTuple):
    """Address of byte `off` of the frozen map made of the ELF section `section`.

    With `extern`, off counts from that variable of .kconfig.
    """

    section: str
    off: int
    extern: str = ""


class Opaque(Enum):
    """Values of which nothing is known; none but WILD can point into a stack."""

    ANY = auto()
    """A pointer or a number."""
    TESTED = auto()
    """The same after a comparison, of which a verifier may remember more than we do."""
    WILD = auto()
    """Perhaps a pointer into any frame's stack."""


ANY, TESTED, WILD = Opaque.ANY, Opaque.TESTED, Opaque.WILD

Value = int | Range | Fp | RoData | Opaque | None

UNKNOWN: Final = Range()
UNKNOWN32: Final = Range(0, U32, 0, U32, 0, U32)
_WEAK: Final = tuple(Range(weak=reason) for reason in range(len(REASONS)))
SIZED: Final = {
    size: Range(0, limit, 0, limit, 0, limit) for size, limit in ((1, 0xFF), (2, 0xFFFF), (4, U32))
} | {8: UNKNOWN}
"""What a load of so many bytes gives."""


def signed(value: int) -> int:
    """Read an unsigned 64-bit number as a signed one."""
    return value - (1 << 64) if value >> 63 else value


def relinked(value: Range, link: int) -> Range:
    """The same value with another link; 0 for none."""
    if value.link == link:
        return value
    return Range._make((*value[:6], link, value[7]))


def weakened(reason: int) -> Range:
    """An unknown scalar for one of the REASONS."""
    return _WEAK[reason]


def as_range(value: int | Range) -> Range:
    """A scalar in the form of a Range."""
    if isinstance(value, Range):
        return value
    number = signed(value)
    return Range(value, 0, value, value, number, number)


def narrowed(
    value: int, mask: int, umin: int, umax: int, smin: int, smax: int, weak: int = 0
) -> int | Range:
    """Bring bits and bounds into agreement; a constant comes out as an int.

    Bounds that contradict each other are dropped: the kernels of old go on there.
    Follows: Linux kernel/bpf/verifier.c __update_reg_bounds, __reg_deduce_bounds,
    __reg_bound_offset @ v5.10.
    """
    if not mask:
        return value
    umin, umax = max(umin, value), min(umax, value | mask)
    if mask >> 63 == 0:
        low = signed(value)
        smin, smax = max(smin, low), min(smax, signed(value | mask))
    if smin >= 0 or smax < 0:
        umin, umax = max(umin, smin & U64), min(umax, smax & U64)
    if umax <= S64_MAX:
        smin, smax = max(smin, umin), min(smax, umax)
    elif umin > S64_MAX:
        smin, smax = max(smin, signed(umin)), min(smax, signed(umax))
    if umin > umax or smin > smax:
        umin, umax, smin, smax = value, value | mask, S64_MIN, S64_MAX
    value, mask = _bits_of_bounds(value, mask, umin, umax)
    if not mask:
        return value
    return Range(value, mask, umin, umax, smin, smax, 0, weak)


def _bits_of_bounds(value: int, mask: int, umin: int, umax: int) -> tuple[int, int]:
    """Known bits that follow from unsigned bounds, joined with those already known."""
    open_bits = (1 << (umin ^ umax).bit_length()) - 1
    known = umin & ~open_bits
    both = mask & open_bits
    return (value | known) & ~both & U64, both


def from_bits(value: int, mask: int, weak: int = 0) -> int | Range:
    """A scalar of which only bits are known."""
    return narrowed(value & ~mask & U64, mask & U64, 0, U64, S64_MIN, S64_MAX, weak)


def low32(value: int | Range) -> int | Range:
    """The lower half, zero-extended: what a 32-bit operation reads and a 32-bit copy gives."""
    if not isinstance(value, Range):
        return value & U32
    if value.umax <= U32 and not (value.value | value.mask) >> 32:
        return relinked(value, 0)
    return from_bits(value.value & U32, value.mask & U32, value.weak)


def is_scalar(value: Value) -> TypeGuard[int | Range]:
    """Whether a value is certainly a number."""
    return type(value) is int or type(value) is Range


def weakness(value: Value) -> int:
    """The index into REASONS for a value of which a verifier may know more, or 0."""
    if type(value) is Range:
        return value.weak
    if value is WILD:
        return WRITTEN
    return UNMODELLED if value is TESTED else 0


def join(one: Value, other: Value) -> Value:
    """What holds for both values; a register that one side never wrote counts as not written."""
    if one == other and type(one) is type(other):
        return one
    if one is None or other is None:
        return None
    if is_scalar(one) and is_scalar(other):
        if type(one) is Range and type(other) is Range and one[:6] == other[:6]:
            return one._replace(link=0, weak=one.weak or other.weak or MERGED)
        return weakened(MERGED)
    if type(one) is Fp and type(other) is Fp and one.frame == other.frame:
        return Fp(one.frame, None)
    if Fp in (type(one), type(other)) or WILD in (one, other):
        return WILD
    return TESTED


def covers(known: Value, new: Value) -> bool:
    """Whether everything that `new` can be, `known` can be as well, with no more knowledge."""
    if known == new and type(known) is type(new):
        return True
    if known is None:
        return False
    if known is WILD:
        return new is not None
    if known in (ANY, TESTED):
        return new is not None and new is not WILD and type(new) is not Fp
    if type(known) is Fp:
        return type(new) is Fp and new.frame == known.frame and known.off is None
    if type(known) is not Range or known.link:
        return False
    if type(new) is int:
        return (
            new & ~known.mask & U64 == known.value
            and known.umin <= new <= known.umax
            and known.smin <= signed(new) <= known.smax
        )
    if type(new) is not Range:
        return False
    return (
        new.mask & ~known.mask == 0
        and new.value & ~known.mask & U64 == known.value
        and known.umin <= new.umin
        and new.umax <= known.umax
        and known.smin <= new.smin
        and new.smax <= known.smax
    )
