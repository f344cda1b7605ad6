"""Whole relocations one after the other: libbpf, the kernel, aya."""

from __future__ import annotations

import pytest

from engine.core.kinds import CoreReloKind
from engine.core.patch import POISON_CALL
from engine.core.trace import StepKind
from tests.support.asm import exit_, jmp, ld_imm64, ldx, mov_imm
from tests.support.btf_writer import BtfWriter, member, values
from tests.support.relocating import (
    AYA,
    KERNEL,
    LIBBPF,
    ObjectWriter,
    only,
    policy,
    relo,
    relocations,
    said,
)

OFF, SIZE, EXISTS = (CoreReloKind(n) for n in range(3))
LOCAL_ID, TARGET_ID, TYPE_EXISTS, TYPE_SIZE, ENUM_EXISTS, ENUM_VALUE, MATCHES = (
    CoreReloKind(n) for n in range(6, 13)
)
OLD = "libbpf@1.1.2"


def struct(writer: BtfWriter, name: str, **at: int) -> int:
    """struct name { int ...; } with each member at its byte."""
    return writer.add_struct(name, 64, [member(m, writer.int, byte) for m, byte in at.items()])


def checks(*fields: str) -> ObjectWriter:
    """A program that asks for each field of `struct two` in turn whether it exists."""
    program = ObjectWriter()
    root = struct(program.btf, "two", **dict.fromkeys(fields, 0))
    code = mov_imm(1, 1) * len(fields) + exit_()
    names = list(dict.fromkeys(fields))
    relos = [relo(root, f"0:{names.index(f)}", EXISTS, slot=n) for n, f in enumerate(fields)]
    program.function("prog", code, *relos)
    return program


ORDER = [
    # order of the checks, libbpf (prunes), kernel (does not)
    pytest.param(("f1", "f2"), [1, 0], [1, 1], id="f1 first"),
    pytest.param(("f2", "f1"), [1, 0], [1, 1], id="f2 first"),
    pytest.param(("f3", "f2"), [0, 1], [0, 1], id="no match removes nothing"),
    pytest.param(("f1", "f1"), [1, 1], [1, 1], id="the same twice"),
]


@pytest.mark.parametrize(("fields", "libbpf", "kernel"), ORDER)
def test_what_matched_once_is_all_there_is(fields, libbpf, kernel):
    """The target has `two { f1 }` and `two___v2 { f2 }`: libbpf's answer depends on the order."""
    target = BtfWriter()
    struct(target, "two", f1=0)
    struct(target, "two___v2", f2=0)
    for loader, expected in ((LIBBPF, libbpf), (KERNEL, kernel), (AYA, kernel)):
        result = checks(*fields).relocate(target, loader)
        assert [row.new for row in relocations(result)] == expected


def test_pruning_is_told():
    target = BtfWriter()
    struct(target, "two", f1=0)
    struct(target, "two___v2", f2=0)
    first, second = relocations(checks("f1", "f2").relocate(target))
    assert StepKind.PRUNED not in [step.kind for step in first.trace]
    assert [step.value for step in second.trace if step.kind is StepKind.PRUNED] == [1]


def test_pruning_reaches_other_functions_but_not_other_types():
    program = ObjectWriter()
    for name, root in (("a", "two"), ("b", "two"), ("c", "two___mine")):
        type_id = struct(program.btf, root, f1=0, f2=4) if name != "b" else 8
        field = 0 if name == "a" else 1
        program.function(name, mov_imm(1, 1) + exit_(), relo(type_id, f"0:{field}", EXISTS))
    target = BtfWriter()
    struct(target, "two", f1=0)
    struct(target, "two___v2", f2=0)
    assert [row.new for row in relocations(program.relocate(target))] == [1, 0, 1]


def reads(field: str = "f", **at: int) -> ObjectWriter:
    """A program that loads `struct s`'s field from its local offset."""
    program = ObjectWriter()
    members = at or {"f": 4}
    root = struct(program.btf, "s", **members)
    number = list(members).index(field)
    program.function("prog", ldx(4, 0, 1, members[field]) + exit_(), relo(root, f"0:{number}", OFF))
    return program


def two_candidates(first: int, second: int) -> BtfWriter:
    target = BtfWriter()
    struct(target, "s", f=first)
    struct(target, "s___v2", f=second)
    return target


def test_candidates_that_agree():
    result = reads().relocate(two_candidates(24, 24))
    assert only(result).after == ldx(4, 0, 1, 24) + exit_()


