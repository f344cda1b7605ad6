"""When types may stand for each other; every case is tried in both directions."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import pytest

from engine.btf.kinds import VOID, Param, TypeId
from engine.core.compat import fields_compatible, types_compatible
from engine.core.refusal import Refusal
from engine.errors import BtfTypeError
from tests.support.btf_writer import BtfWriter, member, values
from tests.support.relocating import AYA, KERNEL, LIBBPF, policy

Make = Callable[[BtfWriter], int]


def struct(name="s", members=1):
    return lambda w: w.add_struct(name, 4, [member(f"m{n}", w.int, 0) for n in range(members)])


def array(of: Make, nelems: int) -> Make:
    return lambda w: w.add_array(of(w), w.uint, nelems)


def pointer(of: Make) -> Make:
    return lambda w: w.add_ptr(of(w))


def function(*params: Make, returns: Make = lambda w: VOID) -> Make:
    return lambda w: w.add_func_proto(
        returns(w), [Param("p", TypeId(param(w))) for param in params]
    )


def void(w):
    return VOID


def number(w):
    return w.int


def other_number(w):
    return w.ulong


def odd_int(w):
    return w.add_int("odd", 4, bits=3, offset=2)


def union(w):
    return w.add_union("s", 4, [member("m0", w.int, 0)])


def enum(name="e"):
    return lambda w: w.add_enum(name, values(A=1))


def enum64(name="e"):
    return lambda w: w.add_enum64(name, values(A=1))


def fwd(name="f"):
    return lambda w: w.add_fwd(name)


def real(name="float", size=4):
    return lambda w: w.add_float(name, size)


def qualified(of: Make) -> Make:
    return lambda w: w.add_const(w.add_typedef("t", w.add_volatile(w.add_type_tag("x", of(w)))))


class Case(NamedTuple):
    name: str
    one: Make
    other: Make
    fields: bool
    types: bool
    aya_fields: bool | None = None
    aya_types: bool | None = None


CASES = [
    Case("the same number", number, number, True, True),
    Case("numbers of another size and sign", number, other_number, True, True),
    Case("an old bitfield", number, odd_int, False, False),
    Case("number and pointer", number, pointer(number), False, False),
    Case("number and enum", number, enum(), False, False),
    Case("number and float", number, real(), False, False),
    Case("pointers to different types", pointer(number), pointer(number), True, True),
    Case("pointers to what is incompatible", pointer(number), pointer(enum()), True, False),
    Case("pointer to void and to a number", pointer(void), pointer(number), True, False),
    Case("structs without a common member", struct(), struct(members=0), True, True),
    Case("structs of different names", struct("a"), struct("b"), True, True),
    Case("struct and union", struct(), union, True, False),
    Case("struct and number", struct(), number, False, False),
    Case("struct and forward declaration", struct(), fwd("s"), False, False),
    Case("enums of one name", enum(), enum(), True, True),
    Case("enums and flavor", enum(), enum("e___old"), True, True),
    Case("enums of two names", enum("a"), enum("b"), False, True),
    Case("anonymous enum", enum("a"), enum(""), True, True, aya_fields=False),
    Case("enum and enum64", enum(), enum64(), True, True),
    Case("forward declarations of one name", fwd(), fwd("f___x"), True, True),
    Case("forward declarations of two names", fwd("a"), fwd("b"), False, True),
    Case("floats of two sizes", real(), real("double", 8), True, False, aya_types=True),
    Case("arrays of two lengths", array(number, 3), array(number, 0), True, True),
    Case("arrays of arrays", array(array(number, 2), 3), array(array(number, 5), 1), True, True),
    Case("arrays of two depths", array(array(number, 2), 3), array(number, 6), False, False),
    Case("arrays of structs", array(struct("a"), 2), array(struct("b"), 2), True, True),
    Case("arrays of what is incompatible", array(number, 2), array(enum(), 2), False, False),
    Case("void", void, void, False, True),
    Case("functions of one shape", function(number), function(other_number), False, True),
    Case("functions of two lengths", function(number), function(), False, False),
    Case("functions of two parameters", function(number), function(enum()), False, False),
    Case(
        "functions of two results",
        function(returns=number),
        function(returns=pointer(number)),
        False,
        False,
    ),
]


def both(case: Case):
    local, target = BtfWriter(), BtfWriter()
    local.add_struct("so that ids differ", 0)
    one, other = case.one(local), case.other(target)
    left, right = local.parsed(), target.parsed()
    return (left, one, right, other), (right, other, left, one)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_fields(case):
    for sides in both(case):
        assert fields_compatible(*sides, policy(LIBBPF)) is case.fields
        aya = case.fields if case.aya_fields is None else case.aya_fields
        assert fields_compatible(*sides, policy(AYA)) is aya


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_types(case):
    for sides in both(case):
        assert types_compatible(*sides, policy(LIBBPF)) is case.types
        aya = case.types if case.aya_types is None else case.aya_types
        assert types_compatible(*sides, policy(AYA)) is aya


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_qualifiers_and_typedefs_are_looked_through(case):
    hidden = case._replace(one=qualified(case.one), other=qualified(case.other))
    for sides in both(hidden):
        assert fields_compatible(*sides, policy(LIBBPF)) is case.fields
        assert types_compatible(*sides, policy(LIBBPF)) is case.types


def test_the_kinds_of_roots_are_compared_before_typedefs_are_skipped():
    """A typedef does not exist where only the struct behind it has that name."""
    case = Case("", struct(), lambda w: w.add_typedef("s", struct()(w)), True, False)
    for sides in both(case):
        assert fields_compatible(*sides, policy(LIBBPF)) is True
        assert types_compatible(*sides, policy(LIBBPF)) is False


def deep(levels: int, wrap: Callable[[Make], Make]) -> Make:
    made: Make = number
    for _ in range(levels):
        made = wrap(made)
    return made


DEPTHS = [
    pytest.param(pointer, 31, LIBBPF, True, id="31 pointers"),
    pytest.param(pointer, 32, LIBBPF, None, id="32 pointers"),
    pytest.param(function, 32, LIBBPF, True, id="32 levels of functions"),
    pytest.param(function, 33, LIBBPF, None, id="33 levels of functions"),
    pytest.param(function, 2, KERNEL, True, id="kernel, 2 levels of functions"),
    pytest.param(function, 3, KERNEL, None, id="kernel, 3 levels of functions"),
    pytest.param(pointer, 31, KERNEL, True, id="kernel, 31 pointers"),
]


@pytest.mark.parametrize(("wrap", "levels", "loader", "verdict"), DEPTHS)
def test_how_deep_types_may_be(wrap, levels, loader, verdict):
    sides, _ = both(Case("", deep(levels, wrap), deep(levels, wrap), False, True))
    if verdict is None:
        with pytest.raises(Refusal, match="too deep") as caught:
            types_compatible(*sides, policy(loader))
        assert caught.value.code == "EINVAL"
    else:
        assert types_compatible(*sides, policy(loader)) is verdict


def test_a_pointer_to_itself_ends():
    writer = BtfWriter()
    loop = writer.next_id
    writer.add_ptr(loop)
    btf = writer.parsed()
    with pytest.raises(Refusal, match="too deep"):
        types_compatible(btf, loop, btf, loop, policy())


def test_an_array_of_itself_ends():
    writer = BtfWriter()
    loop = writer.next_id
    writer.add_array(loop, writer.uint, 2)
    btf = writer.parsed()
    with pytest.raises(Refusal, match="too deep"):
        fields_compatible(btf, loop, btf, loop, policy())


def test_a_typedef_of_itself_is_a_broken_type():
    writer = BtfWriter()
    loop = writer.next_id
    writer.add_typedef("t", loop)
    btf = writer.parsed()
    with pytest.raises(BtfTypeError, match="cycle"):
        fields_compatible(btf, loop, btf, loop, policy())
