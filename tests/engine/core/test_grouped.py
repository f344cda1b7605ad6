"""All relocations of a type at once: cilium/ebpf chooses the candidate with the best score."""

from __future__ import annotations

import pytest

from engine.core.kinds import CoreReloKind
from engine.core.patch import POISON_CALL, POISON_LOAD
from engine.core.trace import StepKind
from tests.support.asm import exit_, ld_imm64, ldx, mov_imm
from tests.support.btf_writer import BtfWriter, member, values
from tests.support.relocating import CILIUM, ObjectWriter, only, relo, relocations, said

OFF, SIZE, EXISTS, SIGNED, LSHIFT, RSHIFT = (CoreReloKind(n) for n in range(6))
LOCAL_ID, TARGET_ID, TYPE_EXISTS, TYPE_SIZE, ENUM_EXISTS, ENUM_VALUE, MATCHES = (
    CoreReloKind(n) for n in range(6, 13)
)
OLD = "cilium@0.9.1"


def struct(writer: BtfWriter, name: str, **at: int) -> int:
    """struct name { int ...; } with each member at its byte."""
    return writer.add_struct(name, 64, [member(m, writer.int, byte) for m, byte in at.items()])


def checks(*fields: str) -> ObjectWriter:
    """A program that asks for each field of `struct s` whether it exists."""
    program = ObjectWriter()
    root = struct(program.btf, "s", **dict.fromkeys(fields, 0))
    relos = [relo(root, f"0:{n}", EXISTS, slot=n) for n in range(len(fields))]
    program.function("prog", mov_imm(1, 1) * len(fields) + exit_(), *relos)
    return program


def target(*structs: dict[str, int]) -> BtfWriter:
    writer = BtfWriter()
    for number, members in enumerate(structs):
        struct(writer, f"s___v{number}", **members)
    return writer


SCORES = [
    pytest.param([{"a": 0}, {"a": 0, "b": 4}], [1, 1], id="the one with both"),
    pytest.param([{"a": 0, "b": 4}, {"a": 0}], [1, 1], id="the order does not matter"),
    pytest.param([{"a": 0}, {"a": 4}], [1, 0], id="a tie that gives the same"),
    pytest.param([{"a": 0}, {"b": 0}], None, id="a tie that gives two answers"),
    pytest.param([{"x": 0}, {"a": 0}], [1, 0], id="one that answers nothing is left out"),
    pytest.param([{"x": 0}, {"y": 0}], [0, 0], id="none answers anything"),
    pytest.param([], [0, 0], id="no candidate"),
]


@pytest.mark.parametrize(("structs", "expected"), SCORES)
def test_the_best_score_wins(structs, expected):
    result = checks("a", "b").relocate(target(*structs), CILIUM)
    if expected is None:
        assert said(result) == (
            'apply CO-RE relocations: relocate Struct:"s": field_exists: multiple types match: '
            "ambiguous relocation"
        )
    else:
        assert [row.new for row in relocations(result)] == expected


def test_the_choice_is_told():
    result = checks("a", "b").relocate(target({"a": 0}, {"a": 0, "b": 4}), CILIUM)
    for row in relocations(result):
        (chosen,) = [step for step in row.trace if step.kind is StepKind.CHOSEN]
        assert (chosen.type_id, chosen.value, chosen.origin) == (9, 0, "vmlinux")


def test_flavors_of_the_local_type_are_types_of_their_own():
    """Each local type has its own group, so two flavors may choose two candidates."""
    program = ObjectWriter()
    first = struct(program.btf, "s___one", a=0)
    second = struct(program.btf, "s___two", b=0)
    code = mov_imm(1, 1) + mov_imm(1, 1) + exit_()
    program.function("prog", code, relo(first, "0:0", EXISTS), relo(second, "0:0", EXISTS, slot=1))
    result = program.relocate(target({"a": 0}, {"b": 0}), CILIUM)
    assert [row.new for row in relocations(result)] == [1, 1]


def test_each_function_chooses_for_itself():
    program = ObjectWriter()
    root = struct(program.btf, "s", a=0, b=0)
    for number, name in enumerate("ab"):
        program.function(name, mov_imm(1, 1) + exit_(), relo(root, f"0:{number}", EXISTS))
    result = program.relocate(target({"a": 0}, {"b": 0}), CILIUM)
    assert [row.new for row in relocations(result)] == [1, 1]


