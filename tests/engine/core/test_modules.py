"""Candidates from kernel modules: small split BTFs on one base, asked by each loader."""

from __future__ import annotations

import struct as packing

import pytest

from engine.btf.decode import Btf
from engine.btf.split import ModuleSet, parse_modules
from engine.core.candidates import Target
from engine.core.kinds import CoreReloKind
from engine.core.prepare import prepare
from engine.loaders import all_policies, policy_of
from engine.loaders.attach import attach_point, with_attached
from engine.loaders.link import link_object
from tests.support.asm import exit_, ld_imm64, mov_imm
from tests.support.btf_writer import BtfWriter, member, values
from tests.support.relocating import (
    AYA,
    CILIUM,
    KERNEL,
    LIBBPF,
    ObjectWriter,
    only,
    policy,
    relo,
    relocations,
    said,
)

OFF, EXISTS = CoreReloKind.FIELD_BYTE_OFFSET, CoreReloKind.FIELD_EXISTS
TARGET_ID = CoreReloKind.TYPE_ID_TARGET
EMPTY_BTF = packing.pack("<HBBIIIII", 0xEB9F, 1, 0, 24, 0, 0, 0, 0)
OLD_LIBBPF = "libbpf@0.8.0"
CILIUM_19, CILIUM_15, CILIUM_13 = "cilium@0.19.0", "cilium@0.15.0", "cilium@0.13.1"


def layout(writer: BtfWriter, name: str, at: int) -> int:
    """struct name { int f; } with f at a byte."""
    base_int = writer.base.ids_named("int")[0] if writer.base else writer.int
    return writer.add_struct(name, 64, [member("f", base_int, at)])


def vmlinux(**structs: int) -> Btf:
    writer = BtfWriter()
    for name, at in structs.items():
        layout(writer, name, at)
    return writer.parsed()


def module(base: Btf, func: str = "", **structs: int) -> Btf:
    writer = BtfWriter(base=base)
    for name, at in {"own": 0, **structs}.items():
        layout(writer, name, at)
    if func:
        writer.add_func(func, writer.add_func_proto(0, ()))
    return writer.parsed()


def asks(name: str = "conn", kind: int = OFF, *, section: str = "socket") -> ObjectWriter:
    """A program that asks where `name.f` is, whether it exists, or for the type's id."""
    program = ObjectWriter()
    root = layout(program.btf, name, 0)
    access = "0" if kind == TARGET_ID else "0:0"
    value = root if kind == TARGET_ID else kind == EXISTS
    code = ld_imm64(1, value) if kind == TARGET_ID else mov_imm(1, value)
    program.function("prog", code + exit_(), relo(root, access, kind), section=section)
    return program


SEARCH = [
    # loader, in vmlinux alone, in a module alone, in both alike, in both at different places
    (LIBBPF, 4, 8, 4, 4),
    (KERNEL, 4, 8, 4, 4),
    (CILIUM, 4, 8, 4, "ambiguous"),
    (CILIUM_19, 4, 8, 4, "ambiguous"),
    (CILIUM_13, 4, "poisoned", 4, 4),
    (AYA, 4, "poisoned", 4, 4),
]


@pytest.mark.parametrize("row", SEARCH, ids=lambda row: row[0])
def test_where_the_candidates_come_from(row):
    loader, *expected = row
    found = []
    for kernel, mod in (({"conn": 4}, {}), ({}, {"conn": 8}), ({"conn": 4},) * 2):
        found.append(outcome(asks(), vmlinux(**kernel), mod, loader))
    found.append(outcome(asks(), vmlinux(conn=4), {"conn": 8}, loader))
    assert found == expected


def outcome(program: ObjectWriter, base: Btf, structs: dict[str, int], loader: str):
    target = Target(base, (("nf_conntrack", module(base, **structs)),))
    result = program.relocate(target, loader)
    (row,) = relocations(result)
    if row.outcome == "failed":
        assert "ambiguous relocation" in said(result) or "ambiguity" in said(result)
        return "ambiguous"
    return "poisoned" if row.outcome == "poisoned" else row.new


