"""Choices: what an address says is what was chosen, and the other way round."""

from __future__ import annotations

from urllib.parse import parse_qsl

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.learn.example import examples
from app.views.choices import CPUS, OPTS, ORDERS, Choices, read_choices
from app.views.menu import Kernel, menu
from app.views.page import choices_of

WORD = st.text(st.characters(codec="utf-8", exclude_categories=["Z", "C"]), min_size=1, max_size=9)
CHOICES = st.builds(
    Choices,
    kernels=st.lists(WORD, min_size=1, max_size=3, unique=True).map(tuple),
    loaders=st.lists(WORD, min_size=1, max_size=2, unique=True).map(tuple),
    clang=st.none() | st.integers(1, 99),
    cpu=st.sampled_from(CPUS),
    order=st.sampled_from(list(ORDERS)),
    opt=st.sampled_from(OPTS),
    example=st.just("") | WORD,
    prog=st.just("") | WORD,
    at=st.integers(0, 10_000),
)


@given(CHOICES)
def test_an_address_leads_back_to_the_same_choices(choices):
    assert read_choices(parse_qsl(choices.query(), keep_blank_values=True)) == choices


def test_the_address_of_the_founding_example_reads_well():
    assert choices_of(examples()["enum-1348"]).url() == (
        "/analyse?example=enum-1348&kernel=6.1.0-56-amd64"
        "&loader=cilium@0.13.0&loader=libbpf@1.7.0&cpu=v2"
    )


def test_no_kernel_ticked_is_not_the_default_kernel():
    assert read_choices([("kernel", "")]).kernels == ()
    assert read_choices([]).kernels == ("6.1.0-56-amd64",)


def test_the_same_kernel_or_loader_twice_is_one():
    chosen = read_choices([("loader", "a@1"), ("loader", "a@1"), ("kernel", "k"), ("kernel", "k")])
    assert (chosen.loaders, chosen.kernels) == (("a@1",), ("k",))


@pytest.mark.parametrize("text", ["", "-1", "x", "9" * 12, "1.5", "²"])
def test_malformed_numbers_are_passed_over(text):
    chosen = read_choices([("at", text), ("clang", text)])
    assert (chosen.at, chosen.clang) == (0, None)


@pytest.mark.parametrize("draft", ["", "0123456789a", "0123456789abZ", "../../etc/passwd"])
def test_a_draft_is_twelve_hex_digits_or_none(draft):
    assert read_choices([("draft", draft)]).draft == ""


def test_source_goes_before_draft_and_object():
    chosen = Choices(example="e", draft="0123456789ab", object="x.o")
    names = [name for name, _ in chosen.pairs()]
    assert "example" in names
    assert not {"draft", "object"} & set(names)


def test_the_shown_kernel_is_one_of_the_chosen():
    chosen = Choices(kernels=("a", "b"), show="b")
    assert chosen.shown_kernel == "b"
    assert "show=b" in chosen.url()
    assert Choices(kernels=("a", "b"), show="gone").shown_kernel == "a"
    assert "show" not in Choices(kernels=("a", "b"), show="a").url()


def test_the_menu_puts_chosen_kernels_first_because_the_first_gives_the_header():
    kernels = [Kernel(name, "") for name in ("a", "b", "c")]
    made = menu(
        Choices(kernels=("c", "b")), kernels=kernels, loaders=["x@1"], clangs=[(19, "19.1")]
    )
    assert [option.value for option in made.kernels] == ["c", "b", "a"]
    assert made.kernels_summary == "c +1"
    assert made.clangs[0].chosen


def test_one_loader_leaves_the_second_menu_at_none():
    made = menu(Choices(loaders=("x@1",)), kernels=[], loaders=["x@1", "y@2"], clangs=[])
    assert [o.value for o in made.first_loaders if o.chosen] == ["x@1"]
    assert [o.text for o in made.second_loaders if o.chosen] == ["none"]
