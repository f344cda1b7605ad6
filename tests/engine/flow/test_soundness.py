"""No poison that some run of a program comes to is ever called unreachable."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from engine.flow import explorer
from engine.flow.code import Code, stream_code
from engine.flow.reach import GAVE_UP, explore
from engine.flow.verifier import POLICIES, STRICTEST, verifier_of
from engine.insn.codec import Insn
from tests.support import guarded, guarded_run
from tests.support.guarded_stream import analysed
from tests.support.poison import END, POISON, RANDOM

SEEDS = 600
UNMEASURED = replace(STRICTEST, measured=False)


def check(code: Code, kernel: int = len(POLICIES) - 1) -> tuple[int, int, int]:
    """Hold the analysis against runs under a kernel; it may not know more on any older one.

    Gives how many poisons there are, how many are called dead, and how many reached ones ran.
    """
    ran = guarded_run.run(code, guarded_run.KERNELS[kernel].name)
    dead = poisons = 0
    for policy in POLICIES[: kernel + 1]:
        reach = explore(code, policy)
        assert ran <= reach.visited, (policy.name, sorted(ran - reach.visited))
        for fact in reach.poisons:
            poisons += 1
            dead += fact.reachable == "no"
            assert fact.slot not in ran or fact.reachable != "no", (policy.name, fact)
            assert bool(fact.why) == (fact.reachable == "maybe"), "a reason where it is not known"
    return poisons, dead, len(ran)


@pytest.mark.parametrize("start", range(0, SEEDS, 100))
def test_made_up_programs(start, monkeypatch):
    poisons = dead = 0
    for seed in range(start, start + 100):
        monkeypatch.setattr(explorer, "STATES_PER_SLOT", 1 if seed % 2 else 8)
        kernel = seed % len(POLICIES)
        code = guarded_run.sharpened(analysed(guarded.draw(seed)), POLICIES[kernel].name)
        found = check(code, kernel)
        poisons, dead = poisons + found[0], dead + found[1]
    assert poisons > 100, "the programs hold poison"
    assert poisons > dead > poisons // 20, "and not all of it is reached"


@given(st.data())
@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
def test_drawn_programs(data):
    program = guarded.make(lambda options: data.draw(st.sampled_from(options)), depth=2)
    check(analysed(program))


@pytest.mark.parametrize("seed", range(20))
def test_knowing_less_reaches_no_less(seed):
    """Each newer kernel keeps what the older ones keep, and the strictest loses most."""
    code = analysed(guarded.draw(10 * seed))
    sizes = [explore(code, policy).visited for policy in POLICIES]
    strictest = explore(code, STRICTEST).visited
    assert all(sizes[0] <= strictest and size <= strictest for size in sizes)


@pytest.mark.parametrize("seed", range(10))
@pytest.mark.parametrize("steps", [0, 1, 10, 60])
def test_giving_up_reaches_no_less(seed, steps):
    code = analysed(guarded.draw(10 * seed))
    full, short = explore(code, POLICIES[-1]), explore(code, POLICIES[-1], steps=steps)
    assert full.visited <= short.visited
    assert guarded_run.run(code) <= short.visited
    if short.gave_up:
        assert all(fact.why == GAVE_UP for fact in short.poisons if fact.reachable == "maybe")


def test_a_kernel_older_than_all_measured_ones_calls_nothing_dead():
    code = stream_code(RANDOM + POISON[:0] + END[:1] + (Insn(0x15, 0, 0, 1, 0),) + POISON + END)
    assert explore(code, verifier_of("5.10.1")).worst == "no"
    reach = explore(code, verifier_of("4.19.0"))
    assert reach.worst == "maybe"
    assert "so old a kernel" in reach.gave_up


@pytest.mark.parametrize(
    ("release", "name"),
    [
        ("5.10.0-46-amd64", "5.10"),
        ("5.15.0", "5.10"),
        ("6.1.192", "6.1"),
        ("6.6.9", "6.1"),
        ("6.12.117+deb12-amd64", "6.12"),
        ("6.17", "6.12"),
        ("6.18.15", "6.18"),
        ("7.0.1", "6.18"),
        ("7.3.4+deb13-amd64", "7.3"),
        ("9.1", "7.3"),
        ("my-own-kernel", "any"),
        ("", "any"),
    ],
)
def test_between_measured_versions_the_older_one_counts(release, name):
    assert verifier_of(release).name == name