def test_a_refusal_stops_its_function_only():
    program = ObjectWriter()
    root = struct(program.btf, "s", a=0)
    program.function("bad", ldx(4, 0, 1, 9) + exit_(), relo(root, "0:0", OFF))
    program.function("good", ldx(4, 0, 1, 0) + exit_(), relo(root, "0:0", OFF))
    result = program.relocate(target({"a": 12}), CILIUM)
    bad, good = result.functions
    assert result.error is None
    assert bad.after is None
    assert bad.error is not None
    assert bad.error.text == (
        'apply CO-RE relocations: fixup for CORERelocation(byte_off, Struct:"s"[0:0], '
        "local_id=8): invalid offset 9, expected 0"
    )
    assert [row.outcome for row in bad.relocations] == ["failed"]
    assert good.after == ldx(4, 0, 1, 12) + exit_()


POISONED = [
    pytest.param(mov_imm(1, 4), OFF, (POISON_CALL,), id="offset"),
    pytest.param(ldx(4, 0, 1, 4), OFF, (POISON_CALL,), id="load"),
    pytest.param(ld_imm64(1, 64), TYPE_SIZE, POISON_LOAD, id="size of a type"),
    pytest.param(ld_imm64(1, 8), TARGET_ID, POISON_LOAD, id="id of a type"),
]


@pytest.mark.parametrize(("code", "kind", "after"), POISONED)
def test_what_is_missing_is_poison(code, kind, after):
    program = ObjectWriter()
    root = struct(program.btf, "s", a=4)
    access = "0:0" if kind < CoreReloKind.TYPE_ID_LOCAL else "0"
    program.function("prog", code + exit_(), relo(root, access, kind))
    result = only(program.relocate(BtfWriter(), CILIUM))
    assert result.after == after + exit_()
    (row,) = result.relocations
    assert (row.outcome, row.new) == ("poisoned", None)
    assert StepKind.NO_CANDIDATE in [step.kind for step in row.trace]


def test_a_lost_slot_moves_what_follows():
    program = ObjectWriter()
    root = program.btf.add_enum("e", values(A=5))
    code = mov_imm(0, 0) + ld_imm64(1, 5) + mov_imm(2, 2) + exit_()
    program.function("prog", code, relo(root, "0", ENUM_VALUE, slot=1))
    result = only(program.relocate(BtfWriter(), "cilium@0.13.0"))
    assert result.after == (*mov_imm(0, 0), POISON_CALL, *mov_imm(2, 2), *exit_())
    assert result.slot_map == (0, 1, None, 2, 3)
    assert result.relocations[0].slots == 2


def test_any_kind_of_type_may_be_a_candidate():
    """cilium/ebpf relocates a struct to a union or typedef of that name; libbpf does not."""
    program = ObjectWriter()
    root = struct(program.btf, "s", a=0)
    program.function("prog", ldx(4, 0, 1, 0) + exit_(), relo(root, "0:0", OFF))
    union = BtfWriter()
    union.add_union("s", 64, [member("x", union.int, 0), member("a", union.int, 8)])
    assert only(program.relocate(union, CILIUM)).after == ldx(4, 0, 1, 8) + exit_()
    assert relocations(program.relocate(union))[0].outcome == "poisoned"


def test_the_size_of_a_load_never_changes():
    program = ObjectWriter()
    root = program.btf.add_struct("s", 8, [member("a", program.btf.uint, 0)])
    program.function("prog", ldx(4, 0, 1, 0) + exit_(), relo(root, "0:0", OFF))
    wide = BtfWriter()
    wide.add_struct("s", 16, [member("a", wide.ulong, 8)])
    assert only(program.relocate(wide, CILIUM)).after == ldx(4, 0, 1, 8) + exit_()
    assert only(program.relocate(wide)).after == ldx(8, 0, 1, 8) + exit_()


def asked(kind: CoreReloKind, value: int, local, remote, loader=CILIUM, order="little"):
    """Relocate `r1 = value` for the field f of a struct, of type `local` and `remote`."""
    program, other = ObjectWriter(order), BtfWriter()
    for writer, (of, at, bits) in ((program.btf, local), (other, remote)):
        writer.add_struct("s", 64, [member("f", of(writer), at, bits)])
    root = program.btf.next_id - 1
    program.function("prog", mov_imm(1, value) + exit_(), relo(root, "0:0", kind))
    return program.relocate(other, loader)


def number(w):
    return w.int


def unsigned(w):
    return w.uint


SHIFTS = [
    pytest.param((unsigned, 4, 0), 32, 32, 32, id="number"),
    pytest.param((unsigned, 4.375, 5), 56, 35, 59, id="bitfield"),
    pytest.param((unsigned, 3.75, 4), 30, 62, 60, id="bitfield across two words"),
]


@pytest.mark.parametrize(("field", "left", "left_big", "right"), SHIFTS)
def test_shifts(field, left, left_big, right):
    found = {
        (kind, order): relocations(asked(kind, 0, field, field, order=order))[0].new
        for kind in (LSHIFT, RSHIFT)
        for order in ("little", "big")
    }
    assert found[LSHIFT, "little"] == left
    assert found[LSHIFT, "big"] == left_big
    assert found[RSHIFT, "little"] == found[RSHIFT, "big"] == right


