"""Walking local and target side by side, as cilium/ebpf does."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import pytest

from engine.core.pairwise import (
    Impossible,
    PairWalk,
    Position,
    find_enumerator,
    find_member,
    names_match,
)
from engine.core.policy import FlavorRule
from engine.core.refusal import Refusal
from tests.support.btf_writer import BtfWriter, member, values
from tests.support.relocating import CILIUM, policy

Make = Callable[[BtfWriter], int]
LAX = FlavorRule.LAST_LAX


def s(*names: str) -> Make:
    return lambda w: w.add_struct("s", 64, [member(n, w.int, 4 * i) for i, n in enumerate(names)])


def anon(*names: str) -> Make:
    return lambda w: w.add_struct("", 64, [member(n, w.int, 4 * i) for i, n in enumerate(names)])


def holding(name: str, inner: Make, *, at: float = 8, bits: int = 0, last: bool = True) -> Make:
    def make(w):
        members = [member(name, inner(w), at, bits)]
        return w.add_struct("s", 64, members if last else [*members, member("z", w.int, 60)])

    return make


def array(nelems: int, of: Make = lambda w: w.int) -> Make:
    return lambda w: w.add_array(of(w), w.uint, nelems)


def number(w):
    return w.int


def walked(local: Make, target: Make, *indices: int, **rules) -> tuple[Position, Position]:
    left, right = BtfWriter(), BtfWriter()
    right.add_struct("so that ids differ", 0)
    one, other = local(left), target(right)
    sides = Position(left.parsed(), one), Position(right.parsed(), other)
    return PairWalk(policy(CILIUM, **rules), *sides).run(indices)


class Found(NamedTuple):
    """Bytes, then bits of a bitfield, on both sides."""

    name: str
    local: Make
    target: Make
    indices: tuple[int, ...]
    here: tuple[int, int, int]
    there: tuple[int, int, int]


FOUND = [
    Found("the root", s("a"), s("b"), (0,), (0, 0, 0), (0, 0, 0)),
    Found("moved", s("a", "b"), s("x", "y", "b"), (0, 1), (4, 0, 0), (8, 0, 0)),
    Found("the second of an array of roots", s("a"), s("a"), (1, 0), (64, 0, 0), (64, 0, 0)),
    Found(
        "out of an anonymous struct",
        holding("", anon("x", "b")),
        s("b"),
        (0, 0, 1),
        (12, 0, 0),
        (0, 0, 0),
    ),
    Found(
        "into an anonymous struct",
        s("a", "b"),
        holding("", anon("b")),
        (0, 1),
        (4, 0, 0),
        (8, 0, 0),
    ),
    Found(
        "array element",
        holding("i", array(4)),
        holding("i", array(5), at=16),
        (0, 0, 3),
        (20, 0, 0),
        (28, 0, 0),
    ),
    Found(
        "flexible array",
        holding("i", array(0)),
        holding("i", array(0)),
        (0, 0, 3),
        (20, 0, 0),
        (20, 0, 0),
    ),
    Found(
        "array of structs",
        holding("i", array(4, s("a"))),
        holding("i", array(4, s("x", "a"))),
        (0, 0, 1, 0),
        (72, 0, 0),
        (76, 0, 0),
    ),
    Found(
        "bitfield",
        holding("f", number, at=4.5, bits=3),
        holding("f", number, at=9, bits=5),
        (0, 0),
        (4, 4, 3),
        (8, 8, 5),
    ),
    Found(
        "bitfield becomes a number",
        holding("f", number, at=4.5, bits=3),
        holding("f", number),
        (0, 0),
        (4, 4, 3),
        (8, 0, 0),
    ),
    Found(
        "bitfield across two words",
        holding("f", number, at=3.75, bits=4),
        holding("f", number, at=3.75, bits=4),
        (0, 0),
        (0, 30, 4),
        (0, 30, 4),
    ),
]


@pytest.mark.parametrize("case", FOUND, ids=lambda case: case.name)
def test_found(case):
    sides = walked(case.local, case.target, *case.indices)
    places = [(side.offset, side.bitfield_offset, side.bitfield_size) for side in sides]
    assert places == [case.here, case.there]


IMPOSSIBLE = [
    pytest.param(s("a"), s("b"), (0, 0), "no-member", id="no such member"),
    pytest.param(s("a___x"), s("a"), (0, 0), "no-member", id="members keep their flavor"),
    pytest.param(s("a"), number, (0, 0), "field-type", id="candidate is a number"),
    pytest.param(
        holding("i", s("a")), holding("i", number), (0, 0, 0), "field-type", id="member is a number"
    ),
    pytest.param(
        holding("i", array(4)), holding("i", number), (0, 0, 1), "field-type", id="no array"
    ),
    pytest.param(
        holding("i", array(4)),
        holding("i", array(1)),
        (0, 0, 1),
        "out-of-bounds",
        id="array is shorter",
    ),
    pytest.param(
        holding("e", lambda w: w.add_enum("a")),
        holding("e", lambda w: w.add_enum("b")),
        (0, 0),
        "field-type",
        id="enums of two names",
    ),
]


@pytest.mark.parametrize(("local", "target", "indices", "rule"), IMPOSSIBLE)
def test_impossible(local, target, indices, rule):
    with pytest.raises(Impossible) as caught:
        walked(local, target, *indices)
    assert caught.value.rule == rule


REFUSED = [
    pytest.param(s("a"), s("a"), (0, 7), "invalid accessor 7 for Struct", id="no such index"),
    pytest.param(s("a"), s("a"), (0, 0, 0), r"relocate field of \*btf.Int", id="into a number"),
    pytest.param(
        holding("", number), s("a"), (0, 0), "unnamed field with type Int", id="unnamed number"
    ),
    pytest.param(
        s("a"),
        holding("", number),
        (0, 0),
        r"anonymous non-composite type \*btf.Int",
        id="unnamed number there",
    ),
    pytest.param(
        holding("i", array(4)),
        holding("i", array(4)),
        (0, 0, 4),
        "invalid access of Array at index 4",
        id="behind the array",
    ),
    pytest.param(
        holding("i", array(0), last=False),
        holding("i", array(4)),
        (0, 0, 0),
        "local type has invalid flexible",
        id="flexible, not last",
    ),
    pytest.param(
        holding("i", array(4)),
        holding("i", array(0), last=False),
        (0, 0, 0),
        "target type has invalid flexible",
        id="flexible there, not last",
    ),
    pytest.param(
        holding("f", number, bits=3),
        holding("f", s("a")),
        (0, 0, 0),
        "can't descend into bitfield",
        id="into a bitfield",
    ),
    pytest.param(
        holding("f", lambda w: w.add_int("odd", 3, 0), bits=3),
        holding("f", lambda w: w.add_int("odd", 3, 0), bits=3),
        (0, 0),
        "not a power of two",
        id="bitfield of 3 bytes",
    ),
]


@pytest.mark.parametrize(("local", "target", "indices", "words"), REFUSED)
def test_refused(local, target, indices, words):
    with pytest.raises((Refusal, Impossible)) as caught:
        walked(local, target, *indices)
    assert isinstance(caught.value, Refusal)
    caught.match(words)


def test_old_versions_ask_for_the_size_of_a_candidate_first():
    with pytest.raises(Impossible):
        walked(s("a"), lambda w: w.add_fwd("s"), 0)
    for add in (lambda w: w.add_fwd("s"), lambda w: w.add_var("s", w.int)):
        with pytest.raises(Refusal, match="unsized type"):
            walked(s("a"), add, 0, sizes_unsized_candidates=True)


def test_members_are_found_level_by_level():
    """A direct member comes before one of the same name in an anonymous struct before it."""
    writer = BtfWriter()
    inner = writer.add_struct("", 8, [member("x", writer.int, 4)])
    outer = writer.add_struct("s", 16, [member("", inner, 0), member("x", writer.int, 8)])
    btf = writer.parsed()
    found, last = find_member(btf, btf.type(outer), "x")
    assert (found.bit_offset, last) == (64, True)
    with pytest.raises(Impossible, match="no-member"):
        find_member(btf, btf.type(outer), "y")


def test_an_anonymous_struct_in_itself_ends():
    writer = BtfWriter()
    loop = writer.next_id
    writer.add_struct("s", 8, [member("", loop, 8)])
    btf = writer.parsed()
    with pytest.raises(Refusal, match="nested too deep"):
        find_member(btf, btf.type(loop), "x")


NAMES = [
    pytest.param("a", "a", True, id="equal"),
    pytest.param("a", "b", False, id="different"),
    pytest.param("a___x", "a___y", True, id="flavors"),
    pytest.param("", "b", True, id="anonymous"),
    pytest.param("a", "", True, id="anonymous there"),
]


@pytest.mark.parametrize(("local", "target", "match"), NAMES)
def test_names(local, target, match):
    assert names_match(local, target, LAX) is match


def test_the_first_enumerator_of_that_essential_name():
    writer = BtfWriter()
    enum = writer.add_enum("e", values(B=0, A___x=1, A=2))
    btf = writer.parsed()
    assert find_enumerator(btf.type(enum), "A___y", LAX).value == 1
    with pytest.raises(Impossible, match="no-enumerator"):
        find_enumerator(btf.type(enum), "C", LAX)
    with pytest.raises(Impossible, match="not-an-enum"):
        find_enumerator(btf.type(writer.int), "A", LAX)
