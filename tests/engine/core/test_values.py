"""The value that each kind of relocation asks for, on both sides."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.btf.ext import CoreRelo
from engine.btf.kinds import TypeId
from engine.core.kinds import CoreReloKind
from engine.core.match import match_spec
from engine.core.policy import ArraySize, Signedness
from engine.core.refusal import Refusal
from engine.core.spec import parse_spec
from engine.core.values import U64, RelocValue, compute, field_value
from tests.support.btf_writer import BtfWriter, member, values
from tests.support.relocating import AYA, LIBBPF, policy

Make = Callable[[BtfWriter], int]
OFF, SIZE, EXISTS = (CoreReloKind(n) for n in range(3))
SIGNED, LSHIFT, RSHIFT = (CoreReloKind(n) for n in range(3, 6))
ID, TYPE_EXISTS, TYPE_SIZE = (CoreReloKind(n) for n in range(7, 10))
ENUM_EXISTS, ENUM_VALUE = CoreReloKind.ENUMVAL_EXISTS, CoreReloKind.ENUMVAL_VALUE


def one_side(make: Make, access: str, kind: CoreReloKind, order="little", loader=LIBBPF, **rules):
    """Compute the field value of a path in a BTF of its own."""
    writer = BtfWriter()
    root = make(writer)
    btf = writer.parsed(order)
    spec = parse_spec(btf, CoreRelo(0, TypeId(root), access, kind), kind)
    return field_value(spec, btf, policy(loader, **rules), 3)


def computed(local: Make, target: Make | None, kind, access="0", loader=LIBBPF) -> RelocValue:
    """Compute the value of a relocation against one candidate, or none."""
    left, right = BtfWriter(), BtfWriter()
    right.add_struct("so that ids differ", 0)
    root = local(left)
    other = target(right) if target else 0
    left_btf, right_btf = left.parsed(), right.parsed()
    spec = parse_spec(left_btf, CoreRelo(0, TypeId(root), access, kind), kind)
    found = None
    if target:
        match = match_spec(spec, left_btf, right_btf, other, policy(loader))
        assert match.matched
        found = match.spec
    return compute(spec, found, left_btf, right_btf, policy(loader), 3)


def field(of: Make, at: float = 0, bits: int = 0) -> Make:
    """struct s { ...; <of> f; ... } with f at byte `at`."""
    return lambda w: w.add_struct("s", 64, [member("f", of(w), at, bits)])


def number(w):
    return w.int


def unsigned(w):
    return w.uint


def long_(w):
    return w.ulong


def signed_char(w):
    return w.char


def array(nelems: int, of: Make = number) -> Make:
    return lambda w: w.add_array(of(w), w.uint, nelems)


def pointer(w):
    return w.add_ptr(w.int)


def struct(w):
    return w.add_struct("inner", 12, [member("x", w.int, 0)])


PLAIN = [
    pytest.param(field(number, 4), OFF, 4, id="offset"),
    pytest.param(field(number, 4), SIZE, 4, id="size"),
    pytest.param(field(struct, 4), SIZE, 12, id="size of a struct"),
    pytest.param(field(array(5, array(3)), 4), SIZE, 60, id="size of an array of arrays"),
    pytest.param(field(pointer, 8), SIZE, 8, id="size of a pointer"),
    pytest.param(field(number), EXISTS, 1, id="exists"),
    pytest.param(field(number), SIGNED, 1, id="signed"),
    pytest.param(field(unsigned), SIGNED, 0, id="unsigned"),
    pytest.param(field(signed_char), SIGNED, 1, id="signed char"),
    pytest.param(field(pointer), SIGNED, 0, id="pointer is not signed"),
    pytest.param(field(lambda w: w.add_enum("e", values(A=-1))), SIGNED, 1, id="signed enum"),
    pytest.param(field(lambda w: w.add_enum("e", values(A=1))), SIGNED, 0, id="unsigned enum"),
    pytest.param(field(number, 4), RSHIFT, 32, id="right shift of an int"),
    pytest.param(field(struct, 4), RSHIFT, (64 - 96) & U64, id="right shift of what is too wide"),
]


@pytest.mark.parametrize(("make", "kind", "value"), PLAIN)
@pytest.mark.parametrize("order", ["little", "big"])
def test_plain_fields(make, kind, value, order):
    found = one_side(make, "0:0", kind, order)
    assert (found.value, found.validate) == (value, True)


LEFT_SHIFTS = [
    pytest.param(field(number, 4), 32, 32, id="int"),
    pytest.param(field(unsigned, 4, 5), 59, 32, id="5 bits at the start"),
    pytest.param(field(unsigned, 4.375, 5), 56, 35, id="5 bits behind 3 others"),
    pytest.param(field(unsigned, 3.5, 5), 31, 28, id="5 bits across the end of an int"),
    pytest.param(field(lambda w: w.short, 2, 16), 48, 48, id="16 bits of a short"),
]


@pytest.mark.parametrize(("make", "little", "big"), LEFT_SHIFTS)
def test_left_shift(make, little, big):
    assert one_side(make, "0:0", LSHIFT, "little").value == little
    assert one_side(make, "0:0", LSHIFT, "big").value == big


BITFIELDS = [
    # type, first bit, bits: byte offset and size of the load
    pytest.param(unsigned, 0, 3, 0, 4, id="at the start"),
    pytest.param(unsigned, 37, 3, 4, 4, id="in the second word"),
    pytest.param(unsigned, 30, 4, 0, 8, id="across two words"),
    pytest.param(unsigned, 94, 4, 8, 8, id="across two words, aligned down"),
    pytest.param(signed_char, 6, 4, 0, 2, id="across two chars"),
    pytest.param(signed_char, 15, 17, 0, 4, id="17 bits of chars"),
    pytest.param(long_, 3, 60, 0, 8, id="60 bits"),
]


@pytest.mark.parametrize(("of", "first", "bits", "offset", "size"), BITFIELDS)
def test_the_load_of_a_bitfield(of, first, bits, offset, size):
    make = field(of, first / 8, bits)
    place, width = (one_side(make, "0:0", kind) for kind in (OFF, SIZE))
    assert (place.value, width.value) == (offset, size)
    assert (place.validate, width.validate) == (False, False), "compiler and loader may disagree"
    assert one_side(make, "0:0", RSHIFT) == (64 - bits, True, 0, 0)
    assert not one_side(make, "0:0", LSHIFT).validate
    assert one_side(make, "0:0", SIGNED).validate


@given(st.sampled_from([1, 2, 4, 8]), st.integers(0, 300), st.data())
def test_a_bitfield_is_read_back(width, first, data):
    """Load, shift left, shift right: what the compiler makes of the values gives the bits."""
    bits = data.draw(st.integers(1, 8 * width))
    order = data.draw(st.sampled_from(["little", "big"]))
    make = field(lambda w: w.add_int("bits", width, 0), first / 8, bits)
    try:
        parts = [one_side(make, "0:0", kind, order).value for kind in (OFF, SIZE, LSHIFT, RSHIFT)]
    except Refusal as refusal:
        assert refusal.code == "E2BIG"  # noqa: PT017 # only what no load covers may be refused
        assert first % 64 + bits > 64
        return
    offset, size, left, right = parts
    content = data.draw(st.integers(0, (1 << bits) - 1))
    memory = bytearray(48)
    start = first if order == "little" else 48 * 8 - first - bits
    memory[:] = (content << start).to_bytes(48, order)
    loaded = int.from_bytes(memory[offset : offset + size], order)
    assert (loaded << left & U64) >> right == content


def test_bits_that_no_load_covers():
    with pytest.raises(Refusal, match="relo 0 at insn #3 can't be satisfied") as caught:
        one_side(field(long_, 60 / 8, 10), "0:0", OFF)
    assert caught.value.code == "E2BIG"


ELEMENTS = [
    pytest.param(OFF, 12, id="offset"),
    pytest.param(SIZE, 4, id="size"),
    pytest.param(EXISTS, 1, id="exists"),
]


@pytest.mark.parametrize(("kind", "value"), ELEMENTS)
def test_an_array_element(kind, value):
    assert one_side(field(array(5), 4), "0:0:2", kind).value == value


@pytest.mark.parametrize("kind", [SIGNED, LSHIFT, RSHIFT])
def test_what_an_array_element_does_not_have(kind):
    with pytest.raises(Refusal, match="can't be applied to array access") as caught:
        one_side(field(array(5), 4), "0:0:2", kind)
    assert caught.value.code == "EINVAL"


ACCESS_SIZES = [
    pytest.param(field(number), "0:0", 4, 4, id="int"),
    pytest.param(field(array(5)), "0:0", 4, 20, id="array"),
    pytest.param(field(array(5, array(3))), "0:0", 4, 60, id="array of arrays"),
    pytest.param(field(array(5, array(3))), "0:0:1", 4, 12, id="an array in an array"),
    pytest.param(field(unsigned, 0, 3), "0:0", 0, 0, id="bitfield"),
    pytest.param(struct, "0", 12, 12, id="the whole struct"),
]


@pytest.mark.parametrize(("make", "access", "element", "whole"), ACCESS_SIZES)
def test_the_size_that_a_load_is_compared_with(make, access, element, whole):
    assert one_side(make, access, OFF).size == element
    assert one_side(make, access, OFF, array_size=ArraySize.WHOLE).size == whole


def test_aya_counts_the_last_dimension_only():
    make = field(array(5, array(3)), 4)
    assert one_side(make, "0:0", SIZE).value == 60
    assert one_side(make, "0:0", SIZE, loader=AYA).value == 12


RESIZES = [
    pytest.param(unsigned, long_, False, id="unsigned int becomes unsigned long"),
    pytest.param(long_, unsigned, False, id="and back"),
    pytest.param(unsigned, unsigned, False, id="nothing changes"),
    pytest.param(number, number, False, id="signed, but nothing changes"),
    pytest.param(number, long_, True, id="signed int becomes unsigned long"),
    pytest.param(unsigned, lambda w: w.long, True, id="unsigned int becomes long"),
    pytest.param(signed_char, unsigned, False, id="signed char: its encoding is not just 1"),
    pytest.param(array(2, unsigned), array(2, long_), True, id="arrays"),
    pytest.param(struct, lambda w: w.add_struct("inner", 16), True, id="structs"),
    pytest.param(
        lambda w: w.add_enum("e", values(A=1)),
        lambda w: w.add_enum("e", values(A=1), size=8),
        True,
        id="enums",
    ),
]


@pytest.mark.parametrize(("local", "target", "wrong"), RESIZES)
def test_what_may_be_read_through_another_width(local, target, wrong):
    assert computed(field(local), field(target), OFF, "0:0").resize_wrong is wrong


def behind(w) -> int:
    """A float whose next word in the file is the name of the next type."""
    field_type = w.add_float("float", 4)
    w.add_ptr(0)
    return w.add_struct("s", 8, [member("f", field_type, 0)])


SIGNS = [
    pytest.param(field(lambda w: w.add_enum("e", values(A=1))), 0, 1, id="unsigned enum"),
    pytest.param(field(number), 1, 1, id="int"),
    pytest.param(field(unsigned), 0, 0, id="unsigned int"),
    pytest.param(behind, 0, 0, id="float"),
]


@pytest.mark.parametrize(("make", "field_sign", "word_behind"), SIGNS)
def test_old_versions_read_a_sign_where_there_is_none(make, field_sign, word_behind):
    old = {"signedness": Signedness.WORD_BEHIND}
    assert one_side(make, "0:0", SIGNED).value == field_sign
    assert one_side(make, "0:0", SIGNED, **old).value == word_behind


def enum(**named: int) -> Make:
    return lambda w: w.add_enum("e", values(**named))


def enum64(**named: int) -> Make:
    return lambda w: w.add_enum64("e", values(**named))


VALUES = [
    # enum, value by libbpf, value by aya
    pytest.param(enum(A=5), 5, 5, id="small"),
    pytest.param(enum(A=-5), U64 - 4, U64 - 4, id="negative"),
    pytest.param(enum(A=1 << 31), U64 - (1 << 31) + 1, 1 << 31, id="unsigned, 2^31"),
    pytest.param(enum(A=(1 << 32) - 1), U64, (1 << 32) - 1, id="unsigned, 2^32 - 1"),
    pytest.param(enum64(A=1 << 31), 1 << 31, 1 << 31, id="enum64, 2^31"),
    pytest.param(enum64(A=-5), U64 - 4, U64 - 4, id="enum64, negative"),
    pytest.param(enum64(A=U64), U64, U64, id="enum64, the largest"),
]


@pytest.mark.parametrize(("make", "libbpf", "aya"), VALUES)
def test_enumerators(make, libbpf, aya):
    """libbpf 1.7.0 extends the sign of 32-bit enumerators even where the enum has none."""
    for loader, value in ((LIBBPF, libbpf), (AYA, aya)):
        found = computed(make, make, ENUM_VALUE, loader=loader)
        assert (found.orig, found.new, found.validate) == (value, value, True)
        assert computed(make, make, ENUM_EXISTS, loader=loader).new == 1


TYPES = [
    pytest.param(TYPE_EXISTS, 1, 1, True, id="exists"),
    pytest.param(TYPE_SIZE, 12, 16, True, id="size"),
    pytest.param(CoreReloKind.TYPE_MATCHES, 1, 1, True, id="matches"),
]


@pytest.mark.parametrize(("kind", "orig", "new", "validate"), TYPES)
def test_types(kind, orig, new, validate):
    def target(w):
        return w.add_struct("inner", 16, [member("x", w.int, 0), member("y", w.int, 4)])

    found = computed(struct, target, kind)
    assert (found.orig, found.new, found.validate) == (orig, new, validate)


def test_a_target_type_id_is_not_compared():
    """A linker renumbers types, so the id in the instruction means nothing."""
    found = computed(struct, lambda w: w.add_struct("inner", 4), ID)
    assert found == RelocValue(8, 9, validate=False)


MISSING = [
    # kind, value by libbpf; None for poison
    pytest.param(OFF, None, id="offset"),
    pytest.param(SIZE, None, id="size"),
    pytest.param(SIGNED, None, id="sign"),
    pytest.param(LSHIFT, None, id="left shift"),
    pytest.param(RSHIFT, None, id="right shift"),
    pytest.param(EXISTS, 0, id="field exists"),
    pytest.param(ENUM_VALUE, None, id="enumerator"),
    pytest.param(ENUM_EXISTS, 0, id="enumerator exists"),
    pytest.param(ID, 0, id="type id"),
    pytest.param(TYPE_EXISTS, 0, id="type exists"),
    pytest.param(TYPE_SIZE, 0, id="type size"),
    pytest.param(CoreReloKind.TYPE_MATCHES, 0, id="type matches"),
]


@pytest.mark.parametrize(("kind", "value"), MISSING)
def test_nothing_found(kind, value):
    enums = kind in (ENUM_VALUE, ENUM_EXISTS)
    local, access = (enum(A=1), "0") if enums else (field(number), "0" if kind > 6 else "0:0")
    found = computed(local, None, kind, access)
    assert (found.poison, found.new) == (value is None, value or 0)


@pytest.mark.parametrize("kind", [ID, TYPE_SIZE])
def test_aya_refuses_a_type_that_it_cannot_find(kind):
    with pytest.raises(Refusal, match="missing target BTF info"):
        computed(struct, None, kind, loader=AYA)


def test_aya_poisons_where_the_value_of_the_target_is_an_error():
    local, target = field(unsigned, 0, 3), field(long_, 60 / 8, 10)
    with pytest.raises(Refusal, match="can't be satisfied"):
        computed(local, target, OFF, "0:0")
    assert computed(local, target, OFF, "0:0", AYA).poison is True
