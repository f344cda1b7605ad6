"""Functions of an object, and which of them holds a byte."""

from pathlib import Path

import pytest

from engine import limits
from engine.elf.object import parse_object
from engine.elf.programs import FunctionIndex, functions
from engine.errors import ElfError, LimitExceeded
from engine.insn.codec import SLOT_BYTES
from tests.support.asm import call_subprogram, exit_, ld_imm64, mov_imm
from tests.support.elf_writer import ElfWriter, patch_section

GOLDEN = Path(__file__).parents[2] / "golden" / "objects"


def read(writer):
    return functions(parse_object(writer.build()))


@pytest.mark.parametrize("byte_order", ["little", "big"])
def test_order_bindings_and_code(byte_order):
    writer = ElfWriter(byte_order=byte_order)
    body = ld_imm64(1, 1 << 63) + call_subprogram(-1) + exit_()
    writer.function("sub", ".text", exit_(), bind="local")
    writer.function("first", "xdp", body, bind="weak")
    writer.function("second", "xdp", mov_imm(0, -1) + exit_())
    writer.function("other_sub", ".text", exit_())
    rows = [(f.name, f.section, f.offset, f.is_entry, f.binding) for f in read(writer)]
    assert rows == [
        ("sub", ".text", 0, False, "local"),
        ("other_sub", ".text", 8, False, "global"),
        ("first", "xdp", 0, True, "weak"),
        ("second", "xdp", 32, True, "global"),
    ]
    assert read(writer)[2].insns == body
    assert read(writer)[2].end == len(body) * SLOT_BYTES


def test_symbols_that_are_no_functions():
    writer = ElfWriter()
    code = writer.code("xdp", exit_())
    data = writer.section(".data", bytes(8))
    writer.symbol("empty", code, kind="func")
    writer.symbol("object", code, size=8, kind="object")
    writer.symbol("in_data", data, size=8, kind="func")
    writer.symbol("extern", 0, size=8, kind="func")
    writer.symbol("absolute", 0xFFF1, size=8, kind="func")
    assert read(writer) == ()


@pytest.mark.parametrize(
    ("value", "size", "message"),
    [
        (0, 24, "leaves its section"),
        (8, 16, "leaves its section"),
        (1 << 63, 8, "leaves its section"),
        (8, (1 << 64) - 8, "leaves its section"),
        (4, 8, "whole 8-byte slots"),
        (0, 12, "whole 8-byte slots"),
    ],
)
def test_range(value, size, message):
    writer = ElfWriter()
    code = writer.code("xdp", exit_() + exit_())
    writer.symbol("f", code, value=value, size=size, kind="func")
    with pytest.raises(ElfError, match=message) as caught:
        read(writer)
    assert caught.value.place == f"section xdp byte {value:#x}"
    assert "function f" in caught.value.message


@pytest.mark.parametrize(("start", "size"), [(0, 16), (8, 8), (0, 8)])
def test_shared_instructions(start, size):
    writer = ElfWriter()
    code = writer.code("xdp", exit_() + exit_())
    writer.symbol("whole", code, size=16, kind="func")
    writer.symbol("part", code, value=start, size=size, kind="func")
    with pytest.raises(ElfError, match="share instructions"):
        read(writer)


def test_slots_are_bounded():
    writer = ElfWriter()
    code = writer.section("xdp", bytes(8 * (limits.PROGRAM_SLOTS + 1)), flags=6)
    writer.symbol("f", code, size=8, kind="func")
    with pytest.raises(LimitExceeded) as caught:
        read(writer)
    assert caught.value.place == "section xdp"


def test_slots_of_the_whole_object_are_bounded(monkeypatch):
    monkeypatch.setattr(limits, "OBJECT_SLOTS", 3)
    writer = ElfWriter()
    writer.function("a", "xdp", exit_() * 2)
    writer.function("b", "tc", exit_() * 2)
    with pytest.raises(LimitExceeded) as caught:
        read(writer)
    assert caught.value.place == "section tc byte 0x0"


def test_index_finds_the_function_of_a_byte():
    writer = ElfWriter()
    writer.function("a", "xdp", exit_() * 2)
    writer.code("xdp", exit_())  # a gap: code of an eliminated weak function
    writer.function("b", "xdp", exit_())
    index = FunctionIndex(read(writer))
    found = [index.at("xdp", offset) for offset in (0, 8, 15, 16, 24, 31, 32)]
    assert [f and f.name for f in found] == ["a", "a", "a", None, "b", "b", None]
    assert index.at("tc", 0) is None


def test_index_takes_the_first_section_of_a_name():
    writer = ElfWriter()
    writer.function("a", "xdp", exit_())
    second = writer.section("xdp.", exit_bytes := bytes.fromhex("9500000000000000"), flags=6)
    writer.symbol("b", second, size=len(exit_bytes), kind="func")
    data = writer.build()
    (name,) = (s for s in parse_object(data).sections if s.name == ".shstrtab")
    data = patch_section(data, second, "sh_name", name.data.index(b"xdp\0"))
    index = FunctionIndex(functions(parse_object(data)))
    found = index.at("xdp", 0)
    assert found is not None
    assert found.name == "a"


def test_real_object():
    obj = parse_object((GOLDEN / "mapsub.clang19.v3.el.o").read_bytes())
    rows = [(f.name, f.section, len(f.insns), f.binding) for f in functions(obj)]
    assert rows == [
        ("glob_sub", ".text", 17, "global"),
        ("sub_mm", ".text", 29, "local"),
        ("sub_flags", ".text", 13, "local"),
        ("first", "raw_tp/a", 23, "global"),
        ("second", "raw_tp/b", 43, "global"),
        ("third", "raw_tp/c", 8, "global"),
    ]


def test_every_golden_object_is_read():
    paths = sorted(GOLDEN.glob("*.o"))
    assert paths
    for path in paths:
        obj = parse_object(path.read_bytes())
        assert functions(obj), path.name
        assert obj.byte_order == ("little" if ".el." in path.name else "big")
        assert obj.license == "GPL"
        assert obj.btf
        assert obj.btf_ext
