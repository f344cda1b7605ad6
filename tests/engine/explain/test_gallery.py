"""Real bugs: verdicts settled by hand, what is said about them, and what is offered instead."""

from __future__ import annotations

import json
import os
import re
import shutil

import pytest

from tests.support.gallery import GALLERY, SIDES, Case, cases, compile_case
from tests.support.gallery_words import words_of

RUNS = [
    pytest.param(case, kernel, loader, id=f"{case.slug}-{kernel}-{loader}")
    for case in cases()
    for kernel, loader in case.runs
]
CASES = [pytest.param(case, id=case.slug) for case in cases()]
UNSETTLED = "None"


def test_there_are_enough_of_them():
    assert len(cases()) >= 24
    assert {path.parent.name for path in GALLERY.glob("*/*")} == {case.slug for case in cases()}


@pytest.mark.parametrize(("case", "kernel", "loader"), RUNS)
@pytest.mark.parametrize("side", SIDES)
def test_verdicts_are_those_settled_by_hand(case: Case, side: str, kernel: str, loader: str):
    wanted = case.verdict(side, kernel, loader)
    if wanted != UNSETTLED:
        judged = case.judged(side, kernel, loader)
        assert judged.kind == wanted, judged.headline


@pytest.mark.parametrize(("case", "kernel", "loader"), RUNS)
@pytest.mark.parametrize("side", SIDES)
def test_what_is_said_is_what_was_read_and_found_good(
    case: Case, side: str, kernel: str, loader: str
):
    """The golden is written by `python -m tests.support.gallery`; read the difference."""
    golden = json.loads((GALLERY / case.slug / "expected.json").read_text())
    assert words_of(case, side, kernel, loader) == golden[side][f"{kernel} {loader}"]


@pytest.mark.parametrize("case", CASES)
def test_the_explanation_names_what_matters(case: Case):
    said = (GALLERY / case.slug / "expected.json").read_text()
    broken = said.partition('"fixed": {')[0]
    assert [words for words in case.table["says"] if words not in broken] == []
    offered = set(re.findall(r'"fixes": \[(.*?)\]', broken, re.DOTALL))
    for kind in case.table["fixes"]:
        assert any(f'"{kind}: ' in fixes for fixes in offered), kind


def test_most_fixed_versions_get_a_better_verdict():
    """The others show a wrong value, or a bug of the loader that no C mends."""
    worse = ("poison-reachable", "refused", "jump-broken", "silently-different")
    mended = {
        case.slug
        for case in cases()
        for kernel, loader in case.runs
        if case.verdict("broken", kernel, loader) in worse
        and case.verdict("fixed", kernel, loader) not in worse
    }
    assert len(mended) >= 20


@pytest.mark.parametrize("case", CASES)
def test_the_source_still_gives_the_same_outcomes(case: Case, monkeypatch: pytest.MonkeyPatch):
    """Another patch version of clang may write other bytes; the outcomes have to stay."""
    needs = ["clang-19", "llvm-strip-19", *(["bpftool"] if case.table.get("link") else [])]
    if missing := [name for name in needs if shutil.which(name) is None]:
        assert not os.environ.get("CI"), missing
        pytest.skip(f"{missing[0]} is not installed")
    from engine.core.prepare import prepare
    from engine.elf.object import parse_object

    made = {side: prepare(parse_object(compile_case(case, side))) for side in SIDES}
    before = {(side, *run): case.judged(side, *run).kind for side in SIDES for run in case.runs}
    monkeypatch.setattr(Case, "prepared", lambda self, side: made[side])
    assert before == {
        (side, *run): case.judged(side, *run).kind for side in SIDES for run in case.runs
    }
