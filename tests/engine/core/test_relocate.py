"""Whole objects: which functions are relocated, what their results say, in which order."""

from __future__ import annotations

import pickle

import pytest

from engine.btf.ext import CoreRelo
from engine.btf.kinds import TypeId
from engine.core.candidates import Target
from engine.core.kinds import CoreReloKind
from engine.core.prepare import prepare
from engine.core.relocate import relocate_object
from engine.elf.object import parse_object
from engine.errors import BtfDecodeError, BtfExtDecodeError, ByteOrderMismatch
from engine.loaders import all_policies, policy_of
from tests.support.asm import exit_, ld_imm64, ldx, mov_imm
from tests.support.btf_writer import BtfWriter, member, values
from tests.support.elf_writer import ElfWriter
from tests.support.relocating import (
    AYA,
    CILIUM,
    KERNEL,
    LIBBPF,
    ObjectWriter,
    only,
    relo,
    relocations,
)

OFF = CoreReloKind.FIELD_BYTE_OFFSET
EVERY = [policy.id for policy in all_policies()]


def struct(writer: BtfWriter, **at: int) -> int:
    return writer.add_struct("s", 64, [member(m, writer.int, byte) for m, byte in at.items()])


def kernel(**at: int) -> BtfWriter:
    writer = BtfWriter()
    struct(writer, **at)
    return writer


def program(byte_order="little") -> ObjectWriter:
    """Two functions in one section, one in another; each loads s.f, which is at byte 4."""
    found = ObjectWriter(byte_order)
    root = struct(found.btf, f=4)
    load = ldx(4, 0, 1, 4)
    found.function("first", load + exit_(), relo(root, "0:0", OFF))
    found.function("second", mov_imm(0, 0) + load + exit_(), relo(root, "0:0", OFF, slot=1))
    found.function("other", load + exit_(), relo(root, "0:0", OFF), section="xdp")
    return found


@pytest.mark.parametrize("loader", EVERY)
@pytest.mark.parametrize("byte_order", ["little", "big"])
def test_every_loader_moves_a_field(loader, byte_order):
    result = program(byte_order).relocate(kernel(f=12), loader)
    assert result.loader == loader
    assert result.error is None
    load = ldx(4, 0, 1, 12)
    assert {f.name: f.after for f in result.functions} == {
        "first": load + exit_(),
        "second": mov_imm(0, 0) + load + exit_(),
        "other": load + exit_(),
    }


def test_where_a_relocation_stands():
    """Its number counts in the section, its slot in the function."""
    result = program().relocate(kernel(f=12))
    found = {f.name: [(row.number, row.slot) for row in f.relocations] for f in result.functions}
    assert found == {"first": [(0, 0)], "second": [(1, 1)], "other": [(0, 0)]}
    assert [f.section for f in result.functions] == ["socket", "socket", "xdp"]
    assert [f.offset for f in result.functions] == [0, 16, 0]


def test_what_a_relocation_says():
    (row, *_) = relocations(program().relocate(kernel(f=12)))
    assert (row.kind, row.kind_word, row.access) == (OFF, "byte_off", "0:0")
    assert (row.local, row.orig, row.new, row.outcome) == ("struct s.f", 4, 12, "patched")
    assert row.slots == 1


def test_an_unchanged_instruction_is_told_apart():
    assert {row.outcome for row in relocations(program().relocate(kernel(f=4)))} == {"unchanged"}


def test_lines():
    writer = program()
    writer.line(0, "return s->f;", 10)
    writer.line(3, "return s->f;", 20)
    result = writer.relocate(kernel(f=12))
    first, second, other = result.functions
    numbers = [[line and line.line_number for line in f.lines] for f in (first, second, other)]
    assert numbers == [[10, 10], [None, 20, 20], [None, None]]
    assert [row.line and row.line.line_number for row in relocations(result)] == [10, 20, None]


def test_a_line_of_a_function_does_not_reach_the_next():
    writer = program()
    writer.line(1, "exit", 11)
    first, second, _ = writer.relocate(kernel(f=12)).functions
    assert [line and line.line_number for line in first.lines] == [None, 11]
    assert second.lines == (None,) * 3


def test_records_of_code_that_no_function_holds():
    """A linker leaves them behind when it drops a weak function."""
    writer = program()
    writer.relos["socket"].append(CoreRelo(800, TypeId(8), "0:0", OFF))
    writer.relos["gone"] = [CoreRelo(0, TypeId(8), "0:0", OFF)]
    lines: list[str] = []
    result = writer.relocate(kernel(f=12), debug=lambda level, text: lines.append(text))
    assert len(relocations(result)) == 3
    assert (
        "sec 'socket': skipping CO-RE relocation #2 for insn #100 belonging to eliminated weak "
        "subprogram"
    ) in lines


