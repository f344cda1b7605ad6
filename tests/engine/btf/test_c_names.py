"""Names in C: repeated ones, ones that C does not allow, ones that mean something else on BPF."""

from __future__ import annotations

import pytest

from engine.btf.c_names import CNames, c_identifier
from engine.btf.cdump import dump_header, slice_header, type_as_c
from engine.btf.decode import Btf
from engine.btf.kinds import INT_BOOL, VOID, Param
from tests.support.btf_writer import BtfWriter, member, values
from tests.support.clang import CLANGS, compile_c


@pytest.fixture
def writer():
    return BtfWriter()


def names_of(btf: Btf, *ids: int) -> list[str]:
    names = CNames(btf)
    return [names.of(btf.type(one)) for one in ids]


def test_repeated_tags_and_typedefs_have_their_own_counts(writer):
    ids = [
        writer.add_struct("same", 4, [member("a", writer.int, 0)]),
        writer.add_typedef("same", writer.int),
        writer.add_union("same", 4, [member("b", writer.int, 0)]),
        writer.add_typedef("same", writer.long),
        writer.add_enum("same", values(ONE=1)),
    ]
    found = names_of(writer.parsed(), *ids)
    assert found == ["same", "same", "same___2", "same___2", "same___3"]


def test_a_suffix_that_is_taken_is_passed_over(writer):
    writer.add_struct("foo", 4)
    writer.add_struct("foo___2", 4)
    second = writer.add_struct("foo", 8)
    assert names_of(writer.parsed(), second) == ["foo___3"]


def test_declarations_mean_the_first_definition_of_their_kind(writer):
    ids = [
        writer.add_fwd("s"),
        writer.add_union("s", 4, [member("a", writer.int, 0)]),
        writer.add_struct("s", 4, [member("a", writer.int, 0)]),
        writer.add_fwd("s", union=True),
        writer.add_fwd("never"),
        writer.add_fwd("never", union=True),
        writer.add_fwd("never"),
        writer.add_fwd("defined_as_union", union=False),
        writer.add_union("defined_as_union", 4),
    ]
    assert names_of(writer.parsed(), *ids) == [
        *("s___2", "s", "s___2", "s"),
        *("never", "never___2", "never"),
        *("defined_as_union___2", "defined_as_union"),
    ]


def test_enumerators_give_way_to_typedefs_and_earlier_enums(writer):
    first = writer.add_enum("first", values(SHARED=0, alias=1))
    second = writer.add_enum("", values(SHARED=5))
    writer.add_typedef("alias", writer.int)
    btf = writer.parsed()
    names = CNames(btf)
    assert names.enumerator(first, "SHARED") == "SHARED"
    assert names.enumerator(second, "SHARED") == "SHARED___2"
    assert names.enumerator(first, "alias") == "alias___2"
    assert names.enums_with("SHARED") == (first, second)
    assert "SHARED___2 = 5" in slice_header(btf, {"SHARED"})


def test_an_anonymous_enum_in_two_structs(writer):
    mode = writer.add_enum("", values(READ=0, WRITE=1))
    for name in ("one", "two"):
        writer.add_struct(name, 8, [member("mode", mode, 0), member("again", mode, 4)])
    btf = writer.parsed()
    for text in (dump_header(btf), slice_header(btf, {"one", "two"})):
        assert text.count("\tREAD = 0") == 1
        assert text.count("READ___copy") == 3
    # another slice of the same BTF starts anew
    assert "\tREAD = 0" in slice_header(btf, {"two"})


SPELLINGS = {"int": "int_", "restrict": "restrict_", "Option<u32>": "Option_u32_", "3d": "_3d"}


@pytest.mark.parametrize(("name", "said"), [*SPELLINGS.items(), ("größe", "gr__e"), ("a_1", "a_1")])
def test_identifiers(name, said):
    assert c_identifier(name) == said


def test_names_that_are_spelled_the_same_stay_apart(writer):
    ids = [writer.add_struct("Vec<A>", 4), writer.add_struct("Vec(A)", 4)]
    first, second = names_of(writer.parsed(), *ids)
    assert first != second


def test_bytes_that_are_no_text(writer):
    made = writer.add_struct("XXXX", 4)
    btf = Btf.parse(writer.encode("little").replace(b"XXXX", b"a\xff\xfeb"))
    assert type_as_c(btf, made).startswith("struct a_xff_xfeb_")


def test_numbers_with_names_of_their_own(writer):
    poly = writer.add_int("__Poly8_t", 1, 0)
    wide = writer.add_int("__Poly128_t", 16, 0)
    flag = writer.add_int("bool8", 1, INT_BOOL)
    half = writer.add_float("_Float16", 2)
    quad = writer.add_float("long double", 16)
    writer.add_float("float", 4)
    btf = writer.parsed()
    assert type_as_c(btf, poly) == "typedef unsigned char __Poly8_t;\n"
    assert type_as_c(btf, wide) == "typedef unsigned __int128 __Poly128_t;\n"
    assert type_as_c(btf, flag) == "typedef _Bool bool8;\n"
    assert "unsigned char bytes[2]; } _Float16_" in type_as_c(btf, half)
    assert "unsigned char bytes[16]; } long_double" in type_as_c(btf, quad)
    assert slice_header(btf, {"float"}) == slice_header(btf, set())


