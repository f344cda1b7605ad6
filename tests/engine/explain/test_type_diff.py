"""Types as parts, differences between two of them, and types as C with offsets."""

from __future__ import annotations

from engine.btf.decode import Btf
from engine.btf.encode import BtfBuilder
from engine.btf.kinds import BtfKind
from engine.explain.type_diff import diff_shapes, ids_of, pairs, shapes
from engine.explain.type_layout import layout_as_c
from tests.support.btf_writer import member
from tests.support.kernel_btf import kernel_btf


def changes(before: Btf, after: Btf, wanted: str) -> list[tuple[str, str]]:
    (old,), (new,) = shapes(before, wanted), shapes(after, wanted)
    return [(change.kind, change.name) for change in diff_shapes(old, new)]


def test_what_became_of_task_structs_state():
    old, new = kernel_btf("5.10.0-46-amd64"), kernel_btf("6.1.0-56-amd64")
    found = changes(old, new, "struct task_struct")
    assert ("removed", "state") in found
    assert ("added", "__state") in found
    assert ("moved", "pid") in found
    assert ("size", "task_struct") in found


def test_a_bitfield_that_went():
    old, new = kernel_btf("6.1.0-56-amd64"), kernel_btf("7.3.4+deb13-amd64")
    (before,), (after,) = shapes(old, "inet_sock"), shapes(new, "inet_sock")
    removed = {c.name: c.before for c in diff_shapes(before, after) if c.kind == "removed"}
    part = removed["freebind"]
    assert part is not None
    assert (part.offset, part.bits, part.bitfield) == (810 * 8 + 2, 1, True)


def test_enumerators_get_other_numbers():
    old, new = kernel_btf("5.10.0-46-amd64"), kernel_btf("6.1.0-56-amd64")
    found = changes(old, new, "enum node_stat_item")
    assert ("added", "NR_SECONDARY_PAGETABLE") in found
    assert ("renumbered", "NR_KERNEL_MISC_RECLAIMABLE") in found
    assert {kind for kind, _ in found} == {"added", "renumbered"}


def test_the_same_kernel_twice():
    btf = kernel_btf("6.1.0-56-amd64")
    for wanted in ("task_struct", "slot", "u32", "struct sk_buff", "vfs_read"):
        found = shapes(btf, wanted)
        assert found
        for old, new in pairs(found, found):
            assert old is not None
            assert new is not None
            assert diff_shapes(old, new) == ()


def test_words_choose_among_types_of_one_name():
    btf = kernel_btf("6.1.0-56-amd64")
    assert {btf.kind(i) for i in ids_of(btf, "struct file")} == {BtfKind.STRUCT}
    assert {btf.kind(i) for i in ids_of(btf, "enum cgroup_subsys_id")} == {BtfKind.ENUM}
    assert ids_of(btf, "struct vfs_read") == ()
    assert [btf.kind(i) for i in ids_of(btf, "vfs_read")] == [BtfKind.FUNC]
    assert ids_of(btf, "") == ids_of(btf, "no_such_type") == ()


def small(*, wide: bool, moved: bool) -> Btf:
    builder = BtfBuilder()
    number = builder.add_int("int", 4)
    long = builder.add_int("long", 8)
    parts = [member("a", long if wide else number, 0), member("b", number, 16 if moved else 8)]
    builder.add_struct("s", 24, parts)
    return Btf.parse(builder.encode("little"))


def test_moved_resized_retyped():
    assert changes(small(wide=False, moved=False), small(wide=True, moved=True), "s") == [
        ("resized", "a"),
        ("retyped", "a"),
        ("moved", "b"),
    ]


def test_pairs_match_by_what_types_share():
    btf = kernel_btf("6.1.0-56-amd64")
    found = shapes(btf, "struct slot")
    assert len(found) == 3
    assert list(pairs(found, found[::-1])) == [(shape, shape) for shape in found]
    assert list(pairs(found[:1], ())) == [(found[0], None)]
    assert list(pairs((), found[:1])) == [(None, found[0])]


def test_layout_shows_offsets_sizes_and_nested_structs():
    btf = kernel_btf("6.1.0-56-amd64")
    (type_id,) = ids_of(btf, "struct inet_sock")
    text = layout_as_c(btf, type_id)
    assert text.startswith("struct inet_sock {\n")
    assert text.endswith("}; /* 992 bytes */\n")
    assert "\t__u8 freebind: 1;                /*  810:2     1 */\n" in text
    assert "\t} local_port_range;              /*    984     4 */\n" in text
    (enum,) = ids_of(btf, "enum cgroup_subsys_id")
    assert "cpuset_cgrp_id = 0," in layout_as_c(btf, enum)


def test_an_endless_type_ends_in_an_error():
    builder = BtfBuilder()
    builder.add_struct("", 8, [member("", 1, 0)])
    builder.add_struct("outer", 8, [member("", 1, 0)])
    assert shapes(Btf.parse(builder.encode("little")), "outer") == ()
