"""One short sentence for each way in which a relocation can come out."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from engine.btf.kinds import BtfKind
from engine.core.kinds import CoreReloKind
from engine.core.result import Relocation
from engine.core.trace import Step, StepKind
from engine.explain.narrate import shown, type_words, why
from tests.support.asm import exit_, ld_imm64, ldx, mov_imm
from tests.support.btf_writer import BtfWriter, member, values
from tests.support.relocating import AYA, CILIUM, LIBBPF, ObjectWriter, relo, relocations

OFF, SIZE, EXISTS, SIGNED, LSHIFT, RSHIFT = (CoreReloKind(n) for n in range(6))
LOCAL_ID, TARGET_ID, TYPE_EXISTS, TYPE_SIZE, ENUM_EXISTS, ENUM_VALUE, MATCHES = (
    CoreReloKind(n) for n in range(6, 13)
)
Make = Callable[[BtfWriter], int]
ZERO = mov_imm(1, 0)


def s(*names: str) -> Make:
    return lambda w: w.add_struct("s", 64, [member(n, w.int, 4 * i) for i, n in enumerate(names)])


def holding(name: str, inner: Make) -> Make:
    return lambda w: w.add_struct("s", 64, [member(name, inner(w), 8)])


def named(name: str, *names: str) -> Make:
    return lambda w: w.add_struct(name, 8, [member(n, w.int, 4 * i) for i, n in enumerate(names)])


def e(**named_values: int) -> Make:
    return lambda w: w.add_enum("e", values(**named_values))


def array(nelems: int) -> Make:
    return lambda w: w.add_array(w.int, w.uint, nelems)


def number(w):
    return w.int


def nothing(w):
    return 0


def told(kind, local: Make, access: str, target: Make, code=ZERO, loader=LIBBPF):
    """Relocate one record and give its outcome with the sentence."""
    program, other = ObjectWriter(), BtfWriter()
    root = local(program.btf)
    target(other)
    program.function("prog", code + exit_(), relo(root, access, kind))
    (row,) = relocations(program.relocate(other, loader))
    return row.outcome, why(row)


WRITTEN = [
    pytest.param(OFF, s("f"), "0:0", s("x", "f"), "patched", "offset 0 became 4", id="offset"),
    pytest.param(
        OFF, s("f"), "0:0", s("f"), "unchanged", "offset 0, the same as compiled", id="offset stays"
    ),
    pytest.param(TYPE_EXISTS, s("f"), "0", s("x"), "unchanged", "it exists", id="type"),
    pytest.param(MATCHES, s("f"), "0", s("f"), "unchanged", "it matches", id="type that matches"),
    pytest.param(EXISTS, s("f"), "0:0", s("f"), "unchanged", "it exists", id="field"),
    pytest.param(
        TARGET_ID, s("f"), "0", s("f"), "unchanged", "type id 8, the same as compiled", id="type id"
    ),
]


@pytest.mark.parametrize(("kind", "local", "access", "target", "outcome", "sentence"), WRITTEN)
def test_values(kind, local, access, target, outcome, sentence):
    compiled = {OFF: 0, TARGET_ID: 8}.get(kind, 1)
    assert told(kind, local, access, target, mov_imm(1, compiled)) == (outcome, sentence)


MISSING = [
    pytest.param(OFF, s("f"), "0:0", nothing, "poisoned", "there is no struct s", id="no type"),
    pytest.param(
        OFF, s("f"), "0:0", s("x"), "poisoned", "struct s has no member f", id="no member"
    ),
    pytest.param(
        OFF,
        s("f"),
        "0:0",
        lambda w: w.add_union("s", 4),
        "poisoned",
        "s is a union there, not a struct",
        id="a union",
    ),
    pytest.param(
        OFF,
        s("f"),
        "0:0",
        holding("f", lambda w: w.add_ptr(0)),
        "poisoned",
        "f has an incompatible type there",
        id="a pointer",
    ),
    pytest.param(
        OFF,
        holding("f", array(4)),
        "0:0:3",
        holding("f", array(2)),
        "poisoned",
        "the array is shorter there: [3] of 2",
        id="a shorter array",
    ),
    pytest.param(
        OFF,
        holding("i", named("inner", "a")),
        "0:0:0",
        holding("i", named("inner", "b")),
        "poisoned",
        "struct inner has no member a",
        id="no member inside",
    ),
    pytest.param(
        ENUM_VALUE,
        e(A=1),
        "0",
        e(B=1),
        "poisoned",
        "enum e has no enumerator A",
        id="no enumerator",
    ),
    pytest.param(ENUM_VALUE, e(A=1), "0", nothing, "poisoned", "there is no enum e", id="no enum"),
    pytest.param(
        ENUM_EXISTS,
        e(A=1),
        "0",
        e(B=1),
        "patched",
        "enum e has no enumerator A",
        id="enumerator does not exist",
    ),
    pytest.param(
        EXISTS,
        s("f"),
        "0:0",
        s("x"),
        "patched",
        "struct s has no member f",
        id="field does not exist",
    ),
    pytest.param(
        TYPE_EXISTS,
        s("f"),
        "0",
        nothing,
        "patched",
        "there is no struct s",
        id="type does not exist",
    ),
    pytest.param(
        TYPE_SIZE,
        s("f"),
        "0",
        nothing,
        "patched",
        "size 0: there is no struct s",
        id="size of no type",
    ),
    pytest.param(
        TARGET_ID,
        s("f"),
        "0",
        nothing,
        "patched",
        "type id 0: there is no struct s",
        id="id of no type",
    ),
    pytest.param(
        MATCHES,
        s("f"),
        "0",
        s("x"),
        "patched",
        "struct s does not match: no member of struct s fits f",
        id="does not match",
    ),
]


@pytest.mark.parametrize(("kind", "local", "access", "target", "outcome", "sentence"), MISSING)
def test_what_is_missing(kind, local, access, target, outcome, sentence):
    compiled = {TYPE_SIZE: 64, TARGET_ID: 8, OFF: 0}.get(kind, 1)
    code = ld_imm64(1, 1) if kind is ENUM_VALUE else mov_imm(1, compiled)
    if outcome == "poisoned" and kind is OFF:
        code = mov_imm(1, 20 if access == "0:0:3" else 8 if access == "0:0:0" else 0)
    assert told(kind, local, access, target, code) == (outcome, sentence)


def test_a_type_of_another_kind():
    sentence = told(ENUM_EXISTS, e(A=1), "0", lambda w: w.add_struct("e", 4), mov_imm(1, 1))[1]
    assert sentence == "e is a struct there, not an enum"


def test_the_choice_of_another_loader_reads_alike():
    sentence = "struct s has no member f"
    assert told(OFF, s("f"), "0:0", s("x"), loader=CILIUM) == ("poisoned", sentence)
    assert told(OFF, s("f"), "0:0", s("x"), loader=AYA) == ("poisoned", sentence)


def test_a_field_that_cannot_be_read_through_another_width():
    def long_field(w):
        return w.add_struct("s", 64, [member("f", w.long, 0)])

    outcome, sentence = told(OFF, s("f"), "0:0", long_field, ldx(4, 1, 1, 0))
    assert outcome == "poisoned"
    assert sentence == "the field changed its size and cannot be read through another width"


def test_a_refusal_is_told_in_the_loader_s_words():
    outcome, sentence = told(OFF, s("f"), "0:0", s("x", "f"), mov_imm(1, 9))
    assert outcome == "failed"
    assert sentence == "unexpected insn #0 (ALU/ALU64) value: got 9, exp 0 -> 4"


def test_a_declaration_is_no_definition():
    outcome, sentence = told(OFF, s("f"), "0:0", lambda w: w.add_fwd("s"), loader=CILIUM)
    assert (outcome, sentence) == ("poisoned", "struct s is only declared there, not defined")


def test_bare_results_have_a_sentence_too():
    """Results may come from elsewhere, with their steps cut."""
    for outcome in ("patched", "unchanged", "poisoned", "failed", "skipped"):
        for kind in CoreReloKind:
            for new in (None, 0, 7):
                row = Relocation(0, 0, 1, kind, "0", "struct s", None, new, outcome, None)
                assert why(row)
    row = Relocation(
        0, 0, 1, OFF, "0", "struct s", None, None, "failed", None, (Step(StepKind.POISON),)
    )
    assert why(row) == "the loader gave up"


NUMBERS = [
    (0, "0"),
    (5, "5"),
    (1 << 63, str(-(1 << 63))),
    ((1 << 64) - 5, "-5"),
    (1 << 40, str(1 << 40)),
]


@pytest.mark.parametrize(("value", "text"), NUMBERS)
def test_small_negatives_get_their_sign(value, text):
    assert shown(value) == text


TYPES = [
    (BtfKind.STRUCT, "s", "struct s"),
    (BtfKind.ENUM64, "e", "enum e"),
    (BtfKind.TYPEDEF, "t", "t"),
    (BtfKind.INT, "long", "long"),
    (BtfKind.UNION, "", "an anonymous union"),
]


@pytest.mark.parametrize(("kind", "name", "words"), TYPES)
def test_types_are_named_as_c_does(kind, name, words):
    assert type_words(kind, name) == words