def test_a_typedef_keeps_its_name_before_a_number_of_the_same(writer):
    """A kernel with Rust code has integers called u64 beside its typedef."""
    rust = writer.add_int("u64", 8, 0)
    kernel = writer.add_typedef("u64", writer.ulong)
    assert names_of(writer.parsed(), rust, kernel) == ["u64___2", "u64"]


def test_split_btf_counts_names_of_its_base(writer):
    writer.add_struct("same", 4, [member("a", writer.int, 0)])
    writer.add_enum("", values(SHARED=0))
    module = BtfWriter(base=writer.parsed())
    again = module.add_struct("same", 8, [member("b", writer.long, 0)])
    module.add_enum("", values(SHARED=1, OWN=2))
    btf = module.parsed()
    assert names_of(btf, again) == ["same___2"]
    text = slice_header(btf, {"same", "OWN"})
    assert "struct same {\n\tint a;" in text
    assert "struct same___2 {\n\tlong b;" in text
    assert "SHARED___2 = 1" in text


@pytest.mark.parametrize("major", CLANGS)
@pytest.mark.parametrize("byte_order", ["little", "big"])
def test_clang_takes_all_odd_names_at_once(writer, tmp_path, byte_order, major):
    half = writer.add_float("_Float16", 2)
    quad = writer.add_float("long double", 16)
    poly = writer.add_array(writer.add_int("__Poly8_t", 1, 0), writer.uint, 8)
    registers = writer.add_struct("__va_list_tag", 24, [member("gp", writer.ulong, 0)])
    va_list = writer.add_typedef("__builtin_va_list", writer.add_array(registers, writer.uint, 1))
    gnu_va_list = writer.add_typedef("__gnuc_va_list", va_list)
    rust = writer.add_struct("Option<u32>", 4, [member("for", writer.uint, 0)])
    forward = writer.add_ptr(writer.add_fwd("union_only_declared", union=True))
    proto = writer.add_ptr(
        writer.add_func_proto(VOID, [Param("restrict", writer.add_ptr(rust)), Param("", forward)])
    )
    writer.add_typedef("bool", writer.bool)
    writer.add_enum("", values(false=0, true=1))
    writer.add_enum("only_declared", ())
    writer.add_enum("old_minus_one", values(MINUS=0xFFFFFFFF), size=1)
    rows = [("h", half, 0), ("q", quad, 8), ("p", poly, 24), ("v", gnu_va_list, 32)]
    rows += [("int", proto, 56), ("sizeof", rust, 64)]
    writer.add_struct("all", 72, [member(*row) for row in rows])
    text = dump_header(writer.parsed(byte_order))
    checks = ['_Static_assert(sizeof(struct all) == 72, "size");']
    checks += [
        f'_Static_assert(__builtin_offsetof(struct all, {c_identifier(name)}) == {at}, "{name}");'
        for name, _, at in rows
    ]
    kernel = "s390x" if byte_order == "big" else "amd64"
    source = text + "\n".join(checks) + "\n"
    compile_c(source, tmp_path, kernel=kernel, major=major, syntax_only=True)


def test_old_gcc_va_list_without_a_type(writer):
    """gcc before 5 gives `__gnuc_va_list` no type at all."""
    builtin = writer.add_typedef("__builtin_va_list", VOID)
    alias = writer.add_typedef("__gnuc_va_list", builtin)
    assert type_as_c(writer.parsed(), alias) == "typedef __builtin_va_list __gnuc_va_list;\n"


def test_names_that_are_not_utf8_have_a_c_name():
    btf = BtfWriter()
    for _ in range(2):
        btf.add_struct("b\x7fd", 4, [member("x", btf.int, 0)])
        btf.add_typedef("b\x7fd", btf.int)
    raw = btf.encode("little").replace(b"b\x7fd\0", b"b\xffd\0")
    shown = Btf.parse(raw)
    for type_id in range(btf.int + 7, len(shown)):
        assert type_as_c(shown, type_id)
    assert dump_header(shown)


def test_nameless_typedefs_and_declarations_have_a_c_name(writer):
    forward = writer.add_fwd("", union=True)
    nameless = writer.add_typedef("", writer.int)
    named = writer.add_typedef("known", nameless)
    pointer = writer.add_typedef("pointer", writer.add_ptr(forward))
    shown = writer.parsed()
    assert type_as_c(shown, named) == f"typedef anon_{nameless} known;\n"
    assert f"union anon_{forward} *pointer" in type_as_c(shown, pointer)
