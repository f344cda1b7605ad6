"""BtfBuilder and encode_ext write what decode reads, in both byte orders."""

from __future__ import annotations

import struct
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.btf.decode import Btf
from engine.btf.encode import BtfBuilder, encode_ext
from engine.btf.ext import CoreRelo, FuncInfo, LineInfo, decode_ext
from engine.btf.kinds import (
    INT_SIGNED,
    VOID,
    BtfKind,
    BtfType,
    Enumerator,
    Member,
    Param,
    SecVar,
    TypeId,
)
from engine.errors import BtfEncodeError
from tests.support.btf_writer import BtfWriter, member, values

BYTE_ORDERS = st.sampled_from(["little", "big"])
U32 = st.integers(0, 0xFFFFFFFF)
BYTE = st.integers(0, 255)
LINKAGE = st.integers(0, 2)
IDS = U32.map(TypeId)
NAMES = st.text("abXY_09é.", max_size=8)


def some(entries: st.SearchStrategy) -> st.SearchStrategy:
    return st.lists(entries, max_size=4).map(tuple)


def types(kind_flag: bool) -> st.SearchStrategy:
    """Any type that the format can hold with this kind_flag; ids point anywhere."""

    def kind(*kinds: BtfKind, **fields: st.SearchStrategy) -> st.SearchStrategy:
        flag = st.just(kind_flag)
        return st.builds(
            BtfType, st.just(VOID), st.sampled_from(kinds), NAMES, kind_flag=flag, **fields
        )

    def enumerators(bits: int) -> st.SearchStrategy:
        half, whole = 1 << bits - 1, 1 << bits
        value = st.integers(-half, half - 1) if kind_flag else st.integers(0, whole - 1)
        return some(st.builds(Enumerator, NAMES, value))

    bit_offset = st.integers(0, (1 << 24) - 1) if kind_flag else U32
    members = st.builds(Member, NAMES, IDS, bit_offset, BYTE if kind_flag else st.just(0))
    return st.one_of(
        kind(
            BtfKind.INT, size=U32, int_encoding=st.integers(0, 15), int_offset=BYTE, int_bits=BYTE
        ),
        kind(BtfKind.PTR, BtfKind.TYPEDEF, BtfKind.TYPE_TAG, type_id=IDS),
        kind(BtfKind.VOLATILE, BtfKind.CONST, BtfKind.RESTRICT, type_id=IDS),
        kind(BtfKind.ARRAY, type_id=IDS, index_type_id=IDS, nelems=U32),
        kind(BtfKind.STRUCT, BtfKind.UNION, size=U32, members=some(members)),
        kind(BtfKind.ENUM, size=U32, enumerators=enumerators(32)),
        kind(BtfKind.ENUM64, size=U32, enumerators=enumerators(64)),
        kind(BtfKind.FWD),
        kind(BtfKind.FUNC, type_id=IDS, linkage=LINKAGE),
        kind(BtfKind.FUNC_PROTO, type_id=IDS, params=some(st.builds(Param, NAMES, IDS))),
        kind(BtfKind.VAR, type_id=IDS, linkage=LINKAGE),
        kind(BtfKind.DATASEC, size=U32, variables=some(st.builds(SecVar, IDS, U32, U32))),
        kind(BtfKind.FLOAT, size=U32),
        kind(BtfKind.DECL_TAG, type_id=IDS, component_idx=st.integers(-1, 1 << 30)),
    )


@given(st.lists(types(False) | types(True), max_size=8), BYTE_ORDERS)
def test_round_trip(written, byte_order):
    builder = BtfBuilder()
    ids = [builder.add(one) for one in written]
    btf = Btf.parse(builder.encode(byte_order))
    assert btf.byte_order == byte_order
    assert len(btf) == len(written) + 1
    for type_id, one in zip(ids, written, strict=True):
        entries = (one.members, one.enumerators, one.params, one.variables)
        vlen = one.linkage if one.kind is BtfKind.FUNC else max(map(len, entries))
        assert btf.type(type_id) == replace(one, id=type_id, vlen=vlen)


RECORD_SECTIONS = st.text("abc/.", min_size=1, max_size=8)


def by_section(record: st.SearchStrategy) -> st.SearchStrategy:
    rows = st.lists(record, min_size=1, max_size=4).map(tuple)
    return st.dictionaries(RECORD_SECTIONS, rows, max_size=3)


@given(
    by_section(st.builds(FuncInfo, U32, IDS)),
    by_section(
        st.builds(LineInfo, U32, NAMES, NAMES, st.integers(0, (1 << 22) - 1), st.integers(0, 1023))
    ),
    by_section(st.builds(CoreRelo, U32, IDS, st.sampled_from(["0", "0:1:2"]), U32)),
    BYTE_ORDERS,
)
def test_ext_round_trip(func_infos, line_infos, core_relos, byte_order):
    builder = BtfBuilder()
    data = encode_ext(
        byte_order,
        func_infos=func_infos,
        line_infos=line_infos,
        core_relos=core_relos,
        add_string=builder.add_string,
    )
    btf = Btf.parse(builder.encode(byte_order))
    ext = decode_ext(data, byte_order, btf.string)
    assert ext.func_infos == func_infos
    assert ext.line_infos == line_infos
    assert ext.core_relos == core_relos


