"""Files of names: what is written is found again; who refers to whom; what differs."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.btf.backrefs import backrefs_of, open_backrefs
from engine.btf.kinds import BtfKind
from engine.btf.names import AFTER, BEFORE, GROUPS, difference, merged, names_of, open_names
from engine.errors import KernelFileError
from engine.explain.fingerprints import fingerprints_of, open_fingerprints
from engine.explain.pointing import pointers_at
from tests.support.btf_writer import BtfWriter, member, values
from tests.support.kernel_btf import USUAL, kernel_btf

DIGEST = "00" * 32
NAMES = st.text(st.characters(exclude_characters="\0", exclude_categories=("Cs",)), min_size=1)


def opened(btf: BtfWriter):
    return open_names(memoryview(names_of(btf.parsed())))


def all_of(names, group: str) -> list[str]:
    rows = names.groups[GROUPS.index(group)]
    return [rows.name(row) for row in range(len(rows))]


@given(st.lists(NAMES, max_size=12, unique=True))
def test_every_name_is_found_again(given_names):
    btf = BtfWriter()
    for name in given_names:
        btf.add_struct(name, 0)
    group = opened(btf).groups[0]
    for name in given_names:
        folded = name.encode().lower()
        row = group.first(folded)
        while group.name(row) != name:
            assert group.folded(row) == folded
            row += 1
        assert group.kinds[row] & 1 << BtfKind.STRUCT


def test_groups_and_kinds():
    btf = BtfWriter()
    struct = btf.add_struct("thing", 4, (member("a", btf.int, 0),))
    btf.add_typedef("thing", struct)
    btf.add_enum("e", values(RED=0))
    btf.add_func("thing", btf.add_func_proto(btf.int))
    btf.add_var("v", btf.int)
    names = opened(btf)
    row = names.groups[0].first(b"thing")
    assert names.groups[0].kinds[row] == 1 << BtfKind.STRUCT | 1 << BtfKind.TYPEDEF
    assert all_of(names, "enumerators") == ["RED"]
    assert all_of(names, "functions") == ["thing"]
    assert all_of(names, "variables") == ["v"]


@pytest.mark.parametrize("count", [2, 70])
def test_many_kernels_have_a_bit_each(count):
    files = []
    for number in range(count):
        btf = BtfWriter()
        btf.add_struct(f"only_{number}", 4)
        btf.add_struct("shared", 4)
        files.append(opened(btf))
    group = open_names(memoryview(merged(files, DIGEST))).groups[0]
    assert group.kernels(group.first(b"shared")) == (1 << count) - 1
    assert group.kernels(group.first(b"only_1")) == 2
    assert group.kernels(group.first(f"only_{count - 1}".encode())) == 1 << count - 1


def test_what_two_kernels_differ_in():
    old, new = BtfWriter(), BtfWriter()
    for btf, at in ((old, 0), (new, 4)):
        btf.add_struct("moved", 8, (member("a", btf.int, at),))
        btf.add_struct("same", 8, (member("a", btf.int, 0),))
        btf.add_func("f", btf.add_func_proto(btf.int if at else btf.long))
    old.add_struct("gone", 4)
    new.add_struct("came", 4)
    files, numbers = [], []
    for btf in (old, new):
        files.append(opened(btf))
        data = memoryview(fingerprints_of(btf.parsed(), files[-1]))
        numbers.append(open_fingerprints(data, files[-1]))
    found = open_names(memoryview(difference(*files, (numbers[0], numbers[1]), DIGEST)))
    types, functions = found.groups[0], found.groups[3]
    assert {types.name(n): types.kernels(n) for n in range(len(types))} == {
        "moved": BEFORE | AFTER,
        "gone": BEFORE,
        "came": AFTER,
    }
    assert [functions.name(n) for n in range(len(functions))] == ["f"]


@pytest.mark.parametrize("cut", [0, 20, 100, -1])
def test_a_damaged_file_is_refused(cut):
    btf = BtfWriter()
    btf.add_struct("thing", 4)
    data = names_of(btf.parsed())
    with pytest.raises(KernelFileError):
        open_names(memoryview(data[:cut]))
    refs = backrefs_of(btf.parsed())
    with pytest.raises(KernelFileError):
        open_backrefs(memoryview(refs[: min(cut, 10)] if cut >= 0 else refs[:cut]))


def test_references_of_a_kernel_are_those_of_its_types():
    btf = kernel_btf(USUAL)
    refs = open_backrefs(memoryview(backrefs_of(btf)))
    task = btf.ids_named("task_struct")[0]
    assert all(btf.type(source).type_id == task for source in refs.of(task)
               if btf.kind(source) is not BtfKind.STRUCT)  # fmt: skip
    assert list(refs.of(len(btf) + 5)) == []


def test_who_points_through_pointers_arrays_and_anonymous_structs():
    btf = BtfWriter()
    wanted = btf.add_struct("wanted", 8, (member("a", btf.long, 0),))
    pointer = btf.add_ptr(btf.add_const(wanted))
    array = btf.add_array(pointer, btf.uint, 4)
    inner = btf.add_struct("", 32, (member("p", array, 0),))
    btf.add_struct("holder", 40, (member("in_it", inner, 0), member("w", wanted, 32)))
    btf.add_func("take", btf.add_func_proto(btf.int))
    parsed = btf.parsed()
    refs = open_backrefs(memoryview(backrefs_of(parsed)))
    found, more = pointers_at(parsed, refs, [wanted])
    assert not more
    assert {(p.name, p.path, p.how) for p in found} == {
        ("holder", "w", "by value"),
        ("holder", "in_it.p", "by pointer"),
    }


def test_a_cycle_of_types_ends():
    btf = BtfWriter()
    first = btf.next_id
    btf.add_ptr(first + 1)
    btf.add_const(first)
    parsed = btf.parsed()
    refs = open_backrefs(memoryview(backrefs_of(parsed)))
    assert pointers_at(parsed, refs, [first]) == ((), False)
