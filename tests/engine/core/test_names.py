"""Where each loader cuts the flavor from a name."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.btf.decode import coarse_key
from engine.core.names import essential_name
from engine.core.policy import FlavorRule

LIBBPF, CILIUM, AYA = FlavorRule.LAST_STRICT, FlavorRule.LAST_LAX, FlavorRule.FIRST

NAMES = [
    ("task_struct", "task_struct", "task_struct", "task_struct"),
    ("task_struct___old", "task_struct", "task_struct", "task_struct"),
    ("a__b", "a__b", "a__b", "a__b"),
    ("a___b", "a", "a", "a"),
    ("a____b", "a____b", "a_", "a"),
    ("a___", "a___", "a", "a"),
    ("___a", "___a", "___a", ""),
    ("___", "___", "___", ""),
    ("____a", "____a", "_", ""),
    ("_a___b_", "_a", "_a", "_a"),
    ("a___b___c", "a___b", "a___b", "a"),
    ("a___b____c", "a", "a___b_", "a"),
    ("a___b___", "a", "a___b", "a"),
    ("___a___b", "___a", "___a", ""),
    ("", "", "", ""),
    ("é___ü", "é", "é", "é"),
]


@pytest.mark.parametrize(("name", "libbpf", "cilium", "aya"), NAMES, ids=[n[0] for n in NAMES])
def test_essential_name(name, libbpf, cilium, aya):
    cut = {rule: essential_name(name, rule) for rule in FlavorRule}
    assert cut == {LIBBPF: libbpf, CILIUM: cilium, AYA: aya}


@given(st.text("a_", max_size=14), st.sampled_from(FlavorRule))
def test_a_name_starts_with_its_essential_part(name, rule):
    cut = essential_name(name, rule)
    assert name.startswith(cut)
    assert cut == name or name[len(cut) :].startswith("___")


@given(st.text("ab_", max_size=14), st.sampled_from(FlavorRule))
def test_names_with_equal_essential_parts_share_a_key(name, rule):
    """The index of names is looked up by the key, so the key must never part them."""
    cut = essential_name(name, rule)
    assert coarse_key(name.encode()) == coarse_key(cut.encode())


@given(st.text("a_", max_size=14))
def test_the_strict_rule_cuts_between_two_characters_that_are_no_underscores(name):
    cut = essential_name(name, LIBBPF)
    if cut != name:
        assert not cut.endswith("_")
        assert not name[len(cut) + 3 :].startswith("_")
