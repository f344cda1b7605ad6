"""Whole types side by side, as cilium/ebpf compares them; every case in both directions."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import pytest

from engine.btf.kinds import VOID, Param, TypeId
from engine.core.pairtypes import PairTypes
from engine.core.pairwise import Impossible
from engine.core.policy import FlavorRule
from engine.core.refusal import Refusal
from tests.support.btf_writer import BtfWriter, member, values

Make = Callable[[BtfWriter], int]


def number(w):
    return w.int


def short(w):
    return w.short


def unsigned(w):
    return w.add_int("int", 4, 0)


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


def array(of: Make, nelems: int, index: Make = short) -> Make:
    return lambda w: w.add_array(of(w), index(w), nelems)


def enum(size: int = 4, **named: int) -> Make:
    return lambda w: w.add_enum("e", values(**named), size=size)


def enum64(**named: int) -> Make:
    return lambda w: w.add_enum64("e", values(**named))


def fwd(*, of_union: bool = False) -> Make:
    return lambda w: w.add_fwd("s", union=of_union)


def function(*params: Make, returns: Make = void) -> Make:
    return lambda w: w.add_func_proto(
        returns(w), [Param("p", TypeId(param(w))) for param in params]
    )


class Case(NamedTuple):
    """Compatible in both directions, matching there, matching back."""

    name: str
    local: Make
    target: Make
    compatible: bool
    there: bool
    back: bool


AB = struct("a", "b")
CASES = [
    Case("void", void, void, True, True, True),
    Case("numbers of two sizes", number, short, True, False, False),
    Case("numbers of two signs", number, unsigned, True, False, False),
    Case("number and enum", number, enum(A=1), False, False, False),
    Case("pointers", pointer(number), pointer(number), True, True, True),
    Case("pointers to two kinds", pointer(number), pointer(AB), False, False, False),
    Case("arrays of two lengths", array(number, 2), array(number, 3), True, False, False),
    Case("arrays of two kinds", array(number, 2), array(AB, 2), False, False, False),
    Case("arrays by two indices", array(AB, 2), array(AB, 2, enum(A=1)), False, True, True),
    Case("structs without a common member", AB, struct("c"), True, False, False),
    Case("a part of a struct", struct("b"), AB, True, True, False),
    Case("struct and union", struct("a"), union("a"), False, False, False),
    Case("anonymous names match any", struct("a"), struct("a", name=""), True, True, True),
    Case("flavors", struct("a"), struct("a", name="s___x"), True, True, True),
    Case("members keep their flavor", struct("a"), struct("a___x"), True, False, False),
    Case(
        "members through pointers",
        struct("p", of=pointer(AB)),
        struct("p", of=pointer(struct("c"))),
        True,
        False,
        False,
    ),
    Case(
        "pointer to struct and to its declaration", pointer(AB), pointer(fwd()), False, True, True
    ),
    Case(
        "pointer to union and to a struct's",
        pointer(union("a")),
        pointer(fwd()),
        False,
        False,
        False,
    ),
    Case("declarations of struct and union", fwd(), fwd(of_union=True), True, False, False),
    Case("enums with other values", enum(A=1), enum(A=2), True, True, True),
    Case("a part of an enum", enum(A=1), enum(A=1, B=2), True, True, False),
    Case("enums of two sizes", enum(A=1), enum64(A=1), True, False, False),
    Case("enum and enum64", enum(8, A=1), enum64(A=1), True, True, True),
    Case(
        "functions",
        function(number, returns=number),
        function(number, returns=number),
        True,
        True,
        True,
    ),
    Case("functions of two lengths", function(number), function(), False, False, False),
    Case("functions of two parameters", function(AB), function(number), False, False, False),
    Case(
        "functions of two results",
        function(returns=AB),
        function(returns=number),
        False,
        False,
        False,
    ),
]


def pairs(local: Make, target: Make) -> tuple[PairTypes, int, int]:
    left, right = BtfWriter(), BtfWriter()
    right.add_struct("so that ids differ", 0)
    one, other = local(left), target(right)
    return PairTypes(left.parsed(), right.parsed(), FlavorRule.LAST_LAX), one, other


def verdict(local: Make, target: Make, question: str) -> bool:
    both, one, other = pairs(local, target)
    try:
        getattr(both, question)(one, other)
    except Impossible:
        return False
    return True


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_compatible(case):
    assert verdict(case.local, case.target, "compatible") is case.compatible
    assert verdict(case.target, case.local, "compatible") is case.compatible


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_match(case):
    assert verdict(case.local, case.target, "match") is case.there
    assert verdict(case.target, case.local, "match") is case.back


@pytest.mark.parametrize("question", ["compatible", "match"])
def test_floats_are_an_error(question):
    def real(w):
        return w.add_float("float", 4)

    with pytest.raises(Refusal, match=r"unsupported type \*btf.Float"):
        verdict(real, real, question)


def loop(w):
    """struct node { struct node *next; }"""
    node = w.next_id
    return w.add_struct("node", 8, [member("next", node + 1, 0)]) and w.add_ptr(node)


@pytest.mark.parametrize("question", ["compatible", "match"])
def test_a_list_that_leads_to_itself(question):
    assert verdict(loop, loop, question) is True


@pytest.mark.parametrize("question", ["compatible", "match"])
def test_a_pointer_to_itself(question):
    def itself(w):
        return w.add_ptr(w.next_id)

    assert verdict(itself, itself, question) is True


def test_long_chains_are_stopped():
    def chain(w):
        made = w.int
        for _ in range(400):
            made = w.add_ptr(made)
        return made

    with pytest.raises(Refusal, match="too deep"):
        verdict(chain, chain, "compatible")


def test_a_pair_is_compared_once():
    """64 levels of structs with two equal members each: 2^64 paths, 65 pairs."""

    def tree(w):
        made = w.add_struct("s", 4, [member("a", w.int, 0)])
        for _ in range(63):
            made = w.add_struct("s", 4, [member("a", made, 0), member("b", made, 0)])
        return made

    both, one, other = pairs(tree, tree)
    both.match(one, other)
    assert len(both.seen) == 65


def test_the_member_that_is_lacking_is_named():
    both, one, other = pairs(struct("c"), AB)
    with pytest.raises(Impossible) as caught:
        both.match(one, other)
    assert (caught.value.rule, caught.value.detail) == ("type-mismatch", "no member c")
