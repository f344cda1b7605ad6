"""Finding a local path again in a candidate."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import pytest

from engine.btf.ext import CoreRelo
from engine.btf.kinds import TypeId
from engine.core.kinds import CoreReloKind
from engine.core.match import Match, match_spec
from engine.core.spec import parse_spec
from tests.support.btf_writer import BtfWriter, member, values
from tests.support.relocating import AYA, LIBBPF, policy

OFF = CoreReloKind.FIELD_BYTE_OFFSET
Make = Callable[[BtfWriter], int]


def find(
    local: Make, access: str, target: Make, kind: CoreReloKind = OFF, loader: str = LIBBPF, **rules
) -> Match:
    """Parse the access string on the local type and match it with the target type."""
    left, right = BtfWriter(), BtfWriter()
    right.add_struct("so that ids differ", 0)
    root, other = local(left), target(right)
    left_btf, right_btf = left.parsed(), right.parsed()
    chosen = policy(loader, **rules)
    record = CoreRelo(0, TypeId(root), access, kind)
    spec = parse_spec(left_btf, record, kind, chosen.flexible_arrays)
    return match_spec(spec, left_btf, right_btf, other, chosen)


def s(*names: str) -> Make:
    """struct s { int ...; } with 4 bytes for each name."""
    return lambda w: w.add_struct("s", 64, [member(n, w.int, 4 * i) for i, n in enumerate(names)])


def holding(name: str, inner: Make, *, at: int = 8, last: bool = True) -> Make:
    """struct s { <inner> name; } at byte 8, with a member behind it unless `last`."""

    def make(w):
        members = [member(name, inner(w), at)]
        return w.add_struct("s", 64, members if last else [*members, member("z", w.int, 60)])

    return make


def anon(*names: str, union: bool = False) -> Make:
    def make(w):
        add = w.add_union if union else w.add_struct
        return add("", 16, [member(n, w.int, 0 if union else 4 * i) for i, n in enumerate(names)])

    return make


def array(nelems: int, of: Make = lambda w: w.int) -> Make:
    return lambda w: w.add_array(of(w), w.uint, nelems)


class Case(NamedTuple):
    name: str
    local: Make
    access: str
    target: Make
    raw: tuple[int, ...] | None
    byte: int = 0
    rule: str = ""
    detail: str = ""


CASES = [
    Case("the same place", s("a", "b"), "0:1", s("a", "b"), (0, 1), 4),
    Case("moved", s("a", "b"), "0:1", s("x", "y", "b"), (0, 2), 8),
    Case("gone", s("a", "b"), "0:1", s("a"), None, 0, "no-member", "b"),
    Case("the root alone", s("a"), "0", s("b"), (0,), 0),
    Case("the third root of an array", s("a"), "2", s("b"), (2,), 128),
    Case("names keep their flavor", s("a___x"), "0:0", s("a"), None, 0, "no-member", "a___x"),
    Case(
        "into an anonymous struct", s("a", "b"), "0:1", holding("", anon("x", "b")), (0, 0, 1), 12
    ),
    Case(
        "out of an anonymous struct", holding("", anon("x", "b")), "0:0:1", s("a", "b"), (0, 1), 4
    ),
    Case(
        "struct becomes union",
        holding("", anon("x", "b")),
        "0:0:1",
        holding("", anon("x", "b", union=True)),
        (0, 0, 1),
        8,
    ),
    Case(
        "named on both sides",
        holding("i", s("a", "b")),
        "0:0:1",
        holding("i", s("b"), at=24),
        (0, 0, 0),
        24,
    ),
    Case("named only there", s("b"), "0:0", holding("i", s("b")), None, 0, "no-member", "b"),
    Case(
        "a number where a struct was",
        holding("i", s("a")),
        "0:0:0",
        holding("i", lambda w: w.int),
        None,
        0,
        "field-type",
        "i",
    ),
    Case("array element", holding("i", array(4)), "0:0:3", holding("i", array(4)), (0, 0, 3), 20),
    Case(
        "array is shorter",
        holding("i", array(4)),
        "0:0:3",
        holding("i", array(3)),
        None,
        0,
        "out-of-bounds",
        "[3] of 3",
    ),
    Case(
        "array has larger elements",
        holding("i", array(4)),
        "0:0:3",
        holding("i", array(4, lambda w: w.long)),
        (0, 0, 3),
        32,
    ),
    Case(
        "array has become flexible",
        holding("i", array(4)),
        "0:0:3",
        holding("i", array(0)),
        (0, 0, 3),
        20,
    ),
    Case(
        "flexible, but not the last",
        holding("i", array(4)),
        "0:0:3",
        holding("i", array(0), last=False),
        None,
        0,
        "out-of-bounds",
        "[3] of 0",
    ),
    Case(
        "array of structs",
        holding("i", array(4, s("a"))),
        "0:0:1:0",
        holding("i", array(2, s("x", "a"))),
        (0, 0, 1, 1),
        76,
    ),
    Case(
        "no array",
        holding("i", array(4)),
        "0:0:3",
        holding("i", lambda w: w.int),
        None,
        0,
        "field-type",
        "i",
    ),
    Case(
        "the candidate is no struct",
        s("a"),
        "0:0",
        lambda w: w.add_typedef("s", w.int),
        None,
        0,
        "not-composite",
        "int int",
    ),
    Case(
        "the candidate is a typedef",
        s("a"),
        "0:0",
        lambda w: w.add_typedef("s", s("a")(w)),
        (0, 0),
        0,
    ),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_fields(case):
    found = find(case.local, case.access, case.target)
    if case.raw is None:
        assert (found.matched, found.rule, found.detail) == (False, case.rule, case.detail)
    else:
        assert (found.matched, found.spec.raw) == (True, case.raw)
        assert found.spec.bit_offset == case.byte * 8


def test_an_incompatible_field_of_a_named_struct_ends_the_search():
    """The name is found once; a second member of that name is not looked for."""

    def target(w):
        inner = w.add_struct("", 4, [member("a", w.int, 0)])
        return w.add_struct("s", 12, [member("a", w.add_ptr(0), 0), member("", inner, 8)])

    assert find(s("a"), "0:0", target).rule == "field-type"


def strayed(w):
    """struct s { struct { int x; struct a {} *a; }; int a; }, the field sought is an int."""
    inner = w.add_struct("", 16, [member("x", w.int, 0), member("a", w.add_ptr(0), 8)])
    return w.add_struct(
        "s", 40, [member("", inner, 0), member("y", w.int, 16), member("a", w.int, 24)]
    )


STRAYED = [
    pytest.param(LIBBPF, 24 + 8, (0, 0, 2), id="libbpf keeps the refused member's offset"),
    pytest.param(AYA, 24, (0, 2), id="aya takes it back"),
]


@pytest.mark.parametrize(("loader", "byte", "raw"), STRAYED)
def test_a_search_goes_on_behind_an_anonymous_struct(loader, byte, raw):
    """libbpf 1.7.0 forgets to take back what the refused member had added."""
    found = find(s("a"), "0:0", strayed, loader=loader)
    assert found.matched
    assert found.spec.bit_offset == byte * 8
    assert [accessor.name for accessor in found.spec.accessors] == [None, "a"]
    assert found.spec.raw == raw


PARTIAL = [
    pytest.param(holding("i", s("a")), "0:0:0", holding("i", s("b")), (0, 0), 64, id="no member"),
    pytest.param(
        s("a"),
        "0:0",
        lambda w: w.add_struct("s", 16, [member("x", w.int, 0), member("a", w.add_ptr(0), 8)]),
        (0, 1),
        64,
        id="wrong type",
    ),
]


@pytest.mark.parametrize(("local", "access", "target", "raw", "bits"), PARTIAL)
def test_a_refused_candidate_shows_how_far_the_search_came(local, access, target, raw, bits):
    found = find(local, access, target)
    assert not found.matched
    assert (found.spec.raw, found.spec.bit_offset) == (raw, bits)


def nested(levels: int) -> Make:
    def make(w):
        inner = w.add_struct("", 4, [member("a", w.int, 0)])
        for _ in range(levels - 1):
            inner = w.add_struct("", 4, [member("", inner, 0)])
        return w.add_struct("s", 4, [member("", inner, 0)])

    return make


@pytest.mark.parametrize("name", ["a", "absent"])
def test_a_target_that_is_nested_too_deep(name):
    """64 indices are kept, the first of them for the root."""
    found = find(s(name), "0:0", nested(62))
    assert found.matched is (name == "a")
    assert found.refusal is None
    found = find(s(name), "0:0", nested(63))
    assert found.refusal is not None
    assert found.refusal.code == "E2BIG"
    assert found.spec.raw == (0,) * 64


def test_how_far_a_search_came_that_went_too_deep():
    def deep(w):
        inner = w.add_struct("", 4, [member("b", w.int, 0)])
        for _ in range(70):
            inner = w.add_struct("", 8, [member("x", w.int, 0), member("", inner, 4)])
        return w.add_struct("s", 8, [member("y", w.int, 0), member("", inner, 4)])

    found = find(s("a"), "0:0", deep)
    assert not found.matched
    assert found.spec.raw == (0,) + (1,) * 63
    assert found.spec.bit_offset == 63 * 32


def test_a_candidate_without_a_size():
    found = find(s("a"), "1", lambda w: w.add_fwd("s"))
    assert found.refusal is not None
    assert found.refusal.code == "EINVAL"


def enum(*names: str) -> Make:
    return lambda w: w.add_enum("e", values(**{name: n for n, name in enumerate(names)}))


ENUMS = [
    pytest.param(enum("A", "B"), enum("B"), (0,), id="moved"),
    pytest.param(enum("A", "B___x"), enum("A", "B"), (1,), id="local flavor"),
    pytest.param(enum("A", "B"), enum("B___y", "B"), (0,), id="the first of that essential name"),
    pytest.param(enum("A", "B"), enum("A"), None, id="gone"),
    pytest.param(enum("A", "B"), s("B"), None, id="no enum"),
    pytest.param(enum("A", "B"), lambda w: w.add_enum64("e", values(B=1)), (0,), id="enum64"),
    pytest.param(enum("A", "B"), lambda w: w.add_typedef("e", enum("B")(w)), (0,), id="typedef"),
]


@pytest.mark.parametrize(("local", "target", "raw"), ENUMS)
@pytest.mark.parametrize("kind", [CoreReloKind.ENUMVAL_EXISTS, CoreReloKind.ENUMVAL_VALUE])
def test_enumerators(local, target, raw, kind):
    found = find(local, "1", target, kind)
    assert found.matched is (raw is not None)
    assert found.spec.raw == (raw or ())


def test_an_enumerator_keeps_its_value():
    found = find(enum("A", "B"), "1", lambda w: w.add_enum("e", values(B=-5)), CoreReloKind(11))
    assert found.spec.enum_value == -5


@pytest.mark.parametrize(
    ("kind", "target", "matched"),
    [
        (CoreReloKind.TYPE_EXISTS, s("b"), True),
        (CoreReloKind.TYPE_SIZE, s("b"), True),
        (CoreReloKind.TYPE_ID_TARGET, s("b"), True),
        (CoreReloKind.TYPE_MATCHES, s("b"), False),
        (CoreReloKind.TYPE_MATCHES, s("a", "b"), True),
        (CoreReloKind.TYPE_EXISTS, lambda w: w.int, False),
    ],
)
def test_types(kind, target, matched):
    found = find(s("a"), "0", target, kind)
    assert (found.matched, found.spec.raw) == (matched, ())
