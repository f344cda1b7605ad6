"""Short ways to write BTF in a test: a builder with the usual integers, read back at once."""

from __future__ import annotations

from engine.btf.decode import Btf
from engine.btf.encode import BtfBuilder
from engine.btf.kinds import INT_BOOL, INT_CHAR, INT_SIGNED, ByteOrder, Enumerator, Member, TypeId


class BtfWriter(BtfBuilder):
    """A BtfBuilder that already has `int`, `char`, `unsigned int`, `long` ... as attributes."""

    def __init__(self, *, base: Btf | None = None) -> None:
        super().__init__(base=base)
        self.base = base
        if base is None:
            self.int = self.add_int("int", 4)
            self.char = self.add_int("char", 1, INT_SIGNED | INT_CHAR)
            self.short = self.add_int("short", 2)
            self.uint = self.add_int("unsigned int", 4, 0)
            self.long = self.add_int("long", 8)
            self.ulong = self.add_int("unsigned long", 8, 0)
            self.bool = self.add_int("_Bool", 1, INT_BOOL)

    def parsed(self, byte_order: ByteOrder = "little") -> Btf:
        """The types so far, encoded and decoded again."""
        return Btf.parse(self.encode(byte_order), base=self.base)


def member(name: str, type_id: int, byte: float, bits: int = 0) -> Member:
    """A member at byte `byte` (eighths say bits); with `bits` it is a bitfield."""
    return Member(name, TypeId(type_id), int(byte * 8), bits)


def values(**named: int) -> tuple[Enumerator, ...]:
    """Enumerators: `values(RED=0, GREEN=1)`."""
    return tuple(Enumerator(name, value) for name, value in named.items())
