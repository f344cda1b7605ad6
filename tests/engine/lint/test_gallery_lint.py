"""Real bugs: the rule that would have told their authors, and its silence about the fix."""

from __future__ import annotations

import json
from functools import cache

import pytest

from engine.core.candidates import Target
from engine.core.prepare import prepare
from engine.elf.object import parse_object
from engine.lint.examine import Report, examine
from engine.lint.scene import Kernel
from engine.loaders import policy_of
from tests.support.gallery import GALLERY, cases
from tests.support.kernel_btf import kernel_btf

KERNELS = ("5.10.0-46-amd64", "6.1.0-56-amd64", "7.3.4+deb13-amd64")
LOADERS = ("libbpf@1.7.0", "cilium@0.13.0", "aya@0.14.0")


@cache
def reports(slug: str, side: str) -> tuple[Report, ...]:
    prepared = prepare(parse_object((GALLERY / slug / f"{side}.o").read_bytes()))
    kernels = [Kernel(name, name, Target(kernel_btf(name))) for name in KERNELS]
    return examine(prepared, kernels, [policy_of(loader) for loader in LOADERS])


def rules(slug: str, side: str, least: tuple[str, ...] = ("error", "warning")) -> set[str]:
    found = [f for report in reports(slug, side) for f in report.findings]
    return {finding.rule for finding in found if finding.severity in least}


CASES = [
    ("enum-1348", "jump-over-load"),
    ("enum-1348-silent", "jump-over-load"),
    ("guard-mismatch-1649", "guard-mismatch"),
    ("guard-mismatch-1649", "reachable-poison"),
    ("task-state-3658", "reachable-poison"),
    ("inode-atime-202", "reachable-poison"),
    ("core-layout-3470", "reachable-poison"),
    ("freebind-2519", "reachable-poison"),
    ("ambiguous-1383", "ambiguity"),
    ("sk-protocol-1314", "plain-bitfield"),
    ("type-size-655", "silent-zero"),
    ("type-matches-1360", "loader-support"),
]


@pytest.mark.parametrize(("slug", "rule"), CASES)
def test_the_bug_is_found(slug, rule):
    assert rule in rules(slug, "broken")


@pytest.mark.parametrize(
    ("slug", "rule"),
    [case for case in CASES if case[1] != "ambiguity"],  # that fix serves one loader only
)
def test_the_fix_is_not(slug, rule):
    assert rule not in rules(slug, "fixed")


def test_every_bad_verdict_has_an_error_that_explains_it():
    bad = {"poison-reachable", "refused", "jump-broken", "silently-different"}
    seen = set()
    for folder in sorted(GALLERY.iterdir()):
        for side in ("broken", "fixed"):
            for report in reports(folder.name, side):
                severities = {finding.severity for finding in report.findings}
                seen.add(report.verdict.kind)
                if report.verdict.kind in bad:
                    assert "error" in severities, (folder.name, side, report)
                elif report.verdict.kind == "unknown":
                    assert "warning" in severities, (folder.name, side, report)
                else:
                    assert "error" not in severities, (folder.name, side, report)
    assert bad < seen


def findings(slug: str, kernel: str, loader: str) -> list[tuple[str, str]]:
    """Rule and severity of what the golden holds for the broken version."""
    golden = json.loads((GALLERY / slug / "expected.json").read_text())
    run = golden["broken"][f"{kernel} {loader}"]
    return [(finding["rule"], finding["severity"]) for finding in run["findings"]]


SILENT_ELSEWHERE = {"enum-numbers-1151", "subprogram-586"}
"""The first is a note as long as the number means the same on all kernels that are checked; the
second shows in the story of each relocation, since all loaders that are known apply all three."""


@pytest.mark.parametrize("case", cases(), ids=lambda case: case.slug)
def test_each_bug_has_a_finding_and_its_fix_has_fewer(case):
    golden = json.loads((GALLERY / case.slug / "expected.json").read_text())
    serious = {
        side: [
            (run, finding["rule"])
            for run, words in golden[side].items()
            for finding in words["findings"]
            if finding["severity"] != "note"
        ]
        for side in ("broken", "fixed")
    }
    if case.slug in SILENT_ELSEWHERE:
        assert serious == {"broken": [], "fixed": []}
    elif case.slug in ("struct-and-func-850", "bitfield-sign-1086"):
        # Bugs of a loader: no C mends the first, and the fix of the second does not use the answer.
        assert {run for run, _ in serious["broken"]} == {run for run, _ in serious["fixed"]}
    else:
        assert len(serious["fixed"]) < len(serious["broken"])


def test_a_number_that_belongs_to_an_enumerator_is_named():
    found = findings("enum-numbers-1151", "6.1.0-56-amd64", "libbpf@1.7.0")
    assert found == [("enum-number", "note")]


def test_a_sign_that_is_asked_of_the_struct_is_named():
    assert findings("bitfield-sign-1086", "own", "cilium@0.9.1") == [("loader-support", "warning")]
    assert findings("bitfield-sign-1086", "own", "cilium@0.22.0") == []


@pytest.mark.parametrize("loader", ["libbpf@1.7.0", "cilium@0.22.0", "aya@0.14.0"])
def test_relocations_of_a_subprogram_are_applied_and_told(loader):
    golden = json.loads((GALLERY / "subprogram-586" / "expected.json").read_text())
    told = json.dumps(golden["broken"][f"6.1.0-56-amd64 {loader}"])
    assert all(field in told for field in ("task_struct.pid", "task_struct.tgid"))
    assert "task_struct.prio" in told


def test_members_taken_from_two_structs_are_named():
    found = findings("two-layouts-1727", "6.1.0-56-amd64", "aya@0.14.0")
    assert found == [("ambiguity", "warning")]


def test_an_object_that_is_loaded_without_relocation_is_named():
    found = findings("enum64-1187", "6.1.0-56-amd64", "libbpf@0.8.0")
    assert found == [("loader-support", "warning")]
