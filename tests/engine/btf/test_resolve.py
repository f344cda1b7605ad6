"""Looking through modifiers and typedefs, and the size of a type."""

from __future__ import annotations

import pytest

from engine.btf.decode import Btf
from engine.btf.encode import BtfBuilder
from engine.btf.kinds import VOID
from engine.btf.resolve import size_of, skip_modifiers, skip_modifiers_and_typedefs
from engine.errors import BtfTypeError
from tests.support.btf_writer import BtfWriter, member, values


def chain(writer: BtfWriter, length: int) -> int:
    """Give a chain of typedefs that ends at int."""
    made = writer.int
    for number in range(length):
        made = writer.add_typedef(f"t{number}", made)
    return made


MODIFIERS = ["add_const", "add_volatile", "add_restrict"]


@pytest.mark.parametrize("modifier", MODIFIERS)
def test_modifiers_are_skipped(modifier):
    writer = BtfWriter()
    made = getattr(writer, modifier)(writer.int)
    btf = writer.parsed()
    assert skip_modifiers(btf, made).id == writer.int
    assert skip_modifiers_and_typedefs(btf, made).id == writer.int


def test_a_typedef_stops_one_walk_but_not_the_other():
    writer = BtfWriter()
    typedef = writer.add_typedef("t", writer.add_const(writer.int))
    tagged = writer.add_type_tag("user", writer.add_volatile(typedef))
    btf = writer.parsed()
    assert skip_modifiers(btf, tagged).id == typedef
    assert skip_modifiers_and_typedefs(btf, tagged).id == writer.int


def test_void_and_pointers_end_a_walk():
    writer = BtfWriter()
    to_void = writer.add_const(VOID)
    pointer = writer.add_const(writer.add_ptr(writer.int))
    btf = writer.parsed()
    assert skip_modifiers_and_typedefs(btf, to_void).id == VOID
    assert skip_modifiers_and_typedefs(btf, pointer).kind.word == "ptr"


@pytest.mark.parametrize(("length", "ends"), [(31, True), (32, False)])
def test_chains_have_at_most_31_links(length, ends):
    writer = BtfWriter()
    made = chain(writer, length)
    btf = writer.parsed()
    for walk in (skip_modifiers_and_typedefs, size_of):
        if ends:
            assert walk(btf, made)
        else:
            with pytest.raises(BtfTypeError, match="more than 32 other types"):
                walk(btf, made)


def test_cycles():
    writer = BtfWriter()
    first = writer.next_id
    writer.add_typedef("a", first + 1)
    writer.add_const(first)
    array = writer.next_id
    writer.add_array(array, writer.uint, 2)
    btf = writer.parsed()
    for walk in (skip_modifiers_and_typedefs, size_of):
        with pytest.raises(BtfTypeError, match="a cycle or as good as one"):
            walk(btf, first)
    with pytest.raises(BtfTypeError, match="cycle"):
        size_of(btf, array)


def test_a_reference_to_nothing():
    writer = BtfWriter()
    made = writer.add_typedef("t", 999)
    btf = writer.parsed()
    for walk in (skip_modifiers, skip_modifiers_and_typedefs, size_of):
        if walk is skip_modifiers:
            assert walk(btf, made).id == made
            continue
        with pytest.raises(BtfTypeError, match="type id 999 does not exist"):
            walk(btf, made)


SIZES = [
    pytest.param(lambda w: w.int, 4, id="int"),
    pytest.param(lambda w: w.add_float("double", 8), 8, id="float"),
    pytest.param(lambda w: w.add_struct("s", 12, [member("m", w.int, 0)]), 12, id="struct"),
    pytest.param(lambda w: w.add_union("u", 6), 6, id="union"),
    pytest.param(lambda w: w.add_enum("e", values(A=1), size=1), 1, id="enum"),
    pytest.param(lambda w: w.add_enum64("e", values(A=1)), 8, id="enum64"),
    pytest.param(lambda w: w.add_ptr(VOID), 8, id="pointer"),
    pytest.param(lambda w: w.add_array(w.short, w.uint, 5), 10, id="array"),
    pytest.param(
        lambda w: w.add_array(w.add_const(w.add_array(w.short, w.uint, 5)), w.uint, 3),
        30,
        id="array of arrays",
    ),
    pytest.param(lambda w: w.add_array(w.int, w.uint, 0), 0, id="flexible array"),
    pytest.param(lambda w: w.add_typedef("t", w.add_volatile(w.short)), 2, id="typedef"),
    pytest.param(lambda w: w.add_var("v", w.short), 2, id="variable"),
    pytest.param(lambda w: w.add_datasec(".data", 40), 40, id="section of data"),
    pytest.param(lambda w: w.add_decl_tag("x", w.short), 2, id="tag"),
]


@pytest.mark.parametrize(("make", "size"), SIZES)
def test_sizes(make, size):
    writer = BtfWriter()
    made = make(writer)
    assert size_of(writer.parsed(), made) == size


UNSIZED = [
    pytest.param(lambda w: VOID, "void", id="void"),
    pytest.param(lambda w: w.add_fwd("f"), "fwd", id="declaration"),
    pytest.param(lambda w: w.add_func_proto(VOID), "func_proto", id="function type"),
    pytest.param(lambda w: w.add_func("f", w.add_func_proto(VOID)), "func", id="function"),
    pytest.param(lambda w: w.add_array(w.add_fwd("f"), w.uint, 2), "fwd", id="array of them"),
]


@pytest.mark.parametrize(("make", "word"), UNSIZED)
def test_what_has_no_size(make, word):
    writer = BtfWriter()
    made = make(writer)
    with pytest.raises(BtfTypeError, match=f"has no size: .*{word}"):
        size_of(writer.parsed(), made)


def test_pointers_of_a_32_bit_kernel():
    builder = BtfBuilder()
    builder.add_int("long int", 4)
    pointer = builder.add_ptr(VOID)
    assert size_of(Btf.parse(builder.encode("little")), pointer) == 4
