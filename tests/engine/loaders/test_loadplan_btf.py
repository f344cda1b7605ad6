"""An object's BTF is made loadable: measured, externs allocated, kinds replaced for old kernels."""

from __future__ import annotations

import pytest

from engine.btf.decode import Btf
from engine.btf.kinds import BtfKind, Param, SecVar, TypeId
from engine.core.prepare import prepare
from engine.loaders.loadplan_btf import kernel_version, loadable_btf
from tests.support.asm import exit_, mov_imm
from tests.support.btf_writer import member, values
from tests.support.elf_writer import SHF_ALLOC
from tests.support.relocating import ObjectWriter

NEW, OLD = "6.12.117", "5.10.251"


def loaded(writer: ObjectWriter, release: str = NEW, *, hides: bool = True, **offsets: int) -> Btf:
    writer.function("prog", mov_imm(0, 0) + exit_())
    prepared = prepare(writer.object())
    assert prepared.btf is not None
    made = loadable_btf(
        prepared, prepared.btf, release, hides_functions=hides, kconfig_offsets=offsets
    )
    return Btf.parse(made.data)


def test_sections_get_their_size_and_variables_their_place():
    writer = ObjectWriter()
    btf, elf = writer.btf, writer._elf
    first, second = btf.add_var("first", btf.int), btf.add_var("second", btf.int)
    section = btf.add_datasec(".data", 0, [SecVar(first, 0, 4), SecVar(second, 0, 4)])
    index = elf.section(".data", bytes(12), flags=SHF_ALLOC)
    elf.symbol("first", index, value=8, size=4)
    elf.symbol("second", index, value=4, size=4, visibility=2)
    made = loaded(writer).type(section)
    assert made.size == 12
    assert made.variables == ((second, 4, 4), (first, 8, 4))


def test_a_hidden_variable_becomes_static():
    writer = ObjectWriter()
    variable = writer.btf.add_var("x", writer.btf.int)
    writer.btf.add_datasec(".data", 0, [SecVar(variable, 0, 4)])
    index = writer._elf.section(".data", bytes(4), flags=SHF_ALLOC)
    writer._elf.symbol("x", index, visibility=2)
    assert loaded(writer).type(variable).linkage == 0


@pytest.mark.parametrize(("hides", "linkage"), [(True, 0), (False, 1)])
def test_a_hidden_function_becomes_static_where_the_loader_hides_it(hides: bool, linkage: int):
    writer = ObjectWriter()
    function = writer.btf.add_func("helper", writer.btf.add_func_proto(writer.btf.int))
    index = writer._elf.code(".text", mov_imm(0, 0) + exit_())
    writer._elf.symbol("helper", index, size=16, kind="func", visibility=2)
    assert loaded(writer, hides=hides).type(function).linkage == linkage


def test_externs_are_allocated():
    writer = ObjectWriter()
    btf = writer.btf
    proto = btf.add_func_proto(btf.int, [Param("", btf.int)])
    function = btf.add_func("bpf_kfunc", proto, 2)
    variable = btf.add_var("bpf_prog_active", btf.ulong, 2)
    ksyms = btf.add_datasec(".ksyms", 0, [SecVar(function, 0, 0), SecVar(variable, 0, 8)])
    version = btf.add_var("LINUX_KERNEL_VERSION", btf.int, 2)
    kconfig = btf.add_datasec(".kconfig", 0, [SecVar(version, 0, 4)])
    made = loaded(writer, LINUX_KERNEL_VERSION=8)
    dummy, kept = made.type(ksyms).variables
    assert made.name(dummy.type_id) == "dummy_ksym"
    assert (dummy.offset, kept.offset, made.type(ksyms).size) == (0, 4, 8)
    assert made.type(function).linkage == made.type(variable).linkage == 1
    assert made.type(proto).params[0].name == "dummy_ksym"
    assert made.type(variable).type_id == btf.int
    assert made.type(kconfig).size == 12
    assert made.type(kconfig).variables[0].offset == 8
    assert made.type(version).linkage == 1


def new_kinds(writer: ObjectWriter) -> dict[BtfKind, TypeId]:
    btf = writer.btf
    return {
        BtfKind.FLOAT: btf.add_float("double", 8),
        BtfKind.TYPE_TAG: btf.add_type_tag("user", btf.int),
        BtfKind.DECL_TAG: btf.add_decl_tag("tag", btf.add_struct("s", 4, [member("f", 1, 0)])),
        BtfKind.ENUM64: btf.add_enum64("wide", values(A=1 << 40, B=2)),
    }


def test_a_kernel_that_knows_a_kind_gets_it():
    writer = ObjectWriter()
    kinds = new_kinds(writer)
    made = loaded(writer)
    assert {kind: made.kind(type_id) for kind, type_id in kinds.items()} == {k: k for k in kinds}


def test_kinds_that_5_10_does_not_know_are_replaced_and_ids_stay():
    writer = ObjectWriter()
    kinds = new_kinds(writer)
    signed = writer.btf.add_enum("signed", values(C=-1))
    made = loaded(writer, OLD)
    assert [made.kind(type_id) for type_id in kinds.values()] == [
        BtfKind.STRUCT,
        BtfKind.CONST,
        BtfKind.INT,
        BtfKind.UNION,
    ]
    wide = made.type(kinds[BtfKind.ENUM64])
    assert [m.name for m in wide.members] == ["A", "B"]
    assert made.name(wide.members[0].type_id) == "enum64_placeholder"
    assert made.type(kinds[BtfKind.FLOAT]).size == 8
    assert not made.type(signed).kind_flag


@pytest.mark.parametrize(("release", "name"), [("6.1.0", "_data"), (NEW, "?data")])
def test_optional_sections_are_renamed_where_the_name_is_not_taken(release: str, name: str):
    writer = ObjectWriter()
    section = writer.btf.add_datasec("?data", 4, [])
    assert loaded(writer, release).name(section) == name


def test_strings_are_found_where_records_need_them():
    writer = ObjectWriter()
    writer.line(0, "return 0;", 3)
    writer.function("prog", mov_imm(0, 0) + exit_())
    prepared = prepare(writer.object())
    assert prepared.btf is not None
    made = loadable_btf(prepared, prepared.btf, NEW, hides_functions=True, kconfig_offsets={})
    parsed = Btf.parse(made.data)
    assert parsed.string(made.string("return 0;")) == "return 0;"
    assert made.string("never said") == 0


def test_versions():
    assert kernel_version("6.12.117+deb12-amd64") == (6, 12)
    assert kernel_version("own") == (0, 0)
