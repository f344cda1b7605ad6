"""Folding of long types, and what a stage looks at."""

from __future__ import annotations

from app.views.walk import AROUND, SHORT, fold, walk_view
from engine.core.candidates import Target
from engine.core.prepare import prepare
from engine.core.relocate import relocate_object
from engine.explain.type_lines import TypeLine
from engine.explain.walk import walk
from engine.loaders import policy_of
from tests.support.issue1348 import CILIUM, LIBBPF, program, target


def lines(count: int, *marked: int) -> list[TypeLine]:
    return [TypeLine(f"m{n};", mark="end" if n in marked else "") for n in range(count)]


def test_a_short_type_is_not_folded():
    views, folded, gap = fold(lines(SHORT, 3))
    assert folded == gap == 0
    assert not any(view.far for view in views)


def test_a_long_type_is_folded_around_its_marks():
    views, folded, gap = fold(lines(100, 40, 90))
    shown = [n for n, view in enumerate(views) if not view.far]
    assert shown == [0, 1, *range(36, 45), *range(86, 95), 99]
    assert folded == 100 - len(shown)
    assert [(n, view.gap) for n, view in enumerate(views) if view.gap] == [
        (36, 34),
        (86, 41),
        (99, 4),
    ]
    assert gap == 0


def test_without_a_mark_its_beginning_is_shown():
    views, _, _ = fold(lines(100))
    assert sum(not view.far for view in views) == 2 * AROUND + 2


def view(loader: str, number: int):
    prepared, kernel = prepare(program().object()), Target(target().parsed())
    policy = policy_of(loader)
    (function,) = relocate_object(prepared, kernel, policy).functions
    row = function.relocations[number]
    made = walk(row, prepared, kernel, policy, function)
    return walk_view(
        made, [0, 1], kernels=["6.1"], kernel="6.1", loaders=[CILIUM, LIBBPF], loader=loader
    )


def test_stages_look_at_program_candidate_and_code():
    shown = view(LIBBPF, 1)
    looks = [(stage.title, stage.look) for stage in shown.stages]
    assert looks == [
        ("The question", "code"),
        ("The accessor", "program"),
        ("The name that is looked for", ""),
        ("The candidate", "candidate-0"),
        ("Nothing fits", "candidate-0"),
        ("The value", "candidate-0"),
        ("The instruction", "code"),
    ]
    assert [s.verdict for s in shown.stages if s.verdict] == ["refused"]
    assert (shown.previous, shown.next, shown.position, shown.total) == (0, None, 2, 2)
    assert (shown.kernel, shown.loader) == ("6.1", "libbpf 1.7.0")


def test_a_type_has_a_page_only_if_its_name_can_be_in_an_address():
    (candidate,) = view(CILIUM, 0).candidates
    assert candidate.url == "/kernels/6.1/types/cgroup_subsys_id"
    assert candidate.enum