def test_two_modules_that_differ_are_ambiguous_for_libbpf():
    base = vmlinux()
    modules = (("a", module(base, conn=4)), ("b", module(base, conn=8)))
    result = asks().relocate(Target(base, modules), LIBBPF)
    assert result.error is not None
    assert "field offset ambiguity: 64 != 32" in said(result)
    same = (("a", module(base, conn=8)), ("b", module(base, conn=8)))
    (row,) = relocations(asks().relocate(Target(base, same), LIBBPF))
    assert row.new == 8


def test_a_users_own_btf_leaves_the_modules_out():
    base = vmlinux()
    target = Target(base, (("nf", module(base, conn=8)),), custom=True)
    for loader in (LIBBPF, CILIUM):
        assert only(asks().relocate(target, loader)).relocations[0].outcome == "poisoned"


def test_candidates_tell_their_module():
    base = vmlinux(conn=4)
    target = Target(base, (("nf", module(base, conn=4)),))
    (row,) = relocations(asks().relocate(target, CILIUM))
    assert {step.origin for step in row.trace if step.origin} == {"vmlinux", "nf"}
    lines: list[str] = []
    only_module = Target(vmlinux(), (("nf", module(vmlinux(), conn=4)),))
    asks().relocate(only_module, LIBBPF, debug=lambda _, text: lines.append(text))
    assert any(line.endswith("struct conn in [nf]") for line in lines)


def test_the_id_of_a_modules_type():
    base = vmlinux()
    mod = module(base, conn=8)
    target = Target(base, (("nf", mod),))
    (row,) = relocations(asks(kind=TARGET_ID).relocate(target, LIBBPF))
    assert row.new == mod.ids_named("conn")[0] >= len(base)
    (row,) = relocations(asks(kind=TARGET_ID).relocate(target, CILIUM))
    assert row.outcome == "poisoned"


ATTACHED = [
    ("kprobe/nf_in", "nf"),
    ("kretprobe/nf_in", "nf"),
    ("fentry/nf_in", "nf"),
    ("fexit/nf_in", "nf"),
    ("kprobe/other_in", "other"),
    ("kprobe/nobody", None),
    ("fmod_ret/nf_in", None),
    ("tracepoint/nf_in", None),
    ("socket", None),
]


@pytest.mark.parametrize(("section", "found"), ATTACHED)
def test_only_the_module_that_a_program_attaches_to(section, found):
    """cilium/ebpf 0.14 to 0.18; the stage does not matter."""
    base = vmlinux()
    modules = (("nf", module(base, "nf_in", conn=8)), ("other", module(base, "other_in", conn=12)))
    program = asks(section=section)
    prepared = prepare(program.object())
    target = with_attached(prepared, Target(base, modules))
    assert target.attached == ({section: found} if found else {})
    (row,) = relocations(program.relocate(target, CILIUM_15))
    assert row.new == {"nf": 8, "other": 12, None: None}[found]
    linked = link_object(prepared, Target(base, modules), policy_of(CILIUM_15)).programs[0]
    assert linked.insns is not None
    assert (linked.insns[0].imm == row.new) is (found is not None)


def test_an_attach_point_in_a_module():
    base = vmlinux()
    mod = module(base, "nf_in")
    point = attach_point("fentry/nf_in", Target(base, (("nf", mod),)))
    assert point is not None
    assert (point.btf_id, point.module) == (mod.ids_named("nf_in")[0], "nf")


def damaged(kind: str, base: Btf) -> ModuleSet:
    """Three modules, the middle one empty or broken; the last one has `conn`."""
    last = BtfWriter(base=base)
    layout(last, "conn", 8)
    bad = EMPTY_BTF if kind == "empty" else EMPTY_BTF[:20]
    first = BtfWriter(base=base).encode("little")
    sections = [("a", _named(base)), ("loadpin_trigger", bad), ("z", last.encode("little"))]
    assert len(first) == 24
    return parse_modules(base, sections)


