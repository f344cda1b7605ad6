"""Linked programs are what the real loaders would hand to the kernel."""

from __future__ import annotations

from collections.abc import Iterable

import pytest

from engine.btf.kinds import ByteOrder
from engine.core.candidates import Target
from engine.insn.codec import Insn, decode_insns
from engine.loaders import all_policies, policy_of
from engine.loaders.link import LinkedObject, link_object
from tests.support.goldens import Record, golden_btf, golden_object, loaders, records

COVERED = sorted({policy.id for policy in all_policies()} & loaders("linked"))
CALL, LD_IMM64 = 0x85, 0x18


def test_the_loaders_that_ran_are_covered():
    assert len(COVERED) >= 8


@pytest.mark.parametrize("loader", COVERED)
def test_every_linked_golden(loader):
    seen, wrong = 0, []
    for record in records(loader, "linked"):
        seen += 1
        prepared = golden_object(record["object"])
        linked = link_object(prepared, Target(golden_btf(record["btf"])), policy_of(loader))
        found = difference(record, linked, prepared.obj.byte_order)
        if found:
            wrong.append(f"{record['id']}: {found}")
    assert seen >= 300
    assert wrong == []


def difference(record: Record, linked: LinkedObject, order: ByteOrder) -> str:
    if bool(record["error"]) != (linked.error is not None):
        return f"{linked.error}, golden {record['error']}"
    if record["error"]:
        return ""
    programs = {program.name: program for program in linked.programs}
    if set(programs) != set(record["programs"]):
        return f"programs {sorted(programs)}, golden {sorted(record['programs'])}"
    for name, golden in record["programs"].items():
        mine = programs[name]
        if bool(golden["error"]) != (mine.error is not None):
            return f"{name}: {mine.error}, golden {golden['error']}"
        code = decode_insns(bytes.fromhex("".join(golden["insns"])), order)
        if not golden["error"] and comparable(mine.insns or ()) != comparable(code):
            return f"{name}: {mine.insns}, golden {code}"
    return ""


def comparable(insns: Iterable[Insn]) -> list[Insn]:
    """Leave out what only loading gives: immediates of calls and loads that name something."""
    found, second = [], False
    for insn in insns:
        named = insn.src != 0 and insn.code in (CALL, LD_IMM64)
        found.append(insn._replace(imm=0) if named or second else insn)
        second = named and insn.code == LD_IMM64
    return found
