"""The fuzzer itself: its seeds are sound, its bounds hold, what it finds can be tried again."""

from __future__ import annotations

import subprocess
import sys
from random import Random

import pytest

from engine.errors import EngineError, LimitExceeded
from tests.fuzz import targets, worker
from tests.fuzz.mutate import mutate
from tests.support.tree import ROOT


@pytest.mark.parametrize("name", targets.TARGETS)
def test_seeds_and_their_neighbours_are_answered(name):
    seeds = targets.TARGETS[name][1]()
    assert seeds
    random = Random(1)
    for data in seeds[:: max(len(seeds) // 4, 1)][:4]:
        for changed in (data, mutate(data, random, seeds)):
            finding = worker.try_one(name, changed)
            assert finding is None, finding and finding.trace


@pytest.fixture
def made_up(monkeypatch):
    """Put a target of one's own among them; gives a way to run it."""

    def run(function):
        monkeypatch.setitem(targets.TARGETS, "made-up", (function, lambda: [b"x"]))
        return worker.try_one("made-up", b"data")

    return run


def raising(error):
    def target(_data):
        raise error

    return target


def test_only_errors_with_a_code_are_answers(made_up):
    assert made_up(lambda data: None) is None
    assert made_up(raising(LimitExceeded("too large"))) is None
    assert "without a code" in made_up(raising(EngineError("no class of its own"))).trace
    assert "IndexError" in made_up(raising(IndexError("list"))).trace
    assert "MemoryError" in made_up(raising(MemoryError())).trace


def test_what_takes_too_long_is_found(made_up, monkeypatch):
    monkeypatch.setattr(worker, "SECONDS", 0.05)

    def slow(_data):
        while True:
            pass

    assert "TooSlow" in made_up(slow).trace


def test_findings_are_kept_and_told_apart(made_up, monkeypatch, tmp_path):
    monkeypatch.setattr(worker, "FOLDER", tmp_path / "kept")
    monkeypatch.setattr(worker, "ROOT", tmp_path)
    finding = made_up(raising(IndexError("list index out of range")))
    words = finding.keep()
    assert words.startswith("IndexError: list index out of range\n  ./run fuzz --try kept/made-up-")
    (kept,) = (tmp_path / "kept").glob("made-up-*[0-9a-f]")
    assert kept.read_bytes() == b"data"
    trace = 'File "/x/engine/a.py", line 3, in f\n  y\nFile "/x/other.py", line 1\nKeyError: 1'
    assert worker.last_place(trace) == 'File "/x/engine/a.py", line 3, in f KeyError'


def test_a_change_is_small_and_repeatable():
    data = bytes(range(256)) * 8
    changed = [mutate(data, Random(seed), [data]) for seed in range(300)]
    assert changed == [mutate(data, Random(seed), [data]) for seed in range(300)]
    assert len(set(changed)) > 250
    assert sum(one[:64] == data[:64] for one in changed) > 200
    assert mutate(b"", Random(1), [b""])


def test_a_run_tells_what_it_did():
    command = [sys.executable, "-m", "tests.fuzz", "0.02", "module", "--plain", "--seed", "3"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    assert "fuzzing module for 0.02 min, seed 3, without coverage" in done.stdout
    assert "inputs, " in done.stdout
    assert done.stdout.endswith("nothing found\n")
