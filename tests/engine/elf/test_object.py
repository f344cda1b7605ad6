"""What `parse_object` reads from a sound object."""

import pickle
from pathlib import Path

import pytest
from elftools.elf.elffile import ELFFile

from engine.elf.object import parse_object
from engine.elf.relocs import R_BPF_64_64, R_BPF_64_NODYLD32
from engine.elf.sections import SHF_ALLOC, SHF_EXECINSTR
from tests.support.asm import exit_, ld_imm64, mov_imm
from tests.support.elf_writer import SHT_NOBITS, ElfWriter

GOLDEN = Path(__file__).parents[2] / "golden" / "objects"
BYTE_ORDERS = ["little", "big"]


def small(byte_order="little") -> ElfWriter:
    """An object with a program that refers to a map, a license, BTF and a .bss."""
    writer = ElfWriter(byte_order=byte_order)
    writer.function("prog", "socket", ld_imm64(1, 0) + mov_imm(0, 1) + exit_())
    writer.section("license", b"Dual BSD/GPL\0", flags=SHF_ALLOC)
    writer.section(".BTF", b"types")
    writer.section(".BTF.ext", b"records")
    bss = writer.section(".bss", kind=SHT_NOBITS, flags=SHF_ALLOC, size=1 << 40)
    counter = writer.symbol("counter", bss, value=8, size=4, visibility=2)
    writer.relocate(1, 0, counter, R_BPF_64_64)
    return writer


@pytest.mark.parametrize("byte_order", BYTE_ORDERS)
def test_contents(byte_order):
    obj = parse_object(small(byte_order).build())
    assert obj.byte_order == byte_order
    assert obj.license == "Dual BSD/GPL"
    assert (obj.btf, obj.btf_ext) == (b"types", b"records")
    code = obj.section("socket")
    assert code is not None
    assert (code.index, code.kind, code.size, code.is_code) == (1, "progbits", 32, True)
    assert code.flags == SHF_ALLOC | SHF_EXECINSTR
    assert [s.index for s in obj.sections] == list(range(len(obj.sections)))


@pytest.mark.parametrize("byte_order", BYTE_ORDERS)
def test_symbols_and_relocations(byte_order):
    obj = parse_object(small(byte_order).build())
    null, prog, counter = obj.symbols
    assert (null.name, null.section, null.is_defined) == ("", 0, False)
    assert (prog.name, prog.bind, prog.type, prog.size) == ("prog", "global", "func", 32)
    assert (counter.type, counter.value, counter.visibility) == ("object", 8, "hidden")
    assert counter.is_defined
    (entry,) = obj.relocations[1]
    assert (entry.offset, entry.symbol, entry.word) == (0, counter.index, "R_BPF_64_64")
    assert list(obj.relocations) == [1]


def test_nobits_has_a_size_but_no_bytes():
    bss = parse_object(small().build()).section(".bss")
    assert bss is not None
    assert (bss.size, bss.data) == (1 << 40, b"")


def test_without_btf_and_license():
    obj = parse_object(ElfWriter().build())
    assert (obj.btf, obj.btf_ext, obj.license) == (None, None, "")
    assert obj.section(".BTF") is None


def test_crosses_process_borders():
    obj = parse_object(small().build())
    assert pickle.loads(pickle.dumps(obj)) == obj


@pytest.mark.parametrize("name", [".debug_info", ".BTF.ext"])
def test_relocations_of_what_is_not_loaded_are_left_out(name):
    writer = ElfWriter()
    section = writer.section(name, bytes(16))
    writer.relocate(section, 4, 77, R_BPF_64_NODYLD32)
    assert section not in parse_object(writer.build()).relocations


@pytest.mark.parametrize("name", ["mapsub.clang19.v3.el.o", "mapsub.clang19.v3.eb.o"])
def test_agrees_with_pyelftools(name):
    """Our unpacking of tables against the library's own, slower readers."""
    path = GOLDEN / name
    ours = parse_object(path.read_bytes())
    with path.open("rb") as stream:
        theirs = ELFFile(stream)
        for section, other in zip(ours.sections, theirs.iter_sections(), strict=True):
            assert section.name == other.name
            assert section.kind in ("nobits", "null") or section.data == other.data()
        table = theirs.get_section_by_name(".symtab")
        for symbol, other in zip(ours.symbols, table.iter_symbols(), strict=True):
            assert (symbol.value, symbol.size) == (other["st_value"], other["st_size"])
            assert other["st_info"]["type"] == "STT_" + symbol.type.upper()
            assert other["st_info"]["bind"] == "STB_" + symbol.bind.upper()
            assert other.name in (symbol.name, ours.sections[symbol.section].name)
        for target, entries in ours.relocations.items():
            other = theirs.get_section_by_name(".rel" + ours.sections[target].name)
            assert [(e.offset, e.symbol, e.type) for e in entries] == [
                (r["r_offset"], r["r_info_sym"], r["r_info_type"]) for r in other.iter_relocations()
            ]