def test_equal_strings_are_stored_once():
    builder = BtfBuilder()
    builder.add_struct("same", 4, [Member("same", TypeId(2), 0, 0)])
    builder.add_typedef("same", 1)
    assert builder.encode("little").endswith(b"\0same\0")
    assert builder.encode("little").count(b"same") == 1


def test_bitfields_set_kind_flag_by_themselves():
    writer = BtfWriter()
    plain = writer.add_struct("plain", 4, [member("a", writer.int, 0)])
    bits = writer.add_struct("bits", 4, [member("a", writer.int, 0, 3)])
    asked = writer.add_union("asked", 4, [member("a", writer.int, 0)], kind_flag=True)
    btf = writer.parsed()
    assert [btf.type(one).kind_flag for one in (plain, bits, asked)] == [False, True, True]


def test_enums_are_signed_when_a_value_is_negative():
    writer = BtfWriter()
    below = writer.add_enum("below", values(LOW=-1))
    above = writer.add_enum64("above", values(HIGH=1 << 40))
    btf = writer.parsed("big")
    assert (btf.type(below).kind_flag, btf.type(above).kind_flag) == (True, False)
    assert btf.type(above).enumerators == values(HIGH=1 << 40)


def test_split_btf_continues_ids_and_strings_of_its_base():
    base = BtfWriter()
    base.add_struct("in_base", 4, [member("a", base.int, 0)])
    base_btf = base.parsed()
    writer = BtfWriter(base=base_btf)
    pointer = writer.add_ptr(base.int)
    again = writer.add_struct("in_base", 8, [member("module_only", pointer, 0)])
    btf = writer.parsed()
    assert pointer == len(base_btf)
    assert btf.type(again).members[0].name == "module_only"
    assert len(btf.ids_named("in_base")) == 2


MISFITS = [
    pytest.param({"kind": BtfKind.STRUCT, "size": -1}, "-1", id="negative size"),
    pytest.param({"kind": BtfKind.STRUCT, "size": 1 << 32}, "4294967296", id="size over 32 bits"),
    pytest.param(
        {"kind": BtfKind.STRUCT, "members": (Member("m", TypeId(1), 0, 3),)},
        "without kind_flag",
        id="bitfield without kind_flag",
    ),
    pytest.param(
        {
            "kind": BtfKind.STRUCT,
            "kind_flag": True,
            "members": (Member("m", TypeId(1), 1 << 24, 1),),
        },
        "member m",
        id="bit offset over 24 bits",
    ),
    pytest.param(
        {"kind": BtfKind.ENUM, "enumerators": (Enumerator("E", -1),)}, "-1", id="unsigned enum"
    ),
    pytest.param(
        {"kind": BtfKind.ENUM, "kind_flag": True, "enumerators": (Enumerator("E", 1 << 31),)},
        "32-bit enumerator",
        id="signed enum",
    ),
    pytest.param(
        {"kind": BtfKind.ENUM64, "enumerators": (Enumerator("E", 1 << 64),)},
        "64-bit enumerator",
        id="enum64",
    ),
    pytest.param({"kind": BtfKind.INT, "int_bits": 256}, "bits", id="int bits"),
    pytest.param({"kind": BtfKind.PTR, "type_id": -3}, "-3", id="negative reference"),
    pytest.param({"kind": BtfKind.DECL_TAG, "component_idx": 1 << 31}, "component", id="tag"),
    pytest.param({"kind": BtfKind.FUNC, "linkage": 1 << 16}, "vlen", id="linkage"),
    pytest.param({"kind": BtfKind.FWD, "name": "a\0b"}, "NUL", id="NUL in a name"),
]


@pytest.mark.parametrize(("fields", "said"), MISFITS)
def test_values_that_do_not_fit(fields, said):
    builder = BtfBuilder()
    builder.add_int("int", 4, INT_SIGNED)
    builder.add(replace(BtfType(VOID, BtfKind.VOID, "broken"), **fields))
    with pytest.raises(BtfEncodeError, match=said):
        builder.encode("little")


def test_more_entries_than_vlen_counts():
    builder = BtfBuilder()
    builder.add_enum("many", (Enumerator("E", 0),) * 0x10000)
    with pytest.raises(BtfEncodeError, match="vlen"):
        builder.encode("little")


def test_line_numbers_have_22_bits():
    line = LineInfo(0, "a.c", "", 1 << 22, 0)
    with pytest.raises(BtfEncodeError, match="22 and 10 bits"):
        encode_ext("little", func_infos={}, line_infos={"x": [line]}, core_relos={}, add_string=len)


def test_header_is_the_documented_one():
    """Type and string offsets count from the end of the 24-byte header."""
    builder = BtfBuilder()
    builder.add_float("double", 8)
    header = struct.unpack_from(">HBBIIIII", builder.encode("big"))
    assert header == (0xEB9F, 1, 0, 24, 0, 12, 12, len(b"\0double\0"))
