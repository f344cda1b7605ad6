"""BPF instruction slots: 8 bytes each, in either byte order.

    byte   0      1            2..3   4..7
           code   registers    off    imm

The two register nibbles swap places with the byte order: little-endian objects hold
`src << 4 | dst`, big-endian ones `dst << 4 | src` (Linux include/uapi/linux/bpf.h, struct
bpf_insn). A 64-bit immediate load takes two slots; the second has code 0.
"""

from __future__ import annotations

import struct
import sys
from array import array
from collections.abc import Iterable, Iterator
from itertools import repeat
from typing import Final, NamedTuple

from engine.btf.kinds import ByteOrder
from engine.errors import InsnError

SLOT_BYTES = 8
LD_IMM64 = 0x18

_LOW: Final = bytes(number & 15 for number in range(256))
_HIGH: Final = bytes(number >> 4 for number in range(256))
_new_tuple = tuple.__new__
"""`Insn._make` without a Python call for each slot."""
_SLOT = {"little": struct.Struct("<BBhi"), "big": struct.Struct(">BBhi")}


class Insn(NamedTuple):
    """One slot; `off` is signed 16 bits, `imm` signed 32 bits, in slots where a jump."""

    code: int
    dst: int
    src: int
    off: int
    imm: int

    @property
    def is_ld_imm64(self) -> bool:
        """True for the first slot of a two-slot load."""
        return self.code == LD_IMM64


_KNOWN_SLOTS: Final = 16_384
_known: dict[ByteOrder, dict[int, Insn]] = {"little": {}, "big": {}}
"""Instructions by their bytes: equal ones are one value, and programs repeat themselves."""


def decode_insns(data: bytes, byte_order: ByteOrder) -> tuple[Insn, ...]:
    """Split `data` into slots.

    Raises InsnError when the length is not a multiple of 8. Opcodes are not checked.
    """
    if len(data) % SLOT_BYTES:
        raise InsnError(
            f"code is {len(data)} bytes long, which is not a whole number of 8-byte slots"
        )
    slots = array("Q", data)
    known = _known[byte_order]
    if len(known) > _KNOWN_SLOTS:
        known = _known[byte_order] = {}
    new = set(slots).difference(known)
    if new:
        known.update(zip(new, _decode(array("Q", new).tobytes(), byte_order), strict=True))
    return tuple(map(known.__getitem__, slots))


def _decode(data: bytes, byte_order: ByteOrder) -> Iterator[Insn]:
    """Decode slots field by field: no Python code runs for each of them."""
    registers = data[1::SLOT_BYTES]
    low, high = registers.translate(_LOW), registers.translate(_HIGH)
    dst, src = (low, high) if byte_order == "little" else (high, low)
    offs, imms = array("h", data), array("i", data)
    if byte_order != sys.byteorder:
        offs.byteswap()
        imms.byteswap()
    fields = zip(data[::SLOT_BYTES], dst, src, offs[1::4], imms[1::2], strict=True)
    return map(_new_tuple, repeat(Insn), fields)


def encode_insn(insn: Insn, byte_order: ByteOrder) -> bytes:
    """Give the 8 bytes of one slot; off and imm must fit their fields."""
    if byte_order == "little":
        regs = insn.src << 4 | insn.dst
    else:
        regs = insn.dst << 4 | insn.src
    return _SLOT[byte_order].pack(insn.code, regs, insn.off, insn.imm)


def encode_insns(insns: Iterable[Insn], byte_order: ByteOrder) -> bytes:
    """Give the bytes of a run of slots."""
    return b"".join(encode_insn(insn, byte_order) for insn in insns)
