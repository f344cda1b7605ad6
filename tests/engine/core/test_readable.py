"""Objects that a loader refuses to read: names of sections, bindings of symbols, externs.

What is refused is what the real loaders refused when `./run conformance` asked them.
"""

from __future__ import annotations

import pytest

from engine.btf.kinds import Enumerator, SecVar
from engine.core.candidates import Target
from engine.core.prepare import prepare
from engine.core.readable import unreadable
from engine.elf.object import parse_object
from engine.loaders import policy_of
from tests.support.asm import call, exit_, ld_imm64, ldx
from tests.support.btf_writer import BtfWriter, member
from tests.support.elf_writer import SHF_ALLOC, SHF_WRITE, ElfWriter
from tests.support.relocating import AYA, CILIUM, LIBBPF, ObjectWriter, relo, said

R_64, R_CALL = 1, 10


def refused(writer: ElfWriter, loader: str, btf: BtfWriter | None = None) -> str | None:
    """Give the words with which the loader refuses the object, None where it reads it."""
    if btf is not None:
        writer.section(".BTF", btf.encode("little"))
    prepared = prepare(parse_object(writer.build()))
    error = unreadable(prepared, Target(BtfWriter().parsed()), policy_of(loader))
    return error and error.text


def referring(section: str, *, bind: str = "global", kind: str = "object") -> ElfWriter:
    """An object whose program loads the address of a symbol in `section`."""
    writer = ElfWriter()
    writer.function("prog", "socket", ld_imm64(1, 0) + exit_())
    place = writer.section(section, bytes(16), flags=SHF_ALLOC | SHF_WRITE)
    symbol = writer.symbol("thing", place, size=16, bind=bind, kind=kind)
    writer.relocate(1, 0, symbol, R_64)
    return writer


@pytest.mark.parametrize(
    ("section", "taken"),
    [
        ("kprobe/do_exit", True),
        ("kprobe", True),
        ("xdp", True),
        ("xdp/cpumap", True),
        ("xdp/mine", False),
        ("cgroup/bind4", True),
        ("cgroup/bind5", False),
        ("cgroup", False),
        ("usdt", False),
        ("?kprobe/do_exit", False),
    ],
)
def test_aya_reads_sections_that_it_knows(section, taken):
    writer = ElfWriter()
    writer.function("prog", section, exit_())
    words = refused(writer, AYA)
    assert (words is None) is taken
    assert taken or words == f"invalid program section `{section}`"
    assert refused(writer, LIBBPF) is None


@pytest.mark.parametrize("bind", ["weak", "local"])
def test_cilium_takes_global_maps_only(bind):
    assert refused(referring(".maps"), CILIUM) is None
    assert f"thing: unsupported binding: STB_{bind.upper()}" in str(
        refused(referring(".maps", bind=bind), CILIUM)
    )
    assert refused(referring(".maps", bind=bind), LIBBPF) is None


@pytest.mark.parametrize(
    ("loader", "section", "bind", "taken"),
    [
        ("cilium@0.15.0", ".data", "weak", False),
        ("cilium@0.22.0", ".data", "weak", True),
        ("cilium@0.15.0", ".data.mine", "global", False),
        ("cilium@0.22.0", ".data.mine", "global", True),
        ("cilium@0.9.1", ".rodata.str1.1", "local", True),
        ("cilium@0.22.0", ".other", "global", False),
    ],
)
def test_cilium_follows_variables_by_version(loader, section, bind, taken):
    assert (refused(referring(section, bind=bind), loader) is None) is taken


def test_a_section_symbol_is_local_by_nature():
    writer = referring(".rodata", bind="local", kind="section")
    assert refused(writer, CILIUM) is None


@pytest.mark.parametrize(("loader", "taken"), [("cilium@0.15.0", False), (CILIUM, True)])
def test_calls_of_weak_functions_came_late_to_cilium(loader, taken):
    writer = ElfWriter()
    writer.function("prog", "socket", call(-1) + exit_())
    writer.relocate(1, 0, writer.function("sub", ".text", exit_(), bind="weak"), R_CALL)
    assert (refused(writer, loader) is None) is taken


def test_struct_ops_without_links_are_refused():
    writer = ElfWriter()
    writer.function("prog", "socket", exit_())
    writer.section(".struct_ops", bytes(8), flags=SHF_ALLOC | SHF_WRITE)
    assert refused(writer, CILIUM) == "section '.struct_ops': not supported"
    assert refused(writer, "cilium@0.15.0") is None


def externs(section: str, type_name: str) -> BtfWriter:
    btf = BtfWriter()
    pointed = {"void": 0, "int": btf.int}[type_name]
    variable = btf.add_var("LINUX_KERNEL_VERSION", pointed, 2)
    btf.add_datasec(section, 0, (SecVar(variable, 0, 4),))
    return btf


@pytest.mark.parametrize(
    ("section", "type_name", "readers"),
    [
        (".kconfig", "int", {"cilium@0.12.3", CILIUM, AYA, LIBBPF}),
        (".ksyms", "int", {AYA, LIBBPF}),
        (".ksyms", "void", {CILIUM, AYA, LIBBPF}),
        (".data", "int", {"cilium@0.9.1", "cilium@0.12.3", CILIUM, AYA, LIBBPF}),
    ],
)
def test_who_reads_externs(section, type_name, readers):
    for loader in ("cilium@0.9.1", "cilium@0.12.3", CILIUM, AYA, LIBBPF):
        writer = ElfWriter()
        writer.function("prog", "socket", exit_())
        words = refused(writer, loader, externs(section, type_name))
        assert (words is None) is (loader in readers), loader
        assert words in (None, f"load BTF: reference to {section}: not supported")


def with_enum64() -> ObjectWriter:
    program = ObjectWriter()
    program.btf.add_enum64("big", (Enumerator("A", 1 << 40),))
    root = program.btf.add_struct("s", 4, [member("f", program.btf.int, 0)])
    program.function("prog", ldx(4, 0, 1, 0) + exit_(), relo(root, "0:0", 0))
    return program


@pytest.mark.parametrize("loader", ["libbpf@0.8.0", LIBBPF])
def test_old_libbpf_leaves_an_object_alone_whose_types_it_cannot_read(loader):
    target = BtfWriter()
    target.add_struct("s", 8, [member("f", target.int, 4)])
    (function,) = with_enum64().relocate(target, loader).functions
    assert function.after is not None
    assert function.after[0].off == (4 if loader == LIBBPF else 0)


def test_old_libbpf_reads_the_target_only_when_something_needs_it():
    target = BtfWriter()
    target.add_enum64("big", (Enumerator("A", 1 << 40),))
    target.add_struct("s", 4, [member("f", target.int, 0)])
    bare, relocated = ObjectWriter(), ObjectWriter()
    bare.function("prog", exit_())
    root = relocated.btf.add_struct("s", 4, [member("f", relocated.btf.int, 0)])
    relocated.function("prog", ldx(4, 0, 1, 0) + exit_(), relo(root, "0:0", 0))
    assert bare.relocate(target, "libbpf@0.8.0").error is None
    lines: list[tuple[str, str]] = []
    result = relocated.relocate(
        target, "libbpf@0.8.0", debug=lambda level, text: lines.append((level, text))
    )
    assert said(result) == "failed to parse target BTF: -22"
    assert lines == [("debug", "Unsupported BTF_KIND:19"), ("warning", said(result))]
    words = said(bare.relocate(target, "cilium@0.9.1"))
    assert words == "can't read types: type id 8: unknown kind: Unknown (19)"
