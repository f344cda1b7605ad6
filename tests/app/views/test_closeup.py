"""Stories and advice of the function that is shown, from real relocations."""

from __future__ import annotations

import pytest

from app.services.closeup import Closeup, CloseupRequest, look
from app.views.bytecode import Side, bytecode
from app.views.closeup import GUARDED, story_view
from app.views.lines import SourceLines
from app.views.prose import plain
from engine.core.candidates import Target
from engine.core.kinds import CoreReloKind
from engine.core.prepare import prepare
from tests.support.asm import exit_, ld_imm64, mov_imm
from tests.support.btf_writer import BtfWriter, values
from tests.support.goldens import golden_object
from tests.support.issue1348 import CILIUM, FIXED, LIBBPF, MISSING, program, run, target
from tests.support.relocating import ObjectWriter, relo


def near(*loaders: str, writer: ObjectWriter | None = None, name: str = "prog") -> Closeup:
    prepared = prepare((writer or program(name)).object())
    request = CloseupRequest(b"", "6.1", loaders, ("socket", name), numbers=(0, 1))
    return look(prepared, Target(target().parsed()), "6.1", request)


def unguarded() -> ObjectWriter:
    writer = ObjectWriter()
    enum = writer.btf.add_enum("cgroup_subsys_id", values(**{MISSING: 1}))
    record = relo(enum, "0", CoreReloKind.ENUMVAL_VALUE, 1)
    writer.function("prog", mov_imm(0, 0) + ld_imm64(1, 1) + exit_(), record)
    return writer


def words(story) -> list[tuple[str, str]]:
    return [(step.loaders, plain(step.text)) for step in story.steps]


def test_slots_that_cannot_run_are_those_behind_the_guard_and_those_jumped_over():
    found = near(CILIUM, LIBBPF)
    assert found.side(CILIUM).dead == {3, 4, 5}
    assert found.side(LIBBPF).dead == {3, 4, 5}
    assert found.side(LIBBPF).reach == {1: "no"}
    assert found.side("aya@0.14.0").dead == frozenset()


def test_reached_poison_has_a_path_and_nothing_is_dead_before_it():
    side = near(LIBBPF, writer=unguarded()).side(LIBBPF)
    assert side.reach == {0: "yes"}
    assert side.path == {0, 1}
    assert side.dead == frozenset()


def table(loader: str, found: Closeup, writer: ObjectWriter | None = None):
    made = run(loader, writer)
    function = made.result.functions[0]
    side = Side(loader, function, made.jumps[function.name], near=found.side(loader))
    return [row.after[0] for row in bytecode([side], SourceLines(""), "little").rows]


def test_dead_cells_say_so_in_a_word():
    cells = table(LIBBPF, near(LIBBPF))
    badges = [[badge.text for badge in cell.badges] for cell in cells]
    assert badges == [["changed"], [], [], ["poison", "dead"], ["poison", "dead"], ["dead"], [], []]
    assert [cell.dead for cell in cells] == [False] * 3 + [True] * 3 + [False] * 2
    shifted = [cell.slot for cell in table(CILIUM, near(CILIUM)) if cell.dead]
    assert shifted == [3, 4, 5]


def test_reached_cells_say_so_and_the_path_is_marked():
    cells = table(LIBBPF, near(LIBBPF, writer=unguarded()), unguarded())
    assert [badge.text for badge in cells[1].badges] == ["poison", "reached"]
    assert [cell.on_path for cell in cells] == [True, True, False, False]


def test_without_a_closeup_nothing_is_called_dead():
    cells = table(LIBBPF, Closeup())
    assert not any(cell.dead or cell.on_path for cell in cells)


def test_a_story_names_loaders_only_where_they_differ():
    found = near(CILIUM, LIBBPF)
    told = words(story_view(1, found.sides, lost=[CILIUM]))
    assert told[0] == (
        "",
        f"Slot 3 (`prog.c:18`, `if (bpf_core_enum_value_exists(`) asks for the value of "
        f"`enum cgroup_subsys_id::{MISSING}`.",
    )
    shared = {text for loader, text in told if not loader}
    assert "No candidate fits." in shared
    own = [loader for loader, _ in told if loader]
    assert own == ["cilium 0.13.0", "libbpf 1.7.0", *["cilium 0.13.0"] * 2, *["libbpf 1.7.0"] * 2]


def test_a_lost_slot_asks_for_another_loader():
    story = story_view(1, near(CILIUM, LIBBPF).sides, lost=[CILIUM])
    assert story.advice[0].startswith("cilium 0.13.0 writes one slot in place of two")


def test_a_guard_that_works_gets_no_second_guard():
    story = story_view(1, near(FIXED, LIBBPF).sides)
    assert story.advice == (GUARDED,)
    assert not [fix for fix in story.fixes if fix.title.startswith("Ask whether")]


def test_reached_poison_gets_code():
    story = story_view(0, near(LIBBPF, writer=unguarded()).sides)
    assert story.advice == ()
    fix = story.fixes[0]
    assert fix.title == "Ask whether the enumerator exists before it is used"
    text = "\n".join("".join(run.text for run in line) for line in fix.lines)
    assert f"value_of_{MISSING}(unsigned long long otherwise)" in text
    assert fix.call == f"value_of_{MISSING}(0)"


def test_a_record_that_nobody_told_has_no_story():
    assert story_view(7, near(LIBBPF).sides).steps == ()


@pytest.mark.parametrize(("kernel", "reach"), [("5.10.251", "yes"), ("6.12.117", "no")])
def test_a_global_function_behind_a_guard_runs_where_the_verifier_looks_at_it_alone(kernel, reach):
    prepared = golden_object("flow/calls.v3.o")
    btf = BtfWriter()
    btf.add_enum("cgroup_subsys_id", values(cpuset_cgrp_id=0))
    request = CloseupRequest(b"", kernel, (LIBBPF,), (".text", "use_global"))
    side = look(prepared, Target(btf.parsed()), kernel, request).side(LIBBPF)
    assert set(side.reach.values()) == {reach}
    assert bool(side.dead) == (reach == "no")
    assert side.graph is not None


def test_a_refused_object_has_a_story_and_no_graph():
    writer = ObjectWriter()
    enum = writer.btf.add_enum("cgroup_subsys_id", values(cpuset_cgrp_id=5))
    record = relo(enum, "0", CoreReloKind.ENUMVAL_VALUE)
    writer.function("prog", ld_imm64(1, 6) + mov_imm(0, 0) + exit_(), record)
    found = near(LIBBPF, writer=writer)
    assert found.before is not None
    assert found.side(LIBBPF).graph is None
    assert words(story_view(0, found.sides))[0][1].startswith("Slot 0 asks for the value")
