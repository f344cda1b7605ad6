"""The contents of frozen maps: constants that a verifier reads out of .rodata.

The bytes are those of the object. A program that sets them before it loads the object
changes what the kernel sees.
"""

from __future__ import annotations

from collections.abc import Mapping

from engine.btf.kinds import ByteOrder
from engine.elf.object import ElfObject


def frozen_sections(obj: ElfObject) -> Mapping[str, bytes]:
    """Contents of the sections that loaders turn into read-only, frozen maps, by name."""
    found: dict[str, bytes] = {}
    for section in obj.sections:
        if section.name == ".rodata" or section.name.startswith(".rodata."):
            found.setdefault(section.name, section.data)
    return found


def constant_at(data: bytes, off: int, size: int, byte_order: ByteOrder) -> int | None:
    """The unsigned number of `size` bytes at `off`, or None outside the section."""
    if off < 0 or off + size > len(data):
        return None
    return int.from_bytes(data[off : off + size], byte_order)
