"""What counts as a difference between a real loader's answer and coreplay's."""

from __future__ import annotations

import copy
from pathlib import Path

import pytest

from tests.conformance import ours
from tests.conformance.answers import changed, completed, difference
from tests.conformance.jobs import GOLDEN, Job, golden_job, read_goldens

OBJECT, BTF = "objects/mapsub.clang19.v3.el.o", GOLDEN / "btf" / "own-odd.el.btf"
CORE = Job("a", GOLDEN, OBJECT, BTF, "core")
LINKED = Job("b", GOLDEN, OBJECT, BTF, "linked")


@pytest.fixture(scope="module")
def answer() -> dict:
    return ours.run([CORE], "libbpf@1.7.0")["a"]


def test_the_same_is_no_difference(answer):
    assert len(answer["programs"]) > 3
    assert difference(answer, copy.deepcopy(answer), CORE) is None


def test_one_digit_is_a_difference(answer):
    other = copy.deepcopy(answer)
    slots = other["programs"]["first"]["insns"]
    slots[3] = slots[3][:-1] + ("1" if slots[3][-1] == "0" else "0")
    assert difference(answer, other, CORE).startswith("first: slot 3 is ")


def test_a_lost_slot_and_a_lost_function_are_differences(answer):
    shorter, fewer = copy.deepcopy(answer), copy.deepcopy(answer)
    shorter["programs"]["first"]["insns"].pop()
    del fewer["programs"]["first"]
    assert "slots, not" in difference(answer, shorter, CORE)
    assert difference(answer, fewer, CORE).startswith("functions are ")


def test_errors_are_compared_by_place_not_by_text(answer):
    refused, otherwise = copy.deepcopy(answer), copy.deepcopy(answer)
    refused["programs"]["first"]["error"] = {"code": "EINVAL", "text": "one"}
    otherwise["programs"]["first"]["error"] = {"code": "relocate", "text": "another"}
    assert difference(refused, otherwise, CORE) is None
    assert difference(answer, refused, CORE).startswith("first: error is ")
    whole = {**answer, "programs": {}, "error": {"code": "EINVAL", "text": "no"}}
    assert difference(answer, whole, CORE) == "the object is refused: EINVAL: no"
    assert difference(whole, answer, CORE) == "the object is not refused: EINVAL: no"


@pytest.mark.parametrize(
    ("theirs", "mine", "same"),
    [
        (["1811000003000000", "0000000000000000"], ["1811000000000000", "0000000000000000"], True),
        (["1801000003000000", "0000000000000000"], ["1801000000000000", "0000000000000000"], False),
        (["8520000009000000"], ["8520000000000000"], True),
        (["8500000009000000"], ["8500000000000000"], False),
    ],
)
def test_linked_hides_what_only_loading_gives(theirs, mine, same):
    answers = [
        {"error": None, "programs": {"p": {"error": None, "insns": slots}}}
        for slots in (theirs, mine)
    ]
    assert (difference(*answers, LINKED) is None) is same
    assert difference(*answers, CORE) is not None


def test_references_get_the_bytes_of_the_elf_back():
    before = ours.run([CORE], "cilium@0.22.0")["a"]["programs"]["first"]["insns"]
    slots = [f"{slot[:8]}ffffffff" if slot.startswith(("18", "8510")) else slot for slot in before]
    program = {"insns": slots, "from": list(range(len(slots))), "error": None}
    done = completed({"programs": {"first": program}, "error": None}, CORE.path)
    assert done["programs"]["first"]["section"] == "raw_tp/a"
    assert "from" not in done["programs"]["first"]
    kept = done["programs"]["first"]["insns"]
    assert [slot for slot in kept if slot.startswith("8510")] == [
        slot for slot in before if slot.startswith("8510")
    ]


def test_changed_names_what_relocation_touched(answer):
    golden = next(
        g for g in read_goldens() if g["id"].startswith("kinds.clang19.v3.el@own-odd.el#libbpf@1.7")
    )
    assert changed(golden, golden_job(golden).path) == golden["changed"]
    untouched = ours.run([Job("c", GOLDEN, OBJECT, BTF, "core")], "libbpf@1.7.0")["c"]
    assert changed(untouched, GOLDEN / OBJECT) == changed(answer, Path(GOLDEN / OBJECT))
