"""C text of single types, layouts that need help, and names that C does not allow."""

from __future__ import annotations

import pytest

from engine.btf.cdump import dump_header, slice_header, type_as_c
from engine.btf.kinds import VOID, Enumerator, Param, TypeId
from engine.errors import BtfTypeError
from tests.support.btf_writer import BtfWriter, member, values
from tests.support.clang import CLANGS, compile_c


@pytest.fixture
def writer():
    return BtfWriter()


def declared(writer: BtfWriter, type_id: int) -> str:
    """A typedef `t` of the type, without the word typedef."""
    name = f"t{writer.next_id}"
    alias = writer.add_typedef(name, type_id)
    text = type_as_c(writer.parsed(), alias).replace(name, "t")
    return text.removeprefix("typedef ").rstrip(";\n")


def test_pointers_and_arrays(writer):
    pointer = writer.add_ptr(writer.int)
    assert declared(writer, pointer) == "int *t"
    assert declared(writer, writer.add_array(pointer, writer.uint, 3)) == "int *t[3]"
    row = writer.add_array(writer.int, writer.uint, 3)
    assert declared(writer, writer.add_ptr(row)) == "int (*t)[3]"
    assert declared(writer, writer.add_array(row, writer.uint, 2)) == "int t[2][3]"
    assert declared(writer, writer.add_ptr(VOID)) == "void *t"


def test_qualifiers_stand_at_what_they_qualify(writer):
    constant = writer.add_const(writer.char)
    pointer = writer.add_ptr(constant)
    assert declared(writer, pointer) == "const char *t"
    assert declared(writer, writer.add_const(pointer)) == "const char *const t"
    assert declared(writer, writer.add_restrict(pointer)) == "const char *restrict t"
    both = writer.add_const(writer.add_volatile(writer.add_const(writer.int)))
    assert declared(writer, both) == "const volatile int t"
    assert declared(writer, writer.add_ptr(writer.add_type_tag("rcu", writer.int))) == "int *t"


def test_functions(writer):
    plain = writer.add_func_proto(VOID)
    assert declared(writer, plain) == "void t(void)"
    dots = writer.add_func_proto(
        writer.int, [Param("fmt", writer.add_ptr(writer.char)), Param("", VOID)]
    )
    assert declared(writer, writer.add_ptr(dots)) == "int (*t)(char *fmt, ...)"
    handler = writer.add_ptr(writer.add_func_proto(VOID, [Param("", writer.int)]))
    signal = writer.add_func_proto(handler, [Param("", handler)])
    assert declared(writer, signal) == "void (*t(void (*)(int)))(int)"
    table = writer.add_array(handler, writer.uint, 4)
    assert declared(writer, table) == "void (*t[4])(int)"
    # `__attribute__((noreturn))` is a volatile function to BTF
    assert declared(writer, writer.add_ptr(writer.add_volatile(plain))) == "void (*t)(void)"


def test_functions_variables_and_sections_for_display(writer):
    proto = writer.add_func_proto(writer.int, [Param("depth", writer.long)])
    func = writer.add_func("walk", proto, linkage=0)
    var = writer.add_var("seen", writer.ulong, linkage=2)
    section = writer.add_datasec(".bss", 8, [(var, 0, 8), (TypeId(var + 1), 8, 8)])
    tag = writer.add_decl_tag("kfunc", func, 0)
    btf = writer.parsed()
    assert type_as_c(btf, func) == "static int walk(long depth);\n"
    assert type_as_c(btf, var) == "extern unsigned long seen;\n"
    assert type_as_c(btf, section) == (
        "/* section .bss, 8 bytes */\n/* +0x0 */ extern unsigned long seen;\n"
    )
    assert 'tag "kfunc"' in type_as_c(btf, tag)


def test_anonymous_members_are_written_in_place(writer):
    inner = writer.add_union("", 8, [member("a", writer.long, 0), member("b", writer.int, 0)])
    named = writer.add_struct("named", 8, [member("n", writer.long, 0)])
    outer = writer.add_struct(
        "outer",
        40,
        [
            member("", inner, 0),
            member("c", inner, 8),
            member("d", named, 16),
            member("e", writer.add_ptr(named), 24),
            member("", named, 32),  # -fms-extensions
        ],
    )
    assert type_as_c(writer.parsed(), outer) == (
        "struct outer {\n"
        "\tunion {\n\t\tlong a;\n\t\tint b;\n\t};\n"
        "\tunion {\n\t\tlong a;\n\t\tint b;\n\t} c;\n"
        "\tstruct named d;\n"
        "\tstruct named *e;\n"
        "\tstruct {\n\t\tlong n;\n\t};\n"
        "};\n"
    )


