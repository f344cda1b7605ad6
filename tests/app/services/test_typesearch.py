"""Search while typing: order, kinds, flavors, mistakes, and a bound on the work."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.services.typesearch import KINDS, counted, listed, lookup, read_query, search
from engine.btf.names import names_of, open_names
from tests.support.btf_writer import BtfWriter, values
from tests.support.kernel_btf import USUAL, kernel_btf

NAMES = ("task_struct", "task_struct_x", "__task_struct", "put_task_struct", "xtask_structs",
         "Task_Struct", "sk_buff", "union_thing")  # fmt: skip


@pytest.fixture(scope="module")
def small():
    btf = BtfWriter()
    for name in NAMES:
        btf.add_struct(name, 4)
    btf.add_union("u_task", 4)
    btf.add_enum("colour", values(TASK_RED=0))
    btf.add_func("task_struct", btf.add_func_proto(btf.int))
    return open_names(memoryview(names_of(btf.parsed())))


@pytest.fixture(scope="module")
def kernel():
    return open_names(memoryview(names_of(kernel_btf(USUAL))))


def found(names, text: str, kind: str = "", limit: int = 20) -> list[str]:
    return [hit.name for hit in search(names, read_query(text, kind), limit).hits]


def test_order(small):
    assert found(small, "task_struct", "struct") == [
        "task_struct",
        "Task_Struct",
        "task_struct_x",
        "__task_struct",
        "put_task_struct",
        "xtask_structs",
    ]


def test_types_come_before_functions_of_the_same_name(small):
    hits = search(small, read_query("task_struct"), 2).hits
    assert [(hit.name, hit.group) for hit in hits] == [("task_struct", 0), ("task_struct", 3)]


@pytest.mark.parametrize(
    ("text", "kind", "first"),
    [
        ("task_struct___v2", "struct", "task_struct"),
        ("struct sk_b", "", "sk_buff"),
        ("SK_BUFF", "", "sk_buff"),
        ("union u", "", "u_task"),
        ("task_red", "", "TASK_RED"),
        ("struct task", "struct", "Task_Struct"),
        ("task put", "", "put_task_struct"),
    ],
)
def test_what_is_found_first(small, text, kind, first):
    assert found(small, text, kind)[0] == first


def test_nothing_and_near(small):
    assert found(small, "") == []
    assert found(small, "   ") == []
    answer = search(small, read_query("task_strukt"), 5)
    assert answer.hits == ()
    assert answer.near[0] == "task_struct"


def test_more_is_said(small):
    assert search(small, read_query("task"), 2).more
    assert not search(small, read_query("sk_buff"), 2).more


def test_counts_and_lists_agree(small):
    numbers = counted(small)
    assert numbers["struct"] == 8
    for kind in KINDS:
        rows, total = listed(small, kind, 0, 100)
        assert total == numbers[kind] == len(rows)


def test_lookup_is_exact(small):
    assert [hit.group for hit in lookup(small, "task_struct")] == [0, 3]
    assert lookup(small, "task_struc") == ()


@given(st.text(max_size=40))
def test_any_text_is_answered(small, text):
    for hit in search(small, read_query(text), 5).hits:
        words = read_query(text).words
        assert all(word in hit.name.encode().lower() for word in words)


@pytest.mark.parametrize("text", ["a", "_", "e s", "t", "get put set", "zzzz", "tsak_struct"])
def test_an_answer_does_bounded_work(kernel, text):
    began = time.process_time()
    search(kernel, read_query(text), 60)
    assert time.process_time() - began < 0.5
