"""Changing bytes so that they stay close to what they were: the parser should get far."""

from __future__ import annotations

from random import Random

_WORDS = (0, 1, 2, 3, 4, 7, 8, 0x7F, 0x80, 0xFF, 0x100, 0x7FFF, 0x8000, 0xFFFF, 0x10000)
_EDGES = (*_WORDS, 0xFFFFFF, 0x1000000, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFE, 0xFFFFFFFF)
_TEXTS = (b"___", b":", b"::", b"-1", b"99999999999999999999", b"0:" * 70, b"\0", b"\xff\xfe")


def mutate(data: bytes, random: Random, seeds: list[bytes]) -> bytes:
    """Give changed data: one to eight changes, most of them of a byte or an aligned word."""
    changed = bytearray(data)
    for _ in range(random.choice((1, 1, 1, 2, 3, 8))):
        _change(changed, random, seeds)
    return bytes(changed)


def _change(data: bytearray, random: Random, seeds: list[bytes]) -> None:
    if not data:
        data += random.randbytes(8)
        return
    at = random.randrange(len(data))
    kind = random.random()
    if kind < 0.25:
        data[at] ^= 1 << random.randrange(8)
    elif kind < 0.4:
        data[at] = random.randrange(256)
    elif kind < 0.7:
        _word(data, at, random)
    elif kind < 0.78:
        data[at:at] = random.choice(_TEXTS)
    elif kind < 0.84:
        del data[at : at + random.choice((1, 4, 8, 12, 64))]
    elif kind < 0.9:
        other = random.choice(seeds)
        start = random.randrange(len(other) or 1)
        size = random.choice((4, 12, 24, 64))
        data[at : at + size] = other[start : start + size]
    elif kind < 0.96:
        size = random.choice((4, 12, 24))
        data[at:at] = data[at : at + size] * random.choice((1, 2, 50))
    else:
        del data[at:]


def _word(data: bytearray, at: int, random: Random) -> None:
    """Set, or move by a little, an aligned word of 1, 2, 4 or 8 bytes in either byte order."""
    size = random.choice((1, 2, 4, 4, 4, 8))
    at -= at % min(size, 4)
    if at + size > len(data):
        return
    order = random.choice(("little", "big"))
    value = int.from_bytes(data[at : at + size], order)
    if random.random() < 0.5:
        value = random.choice(_EDGES)
    else:
        value += random.randrange(-16, 17)
    data[at : at + size] = (value % (1 << 8 * size)).to_bytes(size, order)
