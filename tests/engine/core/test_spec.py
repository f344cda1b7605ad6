"""Access strings and the paths that they name."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.btf.ext import CoreRelo
from engine.btf.kinds import TypeId
from engine.core.kinds import CoreReloKind
from engine.core.policy import FlexibleRule
from engine.core.refusal import Refusal
from engine.core.spec import parse_indices, parse_spec
from engine.errors import EngineError
from tests.support.btf_writer import BtfWriter, member, values

INDICES = [
    pytest.param("0", (0,), id="one"),
    pytest.param("0:1:2", (0, 1, 2), id="three"),
    pytest.param("7:", None, id="nothing behind a colon"),
    pytest.param("0::1", None, id="two colons"),
    pytest.param("0:a", None, id="a letter"),
    pytest.param("0:-1", None, id="negative"),
    pytest.param("0:+1", (0, 1), id="a plus sign, as scanf reads it"),
    pytest.param("0: 1", (0, 1), id="a space, as scanf reads it"),
    pytest.param("2147483647", ((1 << 31) - 1,), id="the largest int"),
    pytest.param("2147483648", None, id="over the largest int"),
    pytest.param("9" * 5000, None, id="more digits than Python converts"),
    pytest.param("0" * 5000 + "3", (3,), id="many zeros in front"),
    pytest.param("-0:1", (0, 1), id="minus zero"),
    pytest.param("0:\u0663", None, id="an Arabic three"),
    pytest.param(":".join(["1"] * 64), (1,) * 64, id="64 indices"),
]


@pytest.mark.parametrize(("access", "indices"), INDICES)
def test_indices(access, indices):
    if indices is None:
        with pytest.raises(Refusal) as caught:
            parse_indices(access)
        assert caught.value.code == "EINVAL"
    else:
        assert parse_indices(access) == indices


def test_sixty_five_indices_are_too_many():
    with pytest.raises(Refusal) as caught:
        parse_indices(":".join(["1"] * 65))
    assert caught.value.code == "E2BIG"


@given(st.text("0123456789:-+ a\n\0٣", max_size=80))
def test_any_access_string(access):
    try:
        indices = parse_indices(access)
    except Refusal:
        return
    assert 1 <= len(indices) <= 64 or not access
    assert all(0 <= index < 1 << 31 for index in indices)


class Types(BtfWriter):
    """struct outer {
        int a;                        byte 0
        const tdef b;                 byte 4     typedef struct inner { short x, y:3, z:5; }
        union { long c; char d; };    byte 8
        int e[3][2];                  byte 16
        struct inner *f;              byte 40
        int g[];                      byte 48
    }
    """

    def __init__(self) -> None:
        super().__init__()
        inner = [member("x", self.short, 0), member("y", self.short, 2, 3)]
        self.inner = self.add_struct("inner", 4, [*inner, member("z", self.short, 2.375, 5)])
        self.tdef = self.add_typedef("tdef", self.inner)
        members = [member("c", self.long, 0), member("d", self.char, 0)]
        union = self.add_union("", 8, members)
        rows = self.add_array(self.add_array(self.int, self.uint, 2), self.uint, 3)
        flexible = self.add_array(self.int, self.uint, 0)
        members = [
            member("a", self.int, 0),
            member("b", self.add_const(self.tdef), 4),
            member("", union, 8),
            member("e", rows, 16),
            member("f", self.add_ptr(self.inner), 40),
            member("g", flexible, 48),
        ]
        self.outer = self.add_struct("outer", 48, members)
        self.union = self.add_union("onion", 8, [member("g", flexible, 0), members[0]])
        self.colour = self.add_enum("colour", values(RED=0, BLUE=7))
        self.wide = self.add_enum64("wide", values(HUGE=1 << 40))
        self.alias = self.add_typedef("alias", self.colour)
        self.anonymous = self.add_struct("", 4, [member("a", self.int, 0)])


TYPES = Types()
BTF = TYPES.parsed()
OFF, EXISTS = CoreReloKind.FIELD_BYTE_OFFSET, CoreReloKind.FIELD_EXISTS
VALUE = CoreReloKind.ENUMVAL_VALUE


def spec(root, access, kind=OFF, rule=FlexibleRule.LAST_MEMBER):
    return parse_spec(BTF, CoreRelo(0, TypeId(root), access, kind), kind, rule)


PATHS = [
    pytest.param(TYPES.outer, "0", "struct outer", 0, id="the whole struct"),
    pytest.param(TYPES.outer, "2", "struct outer[2]", 96 * 8, id="the third of an array"),
    pytest.param(TYPES.outer, "0:0", "struct outer.a", 0, id="first member"),
    pytest.param(TYPES.outer, "0:1:0", "struct outer.b.x", 32, id="through const and typedef"),
    pytest.param(TYPES.outer, "0:1:2", "struct outer.b.z", 51, id="bitfield"),
    pytest.param(TYPES.outer, "0:2:1", "struct outer.d", 64, id="through an anonymous union"),
    pytest.param(TYPES.outer, "0:2", "struct outer", 64, id="the anonymous union itself"),
    pytest.param(TYPES.outer, "0:3:1:1", "struct outer.e[1][1]", 28 * 8, id="array of arrays"),
    pytest.param(TYPES.outer, "0:5:9", "struct outer.g[9]", 84 * 8, id="flexible array"),
    pytest.param(TYPES.tdef, "0:0", "typedef tdef.x", 0, id="typedef root"),
    pytest.param(TYPES.anonymous, "0:0", "struct <anon>.a", 0, id="anonymous root"),
]


@pytest.mark.parametrize(("root", "access", "path", "bit_offset"), PATHS)
def test_field_paths(root, access, path, bit_offset):
    found = spec(root, access)
    assert (found.path, found.bit_offset) == (path, bit_offset)
    assert found.raw == tuple(map(int, access.split(":")))


ENUMERATORS = [
    pytest.param(TYPES.colour, "1", "enum colour::BLUE", id="enum"),
    pytest.param(TYPES.alias, "0", "typedef alias::RED", id="typedef of an enum"),
    pytest.param(TYPES.wide, "0", "enum wide::HUGE", id="enum64 is an enum to a reader"),
]


@pytest.mark.parametrize(("root", "access", "path"), ENUMERATORS)
def test_enumerator_paths(root, access, path):
    assert spec(root, access, VALUE).path == path


REFUSED = [
    pytest.param(TYPES.outer, "", OFF, id="empty"),
    pytest.param(TYPES.outer, ":0", OFF, id="leading colon"),
    pytest.param(TYPES.outer, "0:6", OFF, id="member that is not there"),
    pytest.param(TYPES.outer, "0:3:3", OFF, id="behind the array's end"),
    pytest.param(TYPES.union, "0:0:0", OFF, id="an empty array that is not the last member"),
    pytest.param(TYPES.outer, "0:0:0", OFF, id="into an int"),
    pytest.param(TYPES.outer, "0:4:0", OFF, id="through a pointer"),
    pytest.param(TYPES.outer, "0:1", CoreReloKind.TYPE_EXISTS, id="type with a path"),
    pytest.param(TYPES.outer, "00", CoreReloKind.TYPE_SIZE, id="type with another zero"),
    pytest.param(TYPES.colour, "2", VALUE, id="enumerator that is not there"),
    pytest.param(TYPES.colour, "0:0", VALUE, id="enumerator with a path"),
    pytest.param(TYPES.outer, "0", VALUE, id="enumerator of a struct"),
    pytest.param(0, "0", OFF, id="field of void"),
]


@pytest.mark.parametrize(("root", "access", "kind"), REFUSED)
def test_refused(root, access, kind):
    with pytest.raises(Refusal) as caught:
        spec(root, access, kind)
    assert caught.value.code == "EINVAL"


def test_the_refusal_of_a_path_into_a_number_names_the_place():
    with pytest.raises(Refusal, match=r"\(at idx 2\) captures type \[1\] of unexpected kind int"):
        spec(TYPES.outer, "0:0:0")


FLEXIBLE = [
    pytest.param("0:5:5", True, True, id="index equal to the number of the last member"),
    pytest.param("0:5:4", True, False, id="another index"),
]


@pytest.mark.parametrize(("access", "libbpf", "aya"), FLEXIBLE)
def test_flexible_arrays(access, libbpf, aya):
    """aya-obj 0.3.0 compares the index where libbpf compares the member's position."""
    for rule, may in (
        (FlexibleRule.LAST_MEMBER, libbpf),
        (FlexibleRule.INDEX_OF_LAST_MEMBER, aya),
    ):
        if may:
            assert spec(TYPES.outer, access, rule=rule).raw[1] == 5
        else:
            with pytest.raises(Refusal):
                spec(TYPES.outer, access, rule=rule)


@given(st.sampled_from(range(len(BTF) + 2)), st.text("0123:", max_size=9), st.integers(0, 12))
def test_any_record(root, access, number):
    kind = CoreReloKind(number)
    try:
        found = spec(root, access, kind)
    except (Refusal, EngineError):
        return
    assert found.root_id == root
    assert found.path