def _named(base: Btf) -> bytes:
    writer = BtfWriter(base=base)
    layout(writer, "unrelated", 0)
    return writer.encode("little")


DAMAGED = [
    # loader, an empty module, a broken one: what becomes of a search that reaches the modules
    (LIBBPF, 8, "refused"),
    (KERNEL, 8, 8),
    (CILIUM, 8, "refused"),
    (CILIUM_19, "refused", "refused"),
    (CILIUM_15, None, None),
    (CILIUM_13, None, None),
    (AYA, None, None),
]


@pytest.mark.parametrize("row", DAMAGED, ids=lambda row: row[0])
def test_a_damaged_module(row):
    loader, *expected = row
    for kind, wanted in zip(("empty", "broken"), expected, strict=True):
        base = vmlinux()
        result = asks().relocate(Target(base, damaged(kind, base)), loader)
        (found,) = relocations(result)
        assert ("refused" if found.outcome == "failed" else found.new) == wanted


def test_a_damaged_module_matters_to_libbpf_only_when_vmlinux_lacks_the_name():
    base = vmlinux(conn=4)
    target = Target(base, damaged("broken", base))
    (row,) = relocations(asks().relocate(target, LIBBPF))
    assert row.new == 4
    result = asks().relocate(target, CILIUM)
    assert only(result).error is not None
    assert said(result).startswith(
        "apply CO-RE relocations: load BTF for kmod loadpin_trigger: the section is 20 bytes"
    )


def test_the_words_about_a_damaged_module():
    base = vmlinux(conn=4)
    empty = Target(base, damaged("empty", base))
    assert said(asks().relocate(empty, CILIUM_19)) == (
        "apply CO-RE relocations: load BTF for kmod loadpin_trigger: read string section: "
        "string table is empty"
    )
    base = vmlinux()
    lines = said(asks().relocate(Target(base, damaged("broken", base)), LIBBPF)).splitlines()
    assert lines[0] == "failed to load module [loadpin_trigger]'s BTF object #3: -EINVAL"
    assert "target candidate search failed for [" in lines[1]


def test_a_module_with_a_kind_that_the_loader_does_not_know():
    """libbpf 0.8.0 cannot read ENUM64; it says so once it looks into the modules."""
    writer = BtfWriter(base=(base := vmlinux(there=4)))
    layout(writer, "conn", 8)
    writer.add_enum64("wide", values(FAR=1 << 40))
    target = Target(base, (("first", module(base)), ("nf", writer.parsed())))
    lines: list[str] = []
    result = asks().relocate(target, OLD_LIBBPF, debug=lambda _, text: lines.append(text))
    assert "failed to load module [nf]'s BTF object #3: -22" in said(result)
    found = lines.index("failed to load module [nf]'s BTF object #3: -22")
    assert lines[found - 1] == "Unsupported BTF_KIND:19"
    for loader, name in ((OLD_LIBBPF, "there"), (LIBBPF, "conn")):
        assert only(asks(name).relocate(target, loader)).error is None


def test_a_program_that_asks_nothing_is_spared():
    program = ObjectWriter()
    program.function("prog", exit_())
    base = vmlinux()
    result = program.relocate(Target(base, damaged("broken", base)), CILIUM)
    assert only(result).error is None


def test_the_attached_module_is_damaged():
    base = vmlinux()
    target = Target(base, damaged("empty", base), attached={"socket": "loadpin_trigger"})
    assert said(asks().relocate(target, CILIUM_15)) == (
        "apply CO-RE relocations: load kernel module spec: read string section: "
        "string table is empty"
    )


def test_policies_decide_and_not_names():
    base = vmlinux()
    lenient = policy(LIBBPF, broken_modules=policy_of(KERNEL).broken_modules)
    (row,) = relocations(asks().relocate(Target(base, damaged("broken", base)), lenient))
    assert row.new == 8


def test_every_loader_answers_with_modules_about():
    base = vmlinux(conn=4)
    target = Target(base, (("nf", module(base, other=8)),))
    for each in all_policies():
        assert [row.new for row in relocations(asks().relocate(target, each))] == [4]