LAYOUTS = [
    pytest.param(8, [("a", "int", 0, 0), ("b", "char", 4, 0)], [], "", id="natural"),
    pytest.param(16, [("a", "int", 0, 0)], ["long: 32;", "long: 64;"], "", id="long tail"),
    pytest.param(
        12, [("a", "int", 0, 0), ("b", "char", 8, 0)], ["long: 32;"], "", id="gap before a char"
    ),
    pytest.param(5, [("a", "char", 0, 0), ("b", "int", 1, 0)], [], "packed", id="packed"),
    pytest.param(6, [("a", "int", 0, 0)], ["long: 16;"], "packed", id="odd size"),
    pytest.param(4, [("a", "uint", 0, 3), ("b", "uint", 0.5, 2)], ["long: 1;"], "", id="bit gap"),
    pytest.param(8, [("a", "uint", 0, 30), ("b", "uint", 4, 5)], [], "", id="next unit"),
    pytest.param(
        8, [("a", "uint", 0, 30), ("b", "uint", 3.75, 5)], ["long: 29;"], "packed", id="crossing"
    ),
    pytest.param(4, [("a", "short", 2, 0)], ["long: 16;"], "", id="gap at the start"),
    pytest.param(16, [], ["long: 64;", "long: 64;"], "", id="nothing but a size"),
]


@pytest.mark.parametrize(("size", "members", "pads", "attribute"), LAYOUTS)
@pytest.mark.parametrize("byte_order", ["little", "big"])
def test_layouts(writer, tmp_path, byte_order, size, members, pads, attribute):
    rows = [member(name, getattr(writer, kind), at, bits) for name, kind, at, bits in members]
    made = writer.add_struct("made", size, rows)
    btf = writer.parsed(byte_order)
    text = type_as_c(btf, made)
    assert [line.strip() for line in text.splitlines() if "long:" in line] == pads
    assert ("packed" in text) == (attribute == "packed")
    checks = [f'_Static_assert(sizeof(struct made) == {size}, "");']
    checks += [
        f'_Static_assert(__builtin_offsetof(struct made, {name}) == {at}, "");'
        for name, _, at, bits in members
        if not bits
    ]
    kernel = "s390x" if byte_order == "big" else "amd64"
    compile_c(text + "\n".join(checks) + "\n", tmp_path, kernel=kernel, syntax_only=True)


def test_unions(writer):
    aligned = writer.add_union("aligned", 64, [member("a", writer.int, 0)])
    five = member("a", writer.add_array(writer.char, writer.uint, 5), 0)
    packed = writer.add_union("packed", 5, [five, member("b", writer.int, 0)])
    btf = writer.parsed()
    assert type_as_c(btf, aligned).endswith("} __attribute__((aligned(64)));\n")
    assert type_as_c(btf, packed).endswith("} __attribute__((packed));\n")


def test_what_no_c_struct_can_be_keeps_its_size(writer):
    overlapping = writer.add_struct(
        "overlapping", 8, [member("a", writer.long, 0), member("b", writer.int, 4)]
    )
    shifted = writer.add_union("shifted", 8, [member("a", writer.int, 4)])
    unknown = writer.add_struct("unknown", 8, [member("a", writer.add_fwd("never"), 0)])
    btf = writer.parsed()
    for one in (overlapping, shifted, unknown):
        assert "unsigned char __opaque[8];" in type_as_c(btf, one)


