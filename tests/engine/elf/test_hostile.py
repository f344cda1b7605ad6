"""Malformed and oversized objects: a clear error with its place, and nothing else."""

import contextlib
import struct
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine import limits
from engine.elf.object import parse_object
from engine.elf.programs import functions
from engine.elf.relocs import R_BPF_64_64, parse_relocations
from engine.elf.sections import SHF_ALLOC, SHF_COMPRESSED, SHF_EXECINSTR
from engine.elf.symbols import StringTable, parse_symbols
from engine.errors import ElfError, EngineError, LimitExceeded, NotBpfError
from tests.support.asm import exit_, mov_imm
from tests.support.elf_writer import (
    EM_X86_64,
    ET_EXEC,
    SHT_REL,
    SHT_SYMTAB,
    ElfWriter,
    patch_header,
    patch_section,
)

GOLDEN = Path(__file__).parents[2] / "golden" / "objects"
CODE, RELOCATIONS, SYMBOLS, NAMES, SECTION_NAMES = 1, 2, 3, 4, 5


def small(byte_order="little") -> bytes:
    """Sections: 1 socket, 2 .relsocket, 3 .symtab, 4 .strtab, 5 .shstrtab."""
    writer = ElfWriter(byte_order=byte_order)
    symbol = writer.function("prog", "socket", mov_imm(0, 1) + exit_())
    writer.relocate(CODE, 0, symbol, R_BPF_64_64)
    return writer.build()


def read(data):
    return functions(parse_object(data))


HUGE = (1 << 64) - 1
FIELD_CASES = {
    "headers outside": (patch_header, "e_shoff", 1 << 40, "e_shoff"),
    "headers far outside": (patch_header, "e_shoff", HUGE, "e_shoff"),
    "no headers": (patch_header, "e_shoff", 0, "e_shoff"),
    "header size 0": (patch_header, "e_shentsize", 0, "e_shentsize"),
    "names section outside": (patch_header, "e_shstrndx", 99, "e_shstrndx"),
    "names section unused": (patch_header, "e_shstrndx", 0, "section names"),
}


@pytest.mark.parametrize("case", FIELD_CASES)
def test_file_header(case):
    patch, field, value, place = FIELD_CASES[case]
    with pytest.raises(ElfError) as caught:
        read(patch(small(), field, value))
    assert place in caught.value.place


SECTION_CASES = {
    "data outside": (CODE, "sh_offset", 1 << 30, "section 1 socket"),
    "size outside": (CODE, "sh_size", HUGE, "section 1 socket"),
    "name outside": (CODE, "sh_name", 1 << 20, "section names"),
    "symbol size 0": (SYMBOLS, "sh_entsize", 0, ".symtab, sh_entsize"),
    "symbol names in themselves": (SYMBOLS, "sh_link", SYMBOLS, ".symtab"),
    "symbol names outside": (SYMBOLS, "sh_link", 1 << 31, ".symtab"),
    "torn symbol table": (SYMBOLS, "sh_size", 47, ".symtab"),
    "symbol name outside": (NAMES, "sh_size", 1, ".strtab byte 0x1"),
    "symbol name without end": (NAMES, "sh_size", 3, ".strtab byte 0x1"),
    "relocation size 0": (RELOCATIONS, "sh_entsize", 0, ".relsocket, sh_entsize"),
    "relocation symbols in themselves": (RELOCATIONS, "sh_link", RELOCATIONS, ".relsocket"),
    "relocation of no section": (RELOCATIONS, "sh_info", 77, ".relsocket"),
    "relocation of section 0": (RELOCATIONS, "sh_info", 0, ".relsocket"),
    "torn relocation table": (RELOCATIONS, "sh_size", 15, ".relsocket"),
    "compressed code": (CODE, "sh_flags", SHF_COMPRESSED | SHF_EXECINSTR, "section 1 socket"),
}


@pytest.mark.parametrize("byte_order", ["little", "big"])
@pytest.mark.parametrize("case", SECTION_CASES)
def test_section_header(case, byte_order):
    index, field, value, place = SECTION_CASES[case]
    with pytest.raises(ElfError) as caught:
        read(patch_section(small(byte_order), index, field, value))
    assert place in caught.value.place
    assert caught.value.code == "elf-malformed"


def test_compressed_dwarf_is_let_be():
    writer = ElfWriter()
    writer.section(".debug_info", b"packed", flags=SHF_COMPRESSED)
    assert parse_object(writer.build()).section(".debug_info") is not None


def test_overlapping_sections():
    data = small()
    (strings,) = (s for s in parse_object(data).sections if s.name == ".strtab")
    for field, value in (("sh_offset", 0), ("sh_size", len(data))):
        data = patch_section(data, strings.index, field, value)
    with pytest.raises(ElfError, match="overlap"):
        read(data)


@pytest.mark.parametrize("field", ["symbol", "offset"])
def test_relocation_outside(field):
    writer = ElfWriter()
    symbol = writer.function("prog", "socket", exit_())
    writer.relocate(CODE, 0, symbol, R_BPF_64_64)
    if field == "symbol":
        writer.relocate(CODE, 0, 5, R_BPF_64_64)
    else:
        writer.relocate(CODE, 8, symbol, R_BPF_64_64)
    with pytest.raises(ElfError, match="relocation 1") as caught:
        parse_object(writer.build())
    assert caught.value.place == "section 2 .relsocket byte 0x10"


