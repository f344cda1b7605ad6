"""Registers in the logs of four kernels: whole states, touched ones, frames, calls, forgeries."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.explain.log_states import LogRow, StateReader


def read(*lines: str) -> list[LogRow]:
    reader = StateReader()
    return [reader.feed(line) for line in lines]


def changed(row: LogRow) -> dict[str, str | None]:
    return {register.name: register.was for register in row.registers if register.changed}


def test_until_515_the_whole_state_stands_before_an_instruction():
    rows = read(
        "0: R1=ctx(id=0,off=0,imm=0) R10=fp0",
        "0: (61) r2 = *(u32 *)(r1 +4)",
        "1: R1=ctx(id=0,off=0,imm=0) R2_w=pkt_end(id=0,off=0,imm=0) R10=fp0",
        "1: (b7) r1 = 5",
        "2: R2_w=pkt_end(id=0,off=0,imm=0) R10=fp0 fp-8=mmmm????",
    )
    assert [row.kind for row in rows] == ["state", "insn", "state", "insn", "state"]
    assert [row.insn for row in rows] == [0, 0, 1, 1, 2]
    assert changed(rows[2]) == {"R2": None}
    assert changed(rows[4]) == {"fp-8": None}
    assert rows[2].registers[1].value == "pkt_end(id=0,off=0,imm=0)"


def test_since_516_what_was_touched_stands_behind_it():
    reader = StateReader()
    reader.feed("0: R1=ctx() R10=fp0")
    row = reader.feed("3: (63) *(u32 *)(r10 -4) = r3         ; R3_w=3 R10=fp0 fp-8=mmmm????")
    assert (row.head, row.insn) == ("3: (63) *(u32 *)(r10 -4) = r3", 3)
    assert changed(row) == {"R3": None, "fp-8": None}
    row = reader.feed("4: (b7) r3 = 0                        ; R3_w=0")
    assert changed(row) == {"R3": "3"}
    row = reader.feed("21: R3=0 R4_w=pkt(off=0,r=0,imm=0)")
    assert changed(row) == {"R4": None}
    assert reader.known["R1"] == "ctx()"


def test_a_value_may_hold_brackets_of_its_own():
    (row,) = read("24: (71) r4 = r5 ; R4_w=scalar(umax=255,var_off=(0x0; 0xff)) R10=fp0")
    assert row.registers[0].value == "scalar(umax=255,var_off=(0x0; 0xff))"


def test_another_path_forgets_what_it_does_not_name():
    reader = StateReader()
    for line in ("0: R1=ctx() R10=fp0", "1: (b7) r2 = 1 ; R2_w=1"):
        reader.feed(line)
    reader.feed("from 5 to 7: R0=0 R10=fp0")
    assert (dict(reader.known), reader.insn) == ({"R0": "0", "R10": "fp0"}, 7)


def test_a_helper_clobbers_its_arguments():
    reader = StateReader()
    reader.feed("0: (b7) r1 = 1 ; R1_w=1 R6_w=2")
    reader.feed("1: (85) call bpf_get_prandom_u32#7   ; R0_w=scalar()")
    assert dict(reader.known) == {"R6": "2", "R0": "scalar()"}


def test_a_call_opens_a_frame_and_its_end_closes_it():
    reader = StateReader()
    lines = (
        "0: (b7) r6 = 1 ; R6_w=1",
        "16: (85) call pc+14",
        "caller:",
        " R6=1 R10=fp0",
        "callee:",
        " frame1: R1=3 R10=fp0",
        "31: (b7) r0 = 0 ; frame1: R0_w=0",
    )
    for line in lines:
        reader.feed(line)
    assert dict(reader.known) == {"R1": "3", "R10": "fp0", "R0": "0"}
    reader.feed("to caller at 17:")
    reader.feed(" R0=0 R6=1 R10=fp0")
    assert list(reader.frames) == [0]
    assert reader.known["R6"] == "1"


@pytest.mark.parametrize(
    ("line", "kind"),
    [
        ("; if (a) @ x.c:3", "source"),
        ("mark_precise: frame0: regs=r3 stack= before 19: (bf) r4 = r1", "trace"),
        ("regs=8 stack=0 before 6: (05) goto pc+12", "trace"),
        (" R1_r=pkt(r=34) R2_r=pkt_end()", "trace"),
        ("  13: (85) call bpf_map_lookup_elem#1 // r2=fp0-4", "listing"),
        ("func#1 @31", "listing"),
        ("R0 invalid mem access 'map_value_or_null'", "said"),
        ("processed 5 insns (limit 1000000)", "count"),
        ("", "empty"),
    ],
)
def test_kinds(line: str, kind: str):
    assert read(line)[0].kind == kind


def test_a_report_goes_on_until_the_count():
    rows = read("Verification failed: X", "", "At:", "  14 | (79) r1 = 0", "processed 1 insns")
    assert [row.kind for row in rows] == ["report"] * 4 + ["count"]


@given(st.lists(st.text(alphabet="R0123456789=()_; :fpfromt-\x00", max_size=60), max_size=20))
def test_no_line_breaks_it(lines: list[str]):
    rows = read(*lines)
    assert [row.text for row in rows] == lines


def test_a_hostile_line_takes_no_time():
    began = time.process_time()
    read("0: (b7) r1 = 1 ; " + " R1=((((((" * 20_000, "0: R1=" + "(" * 200_000)
    assert time.process_time() - began < 5