def test_candidates_at_two_offsets():
    result = reads().relocate(two_candidates(24, 32))
    assert only(result).after is None
    assert only(result).error == result.error
    assert result.error is not None
    assert result.error.code == "EINVAL"
    assert said(result).splitlines() == [
        "prog 'prog': relo #0: field offset ambiguity: 256 != 192",
        "prog 'prog': relo #0: failed to relocate: -EINVAL",
    ]


def test_candidates_of_two_sizes():
    program = ObjectWriter()
    root = program.btf.add_struct("s", 8)
    program.function("prog", mov_imm(1, 8) + exit_(), relo(root, "0", TYPE_SIZE))
    target = BtfWriter()
    target.add_struct("s", 16)
    target.add_struct("s___v2", 24)
    assert "relocation decision ambiguity: success 24 != success 16" in said(
        program.relocate(target)
    )


POISONED = [
    pytest.param(BtfWriter(), StepKind.NO_CANDIDATE, id="no candidate"),
    pytest.param(reads(g=0, field="g").btf, StepKind.NO_MATCH, id="no match"),
]


@pytest.mark.parametrize(("target", "reason"), POISONED)
@pytest.mark.parametrize("loader", [LIBBPF, KERNEL, AYA, OLD])
def test_what_is_missing_is_poison(target, reason, loader):
    result = reads().relocate(target, loader)
    assert result.error is None
    assert only(result).after == (POISON_CALL, *exit_())
    (row,) = only(result).relocations
    assert (row.outcome, row.new) == ("poisoned", None)
    assert reason in [step.kind for step in row.trace]


def test_one_outcome_for_each_record():
    program = ObjectWriter()
    root = struct(program.btf, "s", f=4, g=8, h=12)
    code = ldx(4, 0, 1, 4) + ldx(4, 0, 1, 8) + ldx(4, 0, 1, 12) + exit_()
    program.function("prog", code, *(relo(root, f"0:{n}", OFF, slot=n) for n in range(3)))
    target = BtfWriter()
    struct(target, "s", f=4, g=24)
    result = only(program.relocate(target))
    assert [row.outcome for row in result.relocations] == ["unchanged", "patched", "poisoned"]
    assert [(row.orig, row.new) for row in result.relocations] == [(4, 4), (8, 24), (12, None)]
    assert [row.local for row in result.relocations] == ["struct s.f", "struct s.g", "struct s.h"]
    assert result.slot_map == (0, 1, 2, 3)


def test_type_ids_are_not_compared_with_the_instruction():
    program = ObjectWriter()
    root = struct(program.btf, "s", f=0)
    anonymous = struct(program.btf, "", f=0)
    code = ld_imm64(1, 999) + ld_imm64(2, 998) + ld_imm64(3, 997) + exit_()
    relos = [relo(root, "0", LOCAL_ID), relo(root, "0", TARGET_ID, slot=2)]
    program.function("prog", code, *relos, relo(anonymous, "0", LOCAL_ID, slot=4))
    target = BtfWriter()
    target.add_ptr(0)
    struct(target, "s", f=0)
    assert only(program.relocate(target)).after == (
        ld_imm64(1, 8) + ld_imm64(2, 9) + ld_imm64(3, 9) + exit_()
    )


def enumerator(value: int, *, wide: bool = False) -> BtfWriter:
    writer = BtfWriter()
    add = writer.add_enum64 if wide else writer.add_enum
    add("e", values(A=value), signed=value < 0)
    return writer


def reads_enumerator(value: int, *, wide: bool = False) -> ObjectWriter:
    program = ObjectWriter()
    program.btf = enumerator(value, wide=wide)
    program.function("prog", ld_imm64(1, value) + exit_(), relo(8, "0", ENUM_VALUE))
    return program


BIG = 0xBBBBBBBB
ENUM_VALUES = [
    # loader, local value, target value: the value written, or the refusal
    pytest.param(LIBBPF, 1, 2, 2, id="libbpf"),
    pytest.param(LIBBPF, -1, -2, -2, id="libbpf, negative"),
    pytest.param(
        LIBBPF, BIG, 5, "got 3149642683, exp 18446744072564227003 -> 5", id="libbpf, 2^31 and more"
    ),
    pytest.param(
        KERNEL, BIG, 5, "got 3149642683, exp 18446744072564227003 -> 5", id="kernel, 2^31 and more"
    ),
    pytest.param(LIBBPF, 5, BIG, BIG - (1 << 32), id="libbpf extends the target's sign"),
    pytest.param(AYA, BIG, BIG + 1, BIG + 1, id="aya, 2^31 and more"),
    pytest.param("cilium@0.22.0", BIG, BIG + 1, BIG + 1, id="cilium, 2^31 and more"),
    pytest.param("cilium@0.22.0", -1, -2, -2, id="cilium, negative"),
    pytest.param("cilium@0.9.1", 1, 2, 2, id="old cilium"),
    pytest.param("cilium@0.9.1", -1, -2, "invalid immediate", id="old cilium, negative"),
]