@pytest.mark.parametrize("section", [40, 0xFEFF, 0xFFFF])
def test_symbol_of_no_section(section):
    writer = ElfWriter()
    writer.symbol("lost", section)
    with pytest.raises(ElfError, match="symbol 1"):
        parse_object(writer.build())


def test_absolute_symbol_is_fine():
    writer = ElfWriter()
    writer.symbol("file.c", 0xFFF1, kind="file")
    assert not parse_object(writer.build()).symbols[1].is_defined


@pytest.mark.parametrize("kind", [SHT_SYMTAB, SHT_REL])
def test_second_table(kind):
    writer = ElfWriter()
    writer.function("prog", "socket", exit_())
    writer.relocate(CODE, 0, 1, R_BPF_64_64)
    if kind == SHT_REL:
        writer.section(".again", kind=kind, info=1, link=4, entsize=16)
    else:
        writer.section(".again", kind=kind, link=5, entsize=24)
    with pytest.raises(ElfError, match="a second"):
        parse_object(writer.build())


WRONG_FILES = {
    "empty": (b"", ElfError),
    "text": (b"int main(void) { return 0; }", ElfError),
    "magic alone": (b"\x7fELF", ElfError),
    "32 bit": (b"\x7fELF\x01\x01\x01" + bytes(45), NotBpfError),
    "another class": (b"\x7fELF\x07\x01\x01" + bytes(57), ElfError),
    "another byte order": (b"\x7fELF\x02\x09\x01" + bytes(57), ElfError),
    "x86": (ElfWriter(machine=EM_X86_64).build(), NotBpfError),
    "machine without a name": (ElfWriter(machine=0xFACE).build(), NotBpfError),
    "linked": (ElfWriter(file_type=ET_EXEC).build(), NotBpfError),
}


@pytest.mark.parametrize("case", WRONG_FILES)
def test_wrong_file(case):
    data, error = WRONG_FILES[case]
    with pytest.raises(error) as caught:
        parse_object(data)
    assert type(caught.value) is error
    assert caught.value.place.startswith("byte 0x")


def test_limits():
    with pytest.raises(LimitExceeded, match="bytes long"):
        parse_object(bytes(limits.OBJECT_BYTES + 1))
    many = patch_header(small(), "e_shnum", 0)
    with pytest.raises(LimitExceeded, match="sections"):
        parse_object(patch_section(many, 0, "sh_size", HUGE))


def test_symbol_and_relocation_counts_are_bounded():
    strings = StringTable(b"\0", "names")
    table = bytes(24 * (limits.ELF_SYMBOLS + 1))
    with pytest.raises(LimitExceeded, match="200001 symbols"):
        parse_symbols(table, strings, "little", sections=1, place="here")
    table = bytes(16 * (limits.ELF_RELOCATIONS + 1))
    with pytest.raises(LimitExceeded, match="200001 relocations"):
        parse_relocations(
            table, "little", has_addends=False, symbols=1, target_size=8, place="here"
        )


def test_names_that_overlap_in_one_long_string_are_bounded():
    """1,000 names of about 60 kB each would be 60 MB out of a 60 kB string."""
    strings = StringTable(b"x" * 60_000 + b"\0", "names")
    table = b"".join(struct.pack("<IBBHQQ", n, 0, 0, 0, 0, 0) for n in range(1000))
    with pytest.raises(LimitExceeded, match="names together"):
        parse_symbols(table, strings, "little", sections=1, place="here")


@pytest.mark.parametrize("length", [limits.BTF_NAME_BYTES, 3 * limits.BTF_NAME_BYTES])
def test_very_long_name(length):
    writer = ElfWriter()
    writer.symbol("x" * length, 0)
    with pytest.raises(LimitExceeded, match="longer than 65536 bytes"):
        parse_object(writer.build())


@pytest.mark.parametrize("byte_order", ["little", "big"])
def test_truncated_at_any_byte(byte_order):
    data = small(byte_order)
    for length in range(len(data)):
        with pytest.raises(ElfError):
            read(data[:length])


def test_truncated_real_object():
    data = (GOLDEN / "enum1348.clang19.v3.el.o").read_bytes()
    for length in range(0, len(data), 97):
        with pytest.raises(ElfError):
            read(data[:length])


REAL = [
    (GOLDEN / name).read_bytes() for name in ("enum1348.clang19.v3.el.o", "mapsub.clang19.v3.eb.o")
]


@given(
    base=st.sampled_from([small("little"), small("big"), *REAL]),
    changes=st.lists(st.tuples(st.integers(0, 1 << 16), st.integers(0, 255)), max_size=8),
    from_end=st.booleans(),
)
def test_mutated_object_gives_an_error_or_a_value(base, changes, from_end):
    """The section headers stand at the end, so half of the changes are counted from there."""
    data = bytearray(base)
    for at, value in changes:
        at %= min(len(data), 1024)
        data[-1 - at if from_end else at] = value
    with contextlib.suppress(EngineError):
        assert all(f.insns for f in read(bytes(data)))


@given(st.binary(max_size=300))
def test_any_bytes_after_the_magic(tail):
    with pytest.raises(ElfError):
        parse_object(b"\x7fELF\x02\x01\x01" + tail)


def test_flags_alone_do_not_make_code():
    writer = ElfWriter()
    index = writer.section("data", bytes(8), kind=7, flags=SHF_ALLOC | SHF_EXECINSTR)
    writer.symbol("f", index, size=8, kind="func")
    assert read(writer.build()) == ()
