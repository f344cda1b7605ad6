"""The made-up programs find every mistake that is planted in the analysis."""

from __future__ import annotations

from functools import cache

import pytest

from engine.flow import explorer
from engine.flow.code import Code
from engine.flow.reach import explore
from engine.flow.verifier import POLICIES
from tests.support import guarded, guarded_run
from tests.support.guarded_stream import analysed
from tests.support.mutations import MUTATIONS, Mutation

PROGRAMS = 1500


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


def caught_at(mutation: Mutation, monkeypatch: pytest.MonkeyPatch) -> int | None:
    """The first program that finds a mistake, each followed with few and with many states."""
    original = getattr(mutation.owner, mutation.name)
    monkeypatch.setattr(mutation.owner, mutation.name, mutation.wrong(original))
    for seed in range(PROGRAMS):
        for states in (1, explorer.STATES_PER_SLOT) if seed % 2 else (explorer.STATES_PER_SLOT,):
            with monkeypatch.context() as few:
                few.setattr(explorer, "STATES_PER_SLOT", states)
                if finds(seed):
                    return seed
    return None


@pytest.mark.parametrize("mutation", MUTATIONS, ids=lambda m: m.what)
def test_planted_mistakes_are_found(mutation, monkeypatch):
    assert caught_at(mutation, monkeypatch) is not None