def test_an_object_without_btf_is_left_alone():
    elf = ElfWriter()
    elf.function("prog", "socket", mov_imm(0, 1) + exit_())
    for loader in EVERY:
        result = relocate_object(
            parse_object(elf.build()), Target(BtfWriter().parsed()), policy_of(loader)
        )
        assert only(result).after == mov_imm(0, 1) + exit_()


def test_an_object_without_records_is_left_alone():
    writer = ObjectWriter()
    writer.function("prog", mov_imm(0, 1) + exit_())
    assert only(writer.relocate(BtfWriter())).after == mov_imm(0, 1) + exit_()


def test_byte_orders_must_agree():
    with pytest.raises(ByteOrderMismatch, match="the object is big-endian"):
        program("big").relocate(kernel(f=12).parsed("little"))


def test_results_cross_process_borders():
    result = program().relocate(kernel(g=12))
    assert pickle.loads(pickle.dumps(result)) == result


def test_a_prepared_object_serves_any_target():
    prepared = prepare(program().object())
    for byte in (8, 16):
        result = relocate_object(prepared, Target(kernel(f=byte).parsed()), policy_of(LIBBPF))
        assert [row.new for row in relocations(result)] == [byte] * 3


SCOPES = [
    pytest.param(LIBBPF, True, ["second"], {"first": 0, "second": 0, "other": 0}, id="libbpf"),
    pytest.param(KERNEL, True, ["second"], {"first": 0, "second": 0, "other": 0}, id="kernel"),
    pytest.param(AYA, True, [], {"first": 0, "second": 0, "other": 0}, id="aya"),
    pytest.param(CILIUM, False, ["second"], {"first": 1, "second": 0, "other": 1}, id="cilium"),
]


@pytest.mark.parametrize(("loader", "object_fails", "named", "kept"), SCOPES)
def test_how_far_a_refusal_reaches(loader, object_fails, named, kept):
    writer = program()
    broken = writer.btf.add_struct("t", 64, [member("f", writer.btf.int, 0)])
    target = kernel(f=12)
    target.add_struct("t", 64, [member("f", target.int, 1 << 16)])
    first, second = writer.relos["socket"]
    writer.relos["socket"] = [first, second._replace(type_id=TypeId(broken))]
    if loader != AYA:
        writer.relos["socket"][1] = second._replace(type_id=TypeId(broken), access="0:9")
    result = writer.relocate(target, loader)
    assert (result.error is not None) is object_fails
    assert [f.name for f in result.functions if f.error] == named
    assert {f.name: int(f.after is not None) for f in result.functions} == kept


NEWER = [
    pytest.param("libbpf@0.8.0", "EINVAL", "failed to parse target BTF: -22", id="libbpf 0.8.0"),
    pytest.param(
        "cilium@0.9.1",
        "btf.LoadSpec",
        "can't read types: type id 9: unknown kind: Unknown (19)",
        id="cilium 0.9.1",
    ),
]


@pytest.mark.parametrize(("loader", "code", "text"), NEWER)
def test_a_target_with_a_kind_that_the_loader_does_not_know(loader, code, text):
    target = kernel(f=12)
    target.add_enum64("e", values(A=1 << 40))
    result = program().relocate(target, loader)
    assert result.error is not None
    assert (result.error.code, result.error.text) == (code, text)
    assert all(f.after is None for f in result.functions)
    assert program().relocate(target).error is None


def test_an_object_with_a_kind_that_the_loader_does_not_know():
    writer = program()
    writer.btf.add_enum64("e", values(A=1 << 40))
    result = writer.relocate(kernel(f=12), "cilium@0.9.1")
    assert result.error is not None
    assert result.error.code == "LoadCollectionSpec"


DAMAGED = [
    pytest.param(".BTF", BtfDecodeError, id="BTF"),
    pytest.param(".BTF.ext", BtfExtDecodeError, id="BTF.ext"),
]


@pytest.mark.parametrize(("section", "error"), DAMAGED)
def test_damaged_sections_are_malformed_input(section, error):
    elf = ElfWriter()
    elf.function("prog", "socket", ld_imm64(1, 1) + exit_())
    sound = {".BTF": BtfWriter().encode("little"), ".BTF.ext": b""}
    for name, data in (sound | {section: b"\x9f\xeb\x01"}).items():
        elf.section(name, data)
    with pytest.raises(error):
        prepare(parse_object(elf.build()))