@pytest.mark.parametrize(("loader", "local", "target", "expected"), ENUM_VALUES)
def test_enumerators(loader, local, target, expected):
    result = reads_enumerator(local).relocate(enumerator(target), loader)
    if isinstance(expected, str):
        assert expected in said(result)
    else:
        assert only(result).after == ld_imm64(1, expected) + exit_()


@pytest.mark.parametrize("loader", [LIBBPF, AYA, "cilium@0.22.0"])
def test_64_bit_enumerators_have_all_their_bits(loader):
    target = enumerator(0xCCCCCCCCDDDDDDDD, wide=True)
    result = reads_enumerator(0x1_0000_0001, wide=True).relocate(target, loader)
    assert only(result).after == ld_imm64(1, 0xCCCCCCCCDDDDDDDD) + exit_()


REFUSED = [
    pytest.param(
        lambda p: relo(struct(p.btf, "", f=0), "0:0", OFF),
        "target candidate search failed for [8] struct : -22",
        "failed to relocate: -EINVAL",
        id="anonymous root",
    ),
    pytest.param(
        lambda p: relo(struct(p.btf, "s", f=0), "0:7", OFF),
        "parsing [8] struct s + 0:7 failed: -22",
        "failed to relocate: -EINVAL",
        id="path that leads nowhere",
    ),
    pytest.param(
        lambda p: relo(struct(p.btf, "s", f=0), "0:0", 13),
        "parsing [8] struct s + 0:0 failed: -22",
        "failed to relocate: -EINVAL",
        id="kind that nobody knows",
    ),
    pytest.param(
        lambda p: relo(struct(p.btf, "s", f=8), "0:0", OFF),
        "unexpected insn #0 (LDX/ST/STX) value: got 0, exp 8 -> 4",
        "failed to patch insn #0: -EINVAL",
        id="instruction of another offset",
    ),
    pytest.param(
        lambda p: relo(struct(p.btf, "s", f=0), "1", OFF),
        "unexpected insn #0 (LDX/ST/STX) value: got 0, exp 64 -> 64",
        "failed to patch insn #0: -EINVAL",
        id="second of an array of roots",
    ),
]


@pytest.mark.parametrize(("wanted", "why", "wrapper"), REFUSED)
def test_refusals_stop_the_object(wanted, why, wrapper):
    program = ObjectWriter()
    program.function("prog", ldx(4, 0, 1, 0) + exit_(), wanted(program))
    program.function("later", ldx(4, 0, 1, 0) + exit_(), relo(8, "0:0", OFF))
    target = BtfWriter()
    struct(target, "s", f=4)
    result = program.relocate(target)
    prefix = "prog 'prog': relo #0: "
    assert said(result).splitlines()[-2:] == [prefix + why, prefix + wrapper]
    refused, later = result.functions
    assert (refused.error, later.error) == (result.error, None)
    assert (refused.after, later.after) == (None, None)
    assert [row.outcome for row in refused.relocations] == ["failed"]
    assert later.relocations == ()


def test_some_words_name_no_record():
    """libbpf prints the number of the kind there, not that of the record."""
    program = ObjectWriter()
    root = program.btf.add_struct("s", 8, [member("f", program.btf.ulong, 60 / 8, 10)])
    program.function("prog", mov_imm(1, 8) + exit_(), relo(root, "0:0", SIZE))
    result = program.relocate(program.btf)
    assert said(result).splitlines() == [
        "prog 'prog': relo 1 at insn #0 can't be satisfied for bitfield",
        "prog 'prog': relo #0: failed to relocate: -E2BIG",
    ]


def test_what_libbpf_does_not_say_is_told_to_the_reader():
    program = ObjectWriter()
    root = program.btf.add_struct("s", 8, [member("f", program.btf.add_fwd("g"), 0)])
    program.function("prog", mov_imm(1, 8) + exit_(), relo(root, "0:0", SIZE))
    result = program.relocate(program.btf)
    assert said(result) == "prog 'prog': relo #0: failed to relocate: -EINVAL"
    (row,) = relocations(result)
    assert "type [8] has no size" in row.trace[-1].text