def test_a_bitfield_across_two_words_gets_a_load_that_is_too_small():
    """libbpf widens the load to 8 bytes; cilium/ebpf leaves it at 4."""
    field = (unsigned, 3.75, 4)
    assert relocations(asked(SIZE, 4, field, field))[0].new == 4
    assert relocations(asked(SIZE, 4, field, field, "libbpf@1.7.0"))[0].new == 8


SIGNS = [
    pytest.param(number, unsigned, CILIUM, 0, id="int becomes unsigned"),
    pytest.param(number, number, CILIUM, 1, id="int stays"),
    pytest.param(number, number, OLD, 0, id="old versions ask the root type"),
    pytest.param(
        lambda w: w.add_ptr(0), lambda w: w.add_ptr(0), CILIUM, "no signedness", id="pointer"
    ),
    pytest.param(number, lambda w: w.add_ptr(0), CILIUM, None, id="int becomes pointer"),
]


@pytest.mark.parametrize(("local", "remote", "loader", "expected"), SIGNS)
def test_signs(local, remote, loader, expected):
    result = asked(SIGNED, int(local is number), (local, 0, 0), (remote, 0, 0), loader)
    if isinstance(expected, str):
        assert expected in said(result)
    else:
        assert relocations(result)[0].new == expected


def test_local_type_ids_are_those_of_the_btf_written_at_load():
    """Since v0.13.0 each type gets the next id of a new BTF; before, the object's id."""
    program = ObjectWriter()
    first, second = struct(program.btf, "a", f=0), struct(program.btf, "b", f=0)
    code = ld_imm64(1, second) + ld_imm64(2, first) + ld_imm64(3, second) + exit_()
    wanted = (second, 0), (first, 2), (second, 4)
    program.function("prog", code, *(relo(one, "0", LOCAL_ID, slot=at) for one, at in wanted))
    for loader, ids in ((CILIUM, [1, 2, 1]), ("cilium@0.12.3", [second, first, second])):
        assert [row.new for row in relocations(program.relocate(BtfWriter(), loader))] == ids


def test_type_ids_are_compared_with_the_instruction():
    """This breaks objects whose BTF was renumbered by a linker."""
    program = ObjectWriter()
    root = struct(program.btf, "a", f=0)
    program.function("prog", ld_imm64(1, 99) + exit_(), relo(root, "0", LOCAL_ID))
    assert "invalid immediate 99, expected 8" in said(program.relocate(BtfWriter(), CILIUM))
    assert program.relocate(BtfWriter()).error is None


REFUSED = [
    pytest.param(
        lambda w: struct(w, "", a=0),
        "0:0",
        OFF,
        "relocate unnamed or anonymous type Struct: not supported",
        id="anonymous root",
    ),
    pytest.param(
        lambda w: struct(w, "s", a=0),
        "0:9",
        OFF,
        'relocate Struct:"s": target Struct:"s": byte_off: invalid accessor 9',
        id="no such member",
    ),
    pytest.param(lambda w: struct(w, "s", a=0), "0:x", OFF, "malformed", id="no number"),
    pytest.param(
        lambda w: struct(w, "s", a=0),
        "0:0",
        MATCHES,
        "type_matches: unexpected accessor 0:0",
        id="type with a path",
    ),
    pytest.param(
        lambda w: struct(w, "s", a=0), "0", ENUM_VALUE, 'not an enum: Struct:"s"', id="no enum"
    ),
    pytest.param(
        lambda w: w.add_enum("s", values(A=1)),
        "3",
        ENUM_VALUE,
        'invalid index 3 for Enum:"s"',
        id="no such enumerator",
    ),
    pytest.param(
        lambda w: w.add_float("s", 4), "0", TYPE_EXISTS, "unsupported type *btf.Float", id="float"
    ),
    pytest.param(
        lambda w: struct(w, "s", a=0), "0", 13, "not supported", id="kind that nobody knows"
    ),
]


@pytest.mark.parametrize(("make", "access", "kind", "words"), REFUSED)
def test_refused(make, access, kind, words):
    program, other = ObjectWriter(), BtfWriter()
    root = make(program.btf)
    make(other)
    program.function("prog", mov_imm(1, 1) + exit_(), relo(root, access, kind))
    assert words in said(program.relocate(other, CILIUM))


def test_a_declaration_has_no_fields():
    program, other = ObjectWriter(), BtfWriter()
    root = struct(program.btf, "s", a=0)
    other.add_fwd("s")
    program.function("prog", mov_imm(1, 1) + exit_(), relo(root, "0:0", EXISTS))
    (row,) = relocations(program.relocate(other, CILIUM))
    assert row.new == 0
    assert "forward-declaration" in [step.rule for step in row.trace]