def test_enums(writer):
    wide = Enumerator("WIDE", 1 << 40)
    ids = [
        writer.add_enum("plain", values(A=0, B=0xFFFFFFFF)),
        writer.add_enum("below", values(C=-1, D=-(1 << 31))),
        writer.add_enum("byte", values(E=1), size=1),
        writer.add_enum("large_byte", values(F=200), size=1),
        # kernels before 6.0 store -1 like this
        writer.add_enum("old_byte", values(G=0xFFFFFFFF), size=1),
        writer.add_enum64("wide", [wide, Enumerator("LOW", 0)]),
        writer.add_enum64("negative", values(H=-(1 << 63))),
        writer.add_enum64("small", values(I=1)),
        writer.add_enum("declared", ()),
    ]
    btf = writer.parsed()
    texts = [" ".join(type_as_c(btf, one).split()) for one in ids]
    assert texts == [
        "enum plain { A = 0, B = 4294967295U, };",
        "enum below { C = -1, D = (-2147483647 - 1), };",
        "enum byte { E = 1, } __attribute__((mode(byte)));",
        "enum large_byte { F = 200, } __attribute__((packed));",
        "enum old_byte { G = -1, } __attribute__((mode(byte)));",
        "enum wide { WIDE = 1099511627776ULL, LOW = 0, };",
        "enum negative { H = (-9223372036854775807LL - 1), };",
        "enum small { I = 1, } __attribute__((mode(DI)));",
        "enum declared;",
    ]


@pytest.mark.parametrize("major", CLANGS)
def test_enum_sizes(writer, tmp_path, major):
    sizes = {"byte": 1, "high_byte": 1, "half": 2, "high_half": 2, "old": 1, "wide": 8, "di": 8}
    writer.add_enum("byte", values(A=1), size=1)
    writer.add_enum("high_byte", values(B=255), size=1)
    writer.add_enum("half", values(C=-1), size=2)
    writer.add_enum("high_half", values(D=0x8000), size=2)
    writer.add_enum("old", values(E=0xFFFFFFFE), size=1)
    writer.add_enum64("wide", values(F=1 << 63))
    writer.add_enum("di", values(G=1), size=8)
    checks = [f'_Static_assert(sizeof(enum {n}) == {size}, "");' for n, size in sizes.items()]
    text = dump_header(writer.parsed()) + "\n".join(checks) + "\n"
    compile_c(text, tmp_path, major=major, syntax_only=True)


def test_types_that_contain_themselves(writer):
    own = writer.next_id
    writer.add_struct("own", 8, [member("self", own, 0)])
    array = writer.next_id
    writer.add_array(array, writer.int, 2)
    alias = writer.next_id
    writer.add_typedef("alias", alias)
    pointer = writer.next_id
    proto = writer.add_ptr(TypeId(pointer + 1))
    writer.add_func_proto(VOID, [Param("", proto)])
    inner = writer.next_id
    writer.add_struct("", 8, [member("p", TypeId(inner + 1), 0)])
    writer.add_ptr(inner)
    btf = writer.parsed()
    for type_id in (own, array, proto, inner):
        with pytest.raises(BtfTypeError, match=r"itself|cycle"):
            type_as_c(btf, type_id)
    for make in (dump_header, lambda btf: slice_header(btf, {"own", "alias"})):
        with pytest.raises(BtfTypeError):
            make(btf)


def test_types_that_need_each_other(writer):
    """Two typedefs, each an array of the other's struct."""
    first = writer.next_id
    writer.add_struct("first", 8, [member("m", TypeId(first + 1), 0)])
    writer.add_typedef("second_t", TypeId(first + 2))
    writer.add_struct("second", 8, [member("m", first, 0)])
    with pytest.raises(BtfTypeError, match="itself"):
        dump_header(writer.parsed())


def test_kinds_that_are_no_declaration(writer):
    section = writer.add_datasec(".data", 0)
    pointer = writer.add_ptr(section)
    with pytest.raises(BtfTypeError, match="cannot stand in a declaration"):
        type_as_c(writer.parsed(), pointer)


def test_an_unknown_id(writer):
    with pytest.raises(BtfTypeError, match="does not exist"):
        type_as_c(writer.parsed(), TypeId(999))


def test_void(writer):
    assert type_as_c(writer.parsed(), VOID) == "void;\n"


def test_a_header_without_structs_has_no_attribute(writer):
    writer.add_typedef("u8", writer.char)
    assert "#pragma" not in dump_header(writer.parsed())
    writer.add_struct("one", 4, [member("a", writer.int, 0)])
    assert "apply_to = record" in dump_header(writer.parsed())
