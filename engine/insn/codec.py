"""BPF instruction slots: 8 bytes each, in either byte order.

    byte   0      1            2..3   4..7
           code   registers    off    imm

The two register nibbles swap places with the byte order: little-endian objects hold
`src << 4 | dst`, big-endian ones `dst << 4 | src` (Linux include/uapi/linux/bpf.h, struct
bpf_insn). A 64-bit immediate load takes two slots; the second has code 0.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable
from typing import NamedTuple

from engine.btf.kinds import ByteOrder
from engine.errors import InsnError

SLOT_BYTES = 8
LD_IMM64 = 0x18

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


def decode_insns(data: bytes, byte_order: ByteOrder) -> tuple[Insn, ...]:
    """Split `data` into slots.

    Raises InsnError when the length is not a multiple of 8. Opcodes are not checked.
    """
    if len(data) % SLOT_BYTES:
        raise InsnError(
            f"code is {len(data)} bytes long, which is not a whole number of 8-byte slots"
        )
    if byte_order == "little":
        rows = [
            (code, regs & 15, regs >> 4, off, imm)
            for code, regs, off, imm in _SLOT["little"].iter_unpack(data)
        ]
    else:
        rows = [
            (code, regs >> 4, regs & 15, off, imm)
            for code, regs, off, imm in _SLOT["big"].iter_unpack(data)
        ]
    return tuple(map(Insn._make, rows))


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
