"""Walks: the stages of a relocation, and what stands beside each."""

from __future__ import annotations

from engine.core.candidates import Target
from engine.core.kinds import CoreReloKind
from engine.core.prepare import prepare
from engine.explain.walk import CANDIDATES, Walk, walk
from engine.loaders import policy_of
from tests.support.asm import exit_, ldx
from tests.support.btf_writer import BtfWriter, member, values
from tests.support.issue1348 import CILIUM, LIBBPF, program
from tests.support.issue1348 import target as enum_target
from tests.support.relocating import ObjectWriter, relo

OFFSET = CoreReloKind.FIELD_BYTE_OFFSET


def walks(writer: ObjectWriter, target: BtfWriter, loader: str = LIBBPF) -> list[Walk]:
    (function,) = writer.relocate(target, loader).functions
    prepared, kernel = prepare(writer.object()), Target(target.parsed())
    policy = policy_of(loader)
    return [walk(row, prepared, kernel, policy, function) for row in function.relocations]


def reading() -> ObjectWriter:
    writer = ObjectWriter()
    mine = writer.btf.add_struct("s", 4, [member("f", writer.btf.int, 0)])
    writer.function("prog", ldx(4, 0, 1, 0) + exit_(), relo(mine, "0:0", OFFSET))
    return writer


def marked(lines) -> list[tuple[str, str]]:
    return [(line.text, line.mark) for line in lines.lines if line.mark]


def test_a_field_that_moved_is_walked_from_the_accessor_to_the_instruction():
    target = BtfWriter()
    target.add_struct("s", 64, [member("a", target.int, 0), member("f", target.int, 12)])
    (found,) = walks(reading(), target)
    kinds = [stage.kind for stage in found.stages]
    assert kinds == ["asks", "accessor", "name", "candidate", "value", "instruction"]
    assert [stage.candidate for stage in found.stages] == [-1, -1, -1, 0, -1, -1]
    assert [sentence.kind for sentence in found.stages[3].sentences] == ["matched", "found"]
    assert found.program is not None
    assert marked(found.program) == [("int f;", "end")]
    (candidate,) = found.candidates
    assert (candidate.origin, candidate.verdict) == ("vmlinux", "fits")
    assert candidate.lines is not None
    assert marked(candidate.lines) == [("int f;", "end")]
    assert [line.place for line in candidate.lines.lines if line.mark] == ["12"]


def test_the_instruction_stands_before_and_after_with_its_bytes():
    target = BtfWriter()
    target.add_struct("s", 64, [member("f", target.int, 12)])
    (found,) = walks(reading(), target)
    ((before,), (after,)) = found.before, found.after
    assert (before.slot, before.text) == (0, "r0 = *(u32 *)(r1 + 0x0)")
    assert (after.text, after.bytes, after.changed) == (
        "r0 = *(u32 *)(r1 + 0xc)",
        "61 10 0c 00 00 00 00 00",
        True,
    )


def test_every_candidate_is_a_stage_with_its_rule():
    target = BtfWriter()
    target.add_struct("s", 8, [member("g", target.int, 0)])
    target.add_union("s", 8, [member("f", target.int, 0)])
    target.add_struct("s", 8, [member("f", target.int, 4)])
    (found,) = walks(reading(), target)
    assert [(c.verdict, c.rule) for c in found.candidates] == [
        ("passed over", ""),
        ("refused", "no-member"),
        ("fits", ""),
    ]
    assert [s.candidate for s in found.stages if s.kind == "candidate"] == [0, 1, 2]


def test_a_missing_enumerator_shows_the_nearest_and_what_was_lost():
    _, poisoned = walks(program(), enum_target(), CILIUM)
    assert poisoned.outcome == "poisoned"
    assert poisoned.line == ("prog.c", 18, "if (bpf_core_enum_value_exists(")
    (candidate,) = poisoned.candidates
    assert candidate.lines is not None
    assert marked(candidate.lines) == [("cpuset_cgrp_id = 0,", "near")]
    assert len(poisoned.before) == 2
    assert [(code.slot, code.text) for code in poisoned.after] == [(3, "call 0xbad2310")]
    assert [fix.title for fix in poisoned.fixes]


def test_a_type_that_is_not_there_has_no_candidate():
    (found,) = walks(reading(), BtfWriter())
    assert found.candidates == ()
    assert [stage.kind for stage in found.stages][3] == "missing"


def test_many_candidates_are_told_but_few_written_out():
    writer = ObjectWriter()
    enum = writer.btf.add_enum("e", values(A=1))
    writer.function("prog", ldx(4, 0, 1, 0) + exit_(), relo(enum, "0", CoreReloKind.TYPE_EXISTS))
    target = BtfWriter()
    for number in range(CANDIDATES + 4):
        target.add_enum("e", values(**{f"B{number}": number}))
    for found in walks(writer, target):
        shown = [candidate.lines is not None for candidate in found.candidates]
        assert shown == [True] * min(len(shown), CANDIDATES) + [False] * (len(shown) - CANDIDATES)
