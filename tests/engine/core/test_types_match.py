"""type_matches as libbpf and the kernel answer it: is the local type a part of the target."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import pytest

from engine.btf.kinds import INT_SIGNED, VOID, Param, TypeId
from engine.core.refusal import Refusal
from engine.core.types_match import TypeMatcher
from tests.support.btf_writer import BtfWriter, member, values
from tests.support.relocating import KERNEL, LIBBPF, policy

Make = Callable[[BtfWriter], int]


def number(w):
    return w.int


def short(w):
    return w.short


def unsigned(w):
    return w.add_int("int", 4, 0)


def char_int(w):
    return w.add_int("int", 4, INT_SIGNED | 2)


def void(w):
    return VOID


def struct(*names: str, name: str = "s", of: Make = number) -> Make:
    return lambda w: w.add_struct(
        name, 8, [member(one, of(w), 4 * n) for n, one in enumerate(names)]
    )


def union(*names: str) -> Make:
    return lambda w: w.add_union("s", 8, [member(one, w.int, 0) for one in names])


def pointer(of: Make) -> Make:
    return lambda w: w.add_ptr(of(w))


def array(of: Make, nelems: int) -> Make:
    return lambda w: w.add_array(of(w), w.uint, nelems)


def enum(size: int = 4, **named: int) -> Make:
    return lambda w: w.add_enum("e", values(**named), size=size)


def enum64(size: int = 8, **named: int) -> Make:
    return lambda w: w.add_enum64("e", values(**named), size=size)


def fwd(*, of_union: bool = False) -> Make:
    return lambda w: w.add_fwd("s", union=of_union)


def function(*params: Make, returns: Make = void) -> Make:
    return lambda w: w.add_func_proto(
        returns(w), [Param("p", TypeId(param(w))) for param in params]
    )


def typedef(of: Make, name: str = "t") -> Make:
    return lambda w: w.add_typedef(name, of(w))


def real(w):
    return w.add_float("float", 4)


class Case(NamedTuple):
    """`there` is the answer, `back` the one with local and target exchanged."""

    name: str
    local: Make
    target: Make
    there: bool
    back: bool


AB, AB_SHORT = struct("a", "b"), struct("a", "b", of=short)
CASES = [
    Case("void", void, void, True, True),
    Case("the same number", number, number, True, True),
    Case("numbers of two names", number, short, False, False),
    Case("numbers of two signs", number, unsigned, False, False),
    Case("other bits of the encoding", number, char_int, True, True),
    Case("number and enum", typedef(number), enum(A=0), False, False),
    Case("pointers", pointer(number), pointer(number), True, True),
    Case("pointers to two numbers", pointer(number), pointer(short), False, False),
    Case("pointer and array", pointer(number), array(number, 1), False, False),
    Case("pointer to void and to number", pointer(void), pointer(number), False, False),
    Case("arrays", array(number, 3), array(number, 3), True, True),
    Case("arrays of two lengths", array(number, 3), array(number, 4), False, False),
    Case("equal structs", AB, AB, True, True),
    Case("a part of a struct", struct("b"), AB, True, False),
    Case("members in another order", struct("b", "a"), AB, True, True),
    Case("members of another type", AB, AB_SHORT, False, False),
    Case("another member", struct("c"), AB, False, False),
    Case("struct and union", struct("a"), union("a"), False, False),
    Case("flavors", struct("a", name="s___x"), struct("a", name="s___y"), True, True),
    Case("two names", struct("a", name="s"), struct("a", name="r"), False, False),
    Case("anonymous target", struct("a"), struct("a", name=""), False, False),
    Case("both anonymous", struct("a", name=""), struct("a", name=""), True, True),
    Case("flavor of a member", struct("a___x"), struct("a"), True, True),
    Case("pointers to what differs inside", pointer(AB), pointer(struct("c")), True, True),
    Case("pointers to struct and union", pointer(AB), pointer(union("a")), False, False),
    Case("pointer to struct and to its declaration", pointer(AB), pointer(fwd()), True, True),
    Case(
        "pointer to struct and to a union's", pointer(AB), pointer(fwd(of_union=True)), False, False
    ),
    Case("struct and its declaration", AB, fwd(), False, False),
    Case("declarations", fwd(), fwd(), True, True),
    Case("declarations of struct and union", fwd(), fwd(of_union=True), False, False),
    Case("pointers to declarations", pointer(fwd()), pointer(fwd()), True, True),
    Case(
        "pointer to union and to its declaration",
        pointer(union("a")),
        pointer(fwd(of_union=True)),
        True,
        True,
    ),
    Case("enums with other values", enum(A=1), enum(A=2), True, True),
    Case("a part of an enum", enum(A=1), enum(B=0, A=1), True, False),
    Case("another enumerator", enum(A=1), enum(B=1), False, False),
    Case("flavor of an enumerator", enum(A___x=1), enum(A=1), True, True),
    Case("enums of two sizes", enum(A=1), enum(1, A=1), False, False),
    Case("enum and enum64 of one size", enum(8, A=1), enum64(A=1), True, True),
    Case("enum and enum64 of two sizes", enum(A=1), enum64(A=1), False, False),
    Case(
        "functions", function(number, returns=number), function(number, returns=number), True, True
    ),
    Case("functions of two lengths", function(number), function(), False, False),
    Case("functions of two parameters", function(number), function(short), False, False),
    Case(
        "functions of two results", function(returns=number), function(returns=short), False, False
    ),
    Case(
        "typedefs of two names inside",
        struct("a", of=typedef(number)),
        struct("a", of=number),
        True,
        True,
    ),
    Case("floats", real, real, False, False),
]


def answer(local: Make, target: Make, loader: str = LIBBPF) -> bool:
    left, right = BtfWriter(), BtfWriter()
    right.add_struct("so that ids differ", 0)
    one, other = local(left), target(right)
    return TypeMatcher(left.parsed(), right.parsed(), policy(loader)).match(one, other)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_both_directions(case):
    assert answer(case.local, case.target) is case.there
    assert answer(case.target, case.local) is case.back


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_the_kernel_agrees_where_two_levels_suffice(case):
    assert answer(case.local, case.target, KERNEL) is case.there


def test_every_member_of_that_name_is_tried():
    """An anonymous local member may match any anonymous target member."""
    first = struct("x", name="")
    second = struct("y", name="")

    def target(w):
        return w.add_struct("s", 8, [member("", first(w), 0), member("", second(w), 4)])

    assert answer(lambda w: w.add_struct("s", 4, [member("", second(w), 0)]), target) is True


def deep(levels: int) -> Make:
    made: Make = number
    for _ in range(levels):
        made = struct("m", of=made)
    return made


DEPTHS = [
    pytest.param(deep(31), LIBBPF, True, id="libbpf, 31 levels by value"),
    pytest.param(deep(32), LIBBPF, None, id="libbpf, 32 levels by value"),
    pytest.param(deep(1), KERNEL, True, id="kernel, one level by value"),
    pytest.param(deep(2), KERNEL, None, id="kernel, two levels by value"),
    pytest.param(pointer(deep(40)), KERNEL, True, id="kernel, any depth behind a pointer"),
    pytest.param(array(deep(1), 2), KERNEL, True, id="kernel, an array is no level"),
]


@pytest.mark.parametrize(("make", "loader", "verdict"), DEPTHS)
def test_levels(make, loader, verdict):
    if verdict is None:
        with pytest.raises(Refusal, match="too deep") as caught:
            answer(make, make, loader)
        assert caught.value.code == "EINVAL"
    else:
        assert answer(make, make, loader) is verdict


MISMATCHES = [
    pytest.param(struct("c"), AB, "no member of struct s fits c", id="member"),
    pytest.param(AB, struct("a"), "struct s has members that struct s lacks", id="fewer members"),
    pytest.param(enum(C=1), enum(A=1), "enum e has no C", id="enumerator"),
    pytest.param(function(number), function(), "the functions take different", id="function"),
    pytest.param(pointer(number), array(number, 1), "a pointer meets an array", id="pointer"),
    pytest.param(array(number, 2), array(number, 3), "an array of 2 meets one of 3", id="array"),
]


@pytest.mark.parametrize(("local", "target", "words"), MISMATCHES)
def test_the_first_thing_that_did_not_fit_is_told(local, target, words):
    left, right = BtfWriter(), BtfWriter()
    one, other = local(left), target(right)
    matcher = TypeMatcher(left.parsed(), right.parsed(), policy())
    assert matcher.match(one, other) is False
    assert words in matcher.mismatch


def test_a_wide_tree_is_stopped():
    """Each level holds 20 equal anonymous members, each of which would be tried with each."""

    def bush(leaf: str) -> Make:
        def make(w):
            inner = w.add_struct("", 4, [member(leaf, w.int, 0)])
            for _ in range(10):
                inner = w.add_struct("", 4, [member("", inner, 0)] * 20)
            return w.add_struct("s", 4, [member("", inner, 0)])

        return make

    with pytest.raises(Refusal, match="too many steps"):
        answer(bush("leaf"), bush("twig"))