def test_libbpf_wonders_about_floats():
    program = ObjectWriter()
    root = program.btf.add_float("s", 4)
    program.function("prog", mov_imm(1, 1) + exit_(), relo(root, "0", TYPE_EXISTS))
    lines: list[tuple[str, str]] = []
    result = program.relocate(program.btf, debug=lambda *line: lines.append(line))
    assert [row.new for row in relocations(result)] == [0]
    assert ("warning", "unexpected kind float relocated, local [8], target [8]") in lines
    assert [row.new for row in relocations(program.relocate(program.btf, AYA))] == [1]


def test_old_versions_print_numbers():
    result = reads().relocate(two_candidates(24, 32), OLD)
    assert said(result).endswith("failed to relocate: -22")


def deep(writer: BtfWriter, levels: int) -> int:
    inner = struct(writer, "", f=0)
    for _ in range(levels - 1):
        inner = writer.add_struct("", 64, [member("", inner, 0)])
    return writer.add_struct("s", 64, [member("", inner, 0)])


def test_a_candidate_that_is_too_deep():
    program, target = reads(), BtfWriter()
    deep(target, 63)
    result = program.relocate(target)
    assert result.error is not None
    assert result.error.code == "E2BIG"
    assert f"[71] struct s ({':'.join('0' * 64)} @ offset 0): -7" in said(result)


UNSUPPORTED = [
    pytest.param("libbpf@0.8.0", "parsing [8] struct s + 0 failed: -22", id="libbpf 0.8.0"),
    pytest.param("aya@0.14.0", "invalid BTF relocation kind `12`", id="aya"),
    pytest.param("cilium@0.13.1", "unknown: not supported", id="cilium 0.13.1"),
]


@pytest.mark.parametrize(("loader", "words"), UNSUPPORTED)
def test_type_matches_is_not_always_known(loader, words):
    program, target = ObjectWriter(), BtfWriter()
    root = struct(program.btf, "s", f=0)
    program.function("prog", mov_imm(1, 1) + exit_(), relo(root, "0", MATCHES))
    struct(target, "s", f=0)
    assert words in said(program.relocate(target, loader))
    assert [row.new for row in relocations(program.relocate(target))] == [1]


def test_the_kernel_goes_two_levels_down():
    """A struct within a struct is one level too many for type_matches in the kernel."""
    program, target = ObjectWriter(), BtfWriter()
    for writer in (program.btf, target):
        inner = struct(writer, "inner", f=0)
        writer.add_struct("s", 64, [member("i", inner, 0)])
    program.function("prog", mov_imm(1, 1) + exit_(), relo(9, "0", MATCHES))
    assert [row.new for row in relocations(program.relocate(target))] == [1]
    result = program.relocate(target, KERNEL)
    assert said(result).endswith("failed to relocate: -22")


def test_enum_meets_enum64_in_libbpf_but_not_in_the_kernel():
    program = reads_enumerator(1)
    wide = enumerator(2, wide=True)
    assert relocations(program.relocate(wide))[0].outcome == "patched"
    assert relocations(program.relocate(wide, KERNEL))[0].outcome == "poisoned"
    assert relocations(program.relocate(wide, AYA))[0].outcome == "poisoned"


def test_aya_finds_anonymous_types_among_all_anonymous_ones():
    program, target = ObjectWriter(), BtfWriter()
    root = struct(program.btf, "", f=0)
    program.function("prog", ldx(4, 0, 1, 0) + exit_(), relo(root, "0:0", OFF))
    struct(target, "", g=0)
    struct(target, "", f=12)
    assert only(program.relocate(target, AYA)).after == ldx(4, 0, 1, 12) + exit_()


@pytest.mark.parametrize("kind", [TARGET_ID, TYPE_SIZE])
def test_a_missing_type_is_zero_or_an_error(kind):
    program = ObjectWriter()
    root = program.btf.add_struct("s", 8)
    program.function("prog", mov_imm(1, 8) + exit_(), relo(root, "0", kind))
    assert only(program.relocate(BtfWriter())).after == mov_imm(1, 0) + exit_()
    result = program.relocate(BtfWriter(), AYA)
    assert result.error is not None
    assert result.error.code == "relocate_btf"


def test_a_guard_and_what_it_guards():
    program = ObjectWriter()
    root = struct(program.btf, "s", f=4)
    code = mov_imm(2, 1) + jmp("==", 2, 0, 1) + ldx(4, 0, 1, 4) + exit_()
    relos = relo(root, "0:0", EXISTS), relo(root, "0:0", OFF, slot=2)
    program.function("prog", code, *relos)
    assert only(program.relocate(BtfWriter(), policy())).after == (
        mov_imm(2, 0) + jmp("==", 2, 0, 1) + (POISON_CALL,) + exit_()
    )
