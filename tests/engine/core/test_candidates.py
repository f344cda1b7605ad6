"""Which types of the target a loader takes for the local one, and in which order."""

from __future__ import annotations

import pytest

from engine.btf.index import build_index, open_index
from engine.core.candidates import Target, find_candidates
from engine.core.policy import ModuleSearch
from tests.support.btf_writer import BtfWriter, values
from tests.support.relocating import AYA, CILIUM, KERNEL, LIBBPF, policy


def kernel(*names: str, kind: str = "struct", base=None) -> BtfWriter:
    """Types of these names, in this order; the first gets id 8, or the base's next."""
    writer = BtfWriter(base=base)
    for name in names:
        add(writer, kind, name)
    return writer


def add(writer: BtfWriter, kind: str, name: str) -> int:
    if kind in ("struct", "union"):
        return (writer.add_struct if kind == "struct" else writer.add_union)(name, 4)
    if kind in ("enum", "enum64"):
        return (writer.add_enum if kind == "enum" else writer.add_enum64)(name, values(A=1))
    if kind == "fwd":
        return writer.add_fwd(name)
    return writer.add_typedef(name, writer.int)


def found(name: str, target: Target, loader=LIBBPF, kind: str = "struct", **rules):
    """Give ids with origin, and those that were refused for their kind."""
    local = BtfWriter()
    root = add(local, kind, name)
    hits = find_candidates(local.parsed().type(root), target, policy(loader, **rules))
    return [[(one.type_id, one.origin) for one in some] for some in (hits.candidates, hits.refused)]


def ids(name: str, writer: BtfWriter, loader=LIBBPF, kind: str = "struct") -> list[int]:
    candidates, _ = found(name, Target(writer.parsed()), loader, kind)
    return [type_id for type_id, _ in candidates]


NAMES = [
    pytest.param("s", LIBBPF, [8, 9, 11], id="plain"),
    pytest.param("s___local", LIBBPF, [8, 9, 11], id="local flavor"),
    pytest.param("s____x", LIBBPF, [10], id="four underscores are no separator"),
    pytest.param("s____x", CILIUM, [10], id="cilium cuts at the last three of them"),
    pytest.param("s____x", AYA, [8, 9, 10, 11, 12], id="aya cuts at the first three"),
    pytest.param("s", AYA, [8, 9, 10, 11, 12], id="aya, plain"),
    pytest.param("s___a___c", LIBBPF, [12], id="two flavors"),
    pytest.param("absent", LIBBPF, [], id="absent"),
]


@pytest.mark.parametrize(("name", "loader", "expected"), NAMES)
def test_names(name, loader, expected):
    target = kernel("s", "s___old", "s____x", "s", "s___a___b", "ss", "t")
    assert ids(name, target, loader) == expected


KINDS = [
    # kind of the local type, libbpf, kernel, cilium, aya; target ids 8.. in the order below
    pytest.param("struct", [8], [8], id="struct"),
    pytest.param("union", [9], [9], id="union"),
    pytest.param("enum", [10, 11], [10], id="enum"),
    pytest.param("enum64", [10, 11], [11], id="enum64"),
    pytest.param("fwd", [12], [12], id="forward declaration"),
    pytest.param("typedef", [13], [13], id="typedef"),
]


@pytest.mark.parametrize(("kind", "libbpf", "strict"), KINDS)
def test_kinds(kind, libbpf, strict):
    writer = BtfWriter()
    every = [
        add(writer, one, "s") for one in ("struct", "union", "enum", "enum64", "fwd", "typedef")
    ]
    assert ids("s", writer, LIBBPF, kind) == libbpf
    assert ids("s", writer, KERNEL, kind) == ids("s", writer, AYA, kind) == strict
    assert ids("s", writer, CILIUM, kind) == every


def test_what_is_refused_for_its_kind_is_told():
    candidates, refused = found("s", Target(kernel("s", kind="union").parsed()))
    assert (candidates, refused) == ([], [(8, "vmlinux")])


def with_modules(vmlinux: BtfWriter, *modules: tuple[str, ...], custom: bool = False) -> Target:
    base = vmlinux.parsed()
    split = tuple(
        (f"mod{number}", kernel(*names, base=base).parsed())
        for number, names in enumerate(modules, 1)
    )
    return Target(base, split, custom)


NEVER, TOGETHER = ModuleSearch.NEVER, ModuleSearch.TOGETHER
ONLY_IF = ModuleSearch.WHEN_VMLINUX_HAS_NO_NAME
MODULES = [
    pytest.param("s", ONLY_IF, [(8, "vmlinux")], id="libbpf: vmlinux has it"),
    pytest.param("m", ONLY_IF, [(9, "mod1"), (10, "mod2")], id="libbpf: only modules have it"),
    pytest.param("s", TOGETHER, [(8, "vmlinux"), (9, "mod2")], id="cilium: both"),
    pytest.param("m", TOGETHER, [(9, "mod1"), (10, "mod2")], id="cilium: only modules"),
    pytest.param("s", NEVER, [(8, "vmlinux")], id="aya: vmlinux"),
    pytest.param("m", NEVER, [], id="aya: only modules have it"),
]


@pytest.mark.parametrize(("name", "search", "expected"), MODULES)
def test_modules(name, search, expected):
    target = with_modules(kernel("s"), ("m",), ("s", "m"))
    assert found(name, target, modules=search)[0] == expected


def test_no_module_is_searched_for_a_btf_that_the_user_gave():
    target = with_modules(kernel("s"), ("m",), custom=True)
    assert found("m", target)[0] == []


def test_another_kind_in_vmlinux_does_not_keep_modules_out():
    """libbpf counts candidates, and a union of that name is none."""
    target = with_modules(kernel("m", kind="union"), ("m",))
    assert found("m", target) == [[(9, "mod1")], [(8, "vmlinux")]]


def test_void_is_no_candidate_of_a_struct_called_void():
    assert ids("void", kernel("void"), LIBBPF) == [8]


def test_an_anonymous_type_meets_all_anonymous_ones_of_its_kind_in_aya():
    assert ids("", kernel("", "s", ""), AYA) == [8, 10]
    assert ids("___x", kernel("", "s", ""), AYA) == [8, 10]


def test_candidates_of_an_index_are_those_of_the_parsed_btf(tmp_path):
    raw = kernel("s", "s___old", "é", "s____x", "t").encode("big")
    path = tmp_path / "index"
    path.write_bytes(build_index(raw))
    for name in ("s", "é", "s____x", "t___y", "absent"):
        local = BtfWriter()
        local.add_struct(name, 4)
        root = local.parsed().type(8)
        kept = find_candidates(root, Target(open_index(path)), policy())
        read = find_candidates(
            root, Target(kernel("s", "s___old", "é", "s____x", "t").parsed()), policy()
        )
        assert [one.type_id for one in kept.candidates] == [one.type_id for one in read.candidates]
