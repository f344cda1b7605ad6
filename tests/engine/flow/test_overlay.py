"""The graph after relocation over the one before: dead, poisoned, lost, astray."""

from __future__ import annotations

import xml.etree.ElementTree as ET

from engine.flow.cfg import function_cfgs
from engine.flow.dot import picture_to_dot
from engine.flow.overlay import overlay
from engine.flow.picture import Marks, Picture
from engine.flow.svg import draw_picture
from tests.support.asm import exit_, ld_imm64, mov_imm
from tests.support.issue1348 import CILIUM, LIBBPF, run


def laid(loader: str, marks: Marks) -> Picture:
    made = run(loader)
    assert made.result is not None
    (function,) = made.result.functions
    found = overlay(function, function_cfgs(function)[0], marks, "little")
    assert found is not None
    return found


DEAD = Marks(visited=frozenset({0, 1, 2, 6}), poison=frozenset({3}))


def test_a_lost_slot_shifts_what_follows_and_sends_the_jump_astray():
    found = laid(CILIUM, DEAD)
    assert [[row.text for row in rows] for rows in found.rows] == [
        ["0: r1 = 0x0 ll", "2: if r1 == 0x0 goto +0x3"],
        ["3: call 0xbad2310", "4: slot lost", "5→4: *(u32 *)(r10 - 0x4) = r1"],
        ["6→5: r0 = 0x0", "7→6: exit"],
    ]
    assert found.blocks == ((), ("dead", "poison"), ())
    ways = [
        (e.source, e.target, e.slot, words)
        for e, words in zip(found.cfg.edges, found.edges, strict=True)
    ]
    assert ways == [
        (0, 1, 3, ("fallthrough", "dead")),
        (0, 2, 6, ("taken", "meant")),
        (0, 2, 7, ("taken", "stray")),
        (1, 2, 6, ("fallthrough", "dead")),
    ]
    flags = [(row.dead, row.lost, row.changed) for row in found.rows[1]]
    assert flags == [(True, False, True), (False, True, False), (True, False, False)]


def test_what_keeps_its_slots_has_no_second_edge():
    found = laid(LIBBPF, Marks(visited=frozenset({0, 1, 2, 6, 7}), poison=frozenset({3})))
    assert [words for words in found.edges if "stray" in words or "meant" in words] == []
    assert [row.text for row in found.rows[1]][:2] == ["3: call 0xbad2310", "4: call 0xbad2310"]


def test_it_is_drawn_and_written_with_both_edges():
    found = laid(CILIUM, DEAD)
    text = draw_picture(found, prefix="over")
    assert ET.fromstring(text) is not None
    assert ">astray, to 7<" in text
    assert ">meant<" in text
    assert "slot lost" in text
    dot = picture_to_dot(found)
    assert 'label="taken, goes astray",color=red' in dot
    assert 'label="taken, meant",color=gray' in dot


def test_a_refused_function_has_no_overlay():
    from engine.core.kinds import CoreReloKind
    from tests.support.btf_writer import values
    from tests.support.relocating import ObjectWriter, relo

    writer = ObjectWriter()
    enum = writer.btf.add_enum("cgroup_subsys_id", values(cpuset_cgrp_id=5))
    record = relo(enum, "0", CoreReloKind.ENUMVAL_VALUE)
    writer.function("prog", ld_imm64(1, 6) + mov_imm(0, 0) + exit_(), record)
    made = run(LIBBPF, writer)
    assert made.result is not None
    (function,) = made.result.functions
    assert function.after is None
    assert overlay(function, function_cfgs(function)[0], Marks(), "little") is None
