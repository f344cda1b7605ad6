"""Loader versions are rows of data, and nobody but their rows knows them by name."""

from __future__ import annotations

import ast
import pickle
import re
from dataclasses import fields
from enum import Enum

import pytest

from engine.btf.kinds import BtfKind
from engine.core.policy import (
    ArraySize,
    CandidateKinds,
    EnumSign,
    FlavorRule,
    LoaderPolicy,
    LocalTypeId,
    MatchRule,
    Missing,
    Signedness,
    SizeChange,
    Strategy,
    WidePoison,
)
from engine.errors import UnknownLoader
from engine.loaders import all_policies, newest_of, policy_of, prints_debug_lines
from tests.support.tree import files, relative

POLICIES = {policy.id: policy for policy in all_policies()}
FAMILIES = ("libbpf", "cilium", "aya", "kernel")
LOADER_ID = re.compile(r"(?:libbpf|cilium|aya|kernel)@")


def version(policy: LoaderPolicy) -> tuple[int, ...]:
    return tuple(map(int, policy.version.split(".")))


def test_order():
    """By loader, newest first: pages show them so, and the first of a loader is the usual one."""
    families = [policy.family for policy in all_policies()]
    assert list(dict.fromkeys(families)) == list(FAMILIES)
    assert families == sorted(families, key=FAMILIES.index)
    for family in FAMILIES:
        versions = [version(p) for p in all_policies() if p.family == family]
        assert versions == sorted(versions, reverse=True)
        assert version(newest_of(family)) == versions[0]


@pytest.mark.parametrize("policy", all_policies(), ids=lambda policy: policy.id)
def test_each_row_is_complete(policy):
    assert policy_of(policy.id) is policy
    assert re.fullmatch(r"\w+@\d+(\.\d+)+", policy.id)
    assert policy.version in policy.title
    assert policy.notes, "each row says what is special, and since when"
    assert pickle.loads(pickle.dumps(policy)) == policy
    for field in fields(policy):
        annotated = field.type
        value = getattr(policy, field.name)
        assert not isinstance(value, Enum) or type(value).__name__ == annotated


@pytest.mark.parametrize("policy", all_policies(), ids=lambda policy: policy.id)
def test_notes_are_lines_of_their_own(policy):
    assert len(set(policy.notes)) == len(policy.notes)
    assert all("\n" not in note for note in policy.notes)


@pytest.mark.parametrize("name", ["", "libbpf", "libbpf@9.9.9", "x" * 10_000])
def test_unknown_loaders(name):
    with pytest.raises(UnknownLoader) as caught:
        policy_of(name)
    assert len(caught.value.message) < 200
    assert "libbpf@1.7.0" in caught.value.hint


def test_a_loader_that_nobody_knows_has_no_newest_version():
    with pytest.raises(UnknownLoader):
        newest_of("gobpf")


def test_who_prints_debug_lines():
    assert {p.family for p in all_policies() if prints_debug_lines(p.id)} == {"libbpf"}


SINCE = [
    pytest.param("missing_type", "aya", (0, 12, 0), Missing.ZERO, Missing.REFUSE, id="35eaa507"),
    # behaviour, the loader's family, and the value per version; source: the commit in the notes
    pytest.param(
        "wide_poison", "cilium", (0, 13, 1), WidePoison.ONE_CALL, WidePoison.R10_LOAD, id="59cb7157"
    ),
    pytest.param(
        "type_matches", "cilium", (0, 15, 0), MatchRule.UNSUPPORTED, MatchRule.FULL, id="1d00992e"
    ),
    pytest.param(
        "local_type_id",
        "cilium",
        (0, 13, 0),
        LocalTypeId.OBJECT,
        LocalTypeId.GENERATED,
        id="d46bb3c9",
    ),
    pytest.param("enum_sign", "cilium", (0, 12, 3), EnumSign.CUT, EnumSign.DECLARED, id="1df82a8b"),
    pytest.param(
        "signedness",
        "cilium",
        (0, 11, 0),
        Signedness.ROOT,
        Signedness.FIELD_OR_REFUSE,
        id="4267cbc5",
    ),
    pytest.param("newest_kind", "cilium", (0, 10, 0), BtfKind.FLOAT, BtfKind.ENUM64, id="9a6f8143"),
    pytest.param(
        "array_size", "libbpf", (1, 6, 0), ArraySize.WHOLE, ArraySize.ELEMENT, id="d7a4ab15"
    ),
    pytest.param("errno_names", "libbpf", (1, 6, 0), False, True, id="errno names"),
    pytest.param(
        "signedness", "libbpf", (1, 3, 0), Signedness.WORD_BEHIND, Signedness.FIELD, id="b4c8def4"
    ),
    pytest.param(
        "type_matches",
        "libbpf",
        (1, 0, 0),
        MatchRule.UNSUPPORTED,
        MatchRule.BY_LEVEL,
        id="7410ddc0",
    ),
    pytest.param(
        "newest_kind", "libbpf", (1, 0, 0), BtfKind.TYPE_TAG, BtfKind.ENUM64, id="b63c5183"
    ),
    pytest.param(
        "candidate_kinds",
        "libbpf",
        (1, 0, 0),
        CandidateKinds.SAME,
        CandidateKinds.SAME_OR_ENUM64,
        id="enum64 candidates",
    ),
]


@pytest.mark.parametrize(("name", "family", "since", "before", "after"), SINCE)
def test_what_changed_when(name, family, since, before, after):
    versions = [policy for policy in all_policies() if policy.family == family]
    assert min(map(version, versions)) < since <= max(map(version, versions)) or since == (0, 12, 3)
    for policy in versions:
        assert getattr(policy, name) == (after if version(policy) >= since else before), policy.id


FAMILY_TRAITS = {
    "libbpf": (
        Strategy.SEQUENTIAL,
        FlavorRule.LAST_STRICT,
        True,
        SizeChange.RESIZE_OR_POISON,
    ),
    "kernel": (
        Strategy.SEQUENTIAL,
        FlavorRule.LAST_STRICT,
        False,
        SizeChange.RESIZE_OR_POISON,
    ),
    "cilium": (Strategy.GROUPED, FlavorRule.LAST_LAX, False, SizeChange.IGNORED),
    "aya": (
        Strategy.SEQUENTIAL,
        FlavorRule.FIRST,
        False,
        SizeChange.RESIZE_OR_REFUSE,
    ),
}


@pytest.mark.parametrize("policy", all_policies(), ids=lambda policy: policy.id)
def test_what_never_changed(policy):
    traits = (policy.strategy, policy.flavor, policy.pruning, policy.size_change)
    assert traits == FAMILY_TRAITS[policy.family]


def test_nobody_else_asks_which_loader_it_is():
    """A loader's behaviour is a field of its row; code that asks for a name escapes the rows."""
    found = []
    for path in files(".py", under="engine"):
        if "loaders" in path.parts:
            continue
        tree = ast.parse(path.read_bytes())
        texts = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
        for node in ast.walk(tree):
            literal = isinstance(node, ast.Constant) and isinstance(node.value, str)
            named = literal and id(node) not in texts and LOADER_ID.match(node.value)
            asked = isinstance(node, ast.Attribute) and node.attr == "family"
            if (named or asked) and path.name != "policy.py":
                found.append(f"{relative(path)}:{node.lineno}")
    assert found == []
