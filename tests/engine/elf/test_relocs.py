"""ELF relocations: both table kinds, both byte orders."""

import struct

import pytest

from engine.elf.relocs import (
    R_BPF_64_32,
    R_BPF_64_64,
    ElfReloc,
    parse_relocations,
    relocation_bytes,
)
from engine.errors import ElfError


def parse(table, byte_order, *, has_addends):
    return parse_relocations(
        table, byte_order, has_addends=has_addends, symbols=10, target_size=64, place="section 2"
    )


@pytest.mark.parametrize(("byte_order", "prefix"), [("little", "<"), ("big", ">")])
def test_both_kinds(byte_order, prefix):
    plain = struct.pack(prefix + "QQ", 8, 3 << 32 | R_BPF_64_64)
    assert parse(plain, byte_order, has_addends=False) == (ElfReloc(8, 3, R_BPF_64_64, 0),)
    added = struct.pack(prefix + "QQq", 16, 9 << 32 | R_BPF_64_32, -8)
    assert parse(added, byte_order, has_addends=True) == (ElfReloc(16, 9, R_BPF_64_32, -8),)


def test_entry_sizes():
    assert relocation_bytes(has_addends=False) == 16
    assert relocation_bytes(has_addends=True) == 24


@pytest.mark.parametrize("has_addends", [False, True])
def test_torn_table(has_addends):
    with pytest.raises(ElfError, match="no multiple of") as caught:
        parse(bytes(17), "little", has_addends=has_addends)
    assert caught.value.place == "section 2"


def test_words():
    assert ElfReloc(0, 0, R_BPF_64_32, 0).word == "R_BPF_64_32"
    assert ElfReloc(0, 0, 0, 0).word == "R_BPF_NONE"
    assert ElfReloc(0, 0, 99, 0).word == "R_BPF_99"
