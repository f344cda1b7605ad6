"""The made-up programs find every mistake that is planted in the analysis."""

from __future__ import annotations

from functools import cache

import pytest

from engine.flow import alu, branch, explorer
from engine.flow.code import Code
from engine.flow.reach import explore
from engine.flow.verifier import POLICIES
from tests.support import guarded, guarded_run
from tests.support.guarded_stream import analysed
from tests.support.mutations import CAUGHT, MUTATIONS, Mutation

PROGRAMS = 2500


@cache
def ran(seed: int) -> tuple[Code, int, set[int]]:
    """A program, the kernel that it ran under, and where it came."""
    kernel = (0, 2, 4, 3, 4, 1)[seed % 6]
    name = guarded_run.KERNELS[kernel].name
    code = guarded_run.sharpened(analysed(guarded.draw(seed)), name)
    return code, kernel, guarded_run.run(code, name)


def finds(seed: int) -> bool:
    """Whether the analysis calls dead what ran."""
    code, kernel, visited = ran(seed)
    return not visited <= explore(code, POLICIES[kernel]).visited


@pytest.fixture(autouse=True)
def nothing_remembered():
    """What was computed with a mistake must not outlive it."""
    yield
    forget()


def forget() -> None:
    for remembered in (alu._ranges, branch._bounded):
        if hasattr(remembered, "cache_clear"):
            remembered.cache_clear()


def planted(mutation: Mutation, monkeypatch: pytest.MonkeyPatch) -> None:
    original = getattr(mutation.owner, mutation.name)
    forget()
    monkeypatch.setattr(mutation.owner, mutation.name, mutation.wrong(original))


def catches(seed: int, monkeypatch: pytest.MonkeyPatch) -> bool:
    """Odd programs are followed with one state for each slot as well, so that all are merged."""
    for states in (1, explorer.STATES_PER_SLOT) if seed % 2 else (explorer.STATES_PER_SLOT,):
        with monkeypatch.context() as few:
            few.setattr(explorer, "STATES_PER_SLOT", states)
            if finds(seed):
                return True
    return False


def caught_at(mutation: Mutation, monkeypatch: pytest.MonkeyPatch) -> int | None:
    """The first program that finds a mistake."""
    planted(mutation, monkeypatch)
    return next((seed for seed in range(PROGRAMS) if catches(seed, monkeypatch)), None)


@pytest.mark.parametrize("mutation", MUTATIONS, ids=lambda m: m.what)
def test_planted_mistakes_are_found(mutation, monkeypatch):
    """By the program that is known to: without the mistake it is as it should be."""
    seed = CAUGHT[mutation.what]
    assert not catches(seed, monkeypatch)
    planted(mutation, monkeypatch)
    assert catches(seed, monkeypatch)


@pytest.mark.slow
@pytest.mark.parametrize("mutation", MUTATIONS, ids=lambda m: m.what)
def test_where_planted_mistakes_are_found_first(mutation, monkeypatch):
    assert caught_at(mutation, monkeypatch) == CAUGHT[mutation.what]
