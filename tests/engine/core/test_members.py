"""Members in the order in which a depth-first search meets them."""

from __future__ import annotations

import pytest

from engine import limits
from engine.core.members import flat_members
from engine.errors import BtfTypeError, LimitExceeded
from tests.support.btf_writer import BtfWriter, member


def flat(writer: BtfWriter, root: int):
    btf = writer.parsed()
    return flat_members(btf, btf.type(root))


def nested(writer: BtfWriter, levels: int, name: str = "x") -> int:
    """Give a struct that holds `name` behind so many anonymous structs, each 4 bytes in."""
    inner = writer.add_struct("", 8, [member(name, writer.int, 4)])
    for _ in range(levels - 1):
        inner = writer.add_struct("", 8, [member("", inner, 4)])
    return writer.add_struct("s", 8, [member("", inner, 4)])


def test_places_and_paths():
    writer = BtfWriter()
    inner = writer.add_struct("", 8, [member("b", writer.int, 0), member("c", writer.int, 4)])
    union = writer.add_union("", 8, [member("", inner, 0), member("d", writer.long, 0)])
    hidden = writer.add_typedef("t", writer.add_const(union))
    members = [member("a", writer.int, 0), member("", hidden, 8), member("e", writer.int, 16)]
    found = flat(writer, writer.add_struct("s", 24, members))
    rows = {name: row for name, (row,) in found.by_name.items()}
    places = {name: (row.bit_offset, row.path) for name, row in rows.items()}
    assert places == {
        "a": (0, (0,)),
        "b": (64, (1, 0, 0)),
        "c": (96, (1, 0, 1)),
        "d": (64, (1, 1)),
        "e": (128, (2,)),
    }
    assert rows["c"].holder_id == inner
    assert rows["c"].position == 1
    assert {name: row.depth_seen for name, row in rows.items()} == {
        "a": 1,
        "b": 3,
        "c": 3,
        "d": 3,
        "e": 3,
    }
    assert found.depth == 3


def test_the_same_name_twice_keeps_the_order_of_visits():
    writer = BtfWriter()
    inner = writer.add_struct("", 4, [member("x", writer.int, 0)])
    root = writer.add_struct("s", 12, [member("", inner, 4), member("x", writer.int, 0)])
    assert [row.path for row in flat(writer, root).by_name["x"]] == [(0, 0), (1,)]


def test_an_anonymous_member_of_a_number_is_passed_over():
    writer = BtfWriter()
    root = writer.add_struct("s", 8, [member("", writer.int, 0), member("a", writer.int, 4)])
    found = flat(writer, root)
    assert set(found.by_name) == {"a"}


def test_what_is_no_struct_has_no_members():
    writer = BtfWriter()
    found = flat(writer, writer.int)
    assert (found.by_name, found.depth) == ({}, 0)


def test_deep_nesting():
    writer = BtfWriter()
    found = flat(writer, nested(writer, 63))
    (row,) = found.by_name["x"]
    assert len(row.path) == 64
    assert row.bit_offset == 64 * 32
    assert found.depth == 64


def test_a_struct_that_holds_itself_ends_at_the_longest_path():
    """The search stops one level below the longest path, which is refused as too deep."""
    writer = BtfWriter()
    loop = writer.next_id
    writer.add_struct("loop", 8, [member("", loop, 4), member("x", writer.int, 0)])
    found = flat(writer, loop)
    assert found.depth == limits.ACCESS_SPEC_PARTS + 1
    assert found.by_name["x"][0].depth_seen > limits.ACCESS_SPEC_PARTS


def test_an_explosion_is_stopped():
    """Two anonymous members of its own type double the search at each of 64 levels."""
    writer = BtfWriter()
    loop = writer.next_id
    writer.add_struct("loop", 8, [member("", loop, 0), member("", loop, 4)])
    with pytest.raises(LimitExceeded, match="members lie below"):
        flat(writer, loop)


def test_a_cycle_of_typedefs_is_no_member():
    writer = BtfWriter()
    first = writer.next_id
    writer.add_typedef("a", first + 1)
    writer.add_typedef("b", first)
    root = writer.add_struct("s", 4, [member("", first, 0)])
    with pytest.raises(BtfTypeError, match="cycle"):
        flat(writer, root)


def test_the_answer_is_kept():
    writer = BtfWriter()
    root = writer.add_struct("s", 4, [member("a", writer.int, 0)])
    btf = writer.parsed()
    assert flat_members(btf, btf.type(root)) is flat_members(btf, btf.type(root))
