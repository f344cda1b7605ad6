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
from engine.elf.sections import SHF_STRINGS
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


STATIC_MAP = 'possible erroneous static qualifier on map definition: found reference to "thing"'


@pytest.mark.parametrize(
    ("loader", "bind", "words"),
    [
        (CILIUM, "local", f"offset 0 in section socket: relocating instruction: {STATIC_MAP}"),
        ("cilium@0.19.0", "local", f"offset 0: relocating instruction: {STATIC_MAP}"),
        ("cilium@0.19.0", "weak", 'map "thing": unsupported binding: STB_WEAK'),
        ("cilium@0.12.3", "weak", 'map "thing": unsupported relocation STB_WEAK'),
        ("cilium@0.9.1", "weak", STATIC_MAP),
    ],
)
def test_cilium_takes_global_maps_only(loader, bind, words):
    assert refused(referring(".maps"), loader) is None
    assert str(refused(referring(".maps", bind=bind), loader)).endswith(words)
    assert refused(referring(".maps", bind=bind), LIBBPF) is None


@pytest.mark.parametrize(
    ("loader", "words"),
    [
        ("cilium@0.15.0", "direct load: thing: unsupported binding: STB_WEAK"),
        ("cilium@0.12.3", "direct load: thing: unsupported object relocation STB_WEAK"),
    ],
)
def test_words_about_weak_variables(loader, words):
    assert str(refused(referring(".data", bind="weak"), loader)).endswith(words)


def test_old_cilium_refuses_sections_of_strings():
    writer = ElfWriter()
    writer.function("prog", "socket", ld_imm64(1, 0) + exit_())
    strings = writer.section(".rodata.str1.1", b"text\0", flags=SHF_ALLOC | SHF_STRINGS)
    writer.relocate(1, 0, writer.symbol("", strings, bind="local", kind="section"), R_64)
    words = 'load relocations: section "socket": string is not stack allocated: not supported'
    assert refused(writer, "cilium@0.9.1") == words
    assert refused(writer, "cilium@0.12.3") is None


def test_libbpf_refuses_legacy_maps_since_v1():
    writer = referring("maps")
    words = "elf: legacy map definitions in 'maps' section are not supported by libbpf v1.0+"
    assert refused(writer, LIBBPF) == refused(writer, "libbpf@1.1.2") == words
    assert refused(writer, "libbpf@0.8.0") is None
    assert refused(writer, CILIUM) == "load maps: map thing: missing flags"


def test_libbpf_refuses_static_programs():
    writer = ElfWriter()
    writer.function("entry", "socket", exit_())
    writer.function("lone", "socket", exit_(), bind="local")
    for loader in (LIBBPF, "libbpf@0.8.0"):
        words = "sec 'socket': program 'lone' is static and not supported"
        assert refused(writer, loader) == words
    assert refused(writer, CILIUM) is None


@pytest.mark.parametrize(
    ("linkage", "section", "words"),
    [
        (2, ".kconfig", None),
        (2, ".ksyms", None),
        (2, ".mine", "unrecognized extern section '.mine'"),
        (2, "", "failed to find BTF for extern 'outside' [8] section: -2"),
        (1, ".ksyms", "failed to find BTF for extern 'outside': -22"),
        (0, "", "failed to find BTF for extern 'outside': -2"),
    ],
)
def test_libbpf_wants_btf_of_externs(linkage, section, words):
    writer, btf = ElfWriter(), BtfWriter()
    writer.function("prog", "socket", exit_())
    writer.symbol("outside", 0, kind="notype")
    if linkage:
        variable = btf.add_var("outside", btf.int, linkage)
        if section:
            btf.add_datasec(section, 0, (SecVar(variable, 0, 4),))
    assert refused(writer, LIBBPF, btf) == words


def test_libbpf_wants_btf_where_there_are_externs():
    writer = ElfWriter()
    writer.function("prog", "socket", exit_())
    writer.symbol("outside", 0, kind="notype")
    assert refused(writer, LIBBPF) == "failed to find BTF for extern 'outside': -3"


def map_object(field: str, *, data: bytes = bytes(8), typedef: bool = False) -> ElfWriter:
    """An object with one map, whose definition has `type` and another field."""
    writer, btf = ElfWriter(), BtfWriter()
    writer.function("prog", "socket", exit_())
    place = writer.section(".maps", data, flags=SHF_ALLOC | SHF_WRITE)
    writer.symbol("table", place, size=len(data))
    pointer = btf.add_ptr(btf.int)
    found = btf.add_struct("", 16, [member("type", pointer, 0), member(field, pointer, 64)])
    variable = btf.add_var("table", btf.add_typedef("table_t", found) if typedef else found, 1)
    btf.add_datasec(".maps", len(data), (SecVar(variable, 0, len(data)),))
    writer.section(".BTF", btf.encode("little"))
    return writer


UNKNOWN = "load BTF maps: map table: unrecognized field {} in BTF map definition"
EXTRA = "load BTF maps: map table: BTF map definition: field map_extra: not supported"


@pytest.mark.parametrize(
    ("loader", "field", "words"),
    [
        (CILIUM, "map_extra", None),
        ("cilium@0.19.0", "map_extra", EXTRA),
        ("cilium@0.15.0", "map_extra", UNKNOWN.format("map_extra")),
        (CILIUM, "colour", UNKNOWN.format("colour")),
        (CILIUM, "max_entries", None),
        (LIBBPF, "colour", None),
    ],
)
def test_fields_of_map_definitions(loader, field, words):
    assert refused(map_object(field), loader) == words


def test_other_faults_of_map_definitions():
    words = "load BTF maps: section .maps: map table: initializing BTF map definitions: not"
    given = refused(map_object("key", data=bytes(7) + b"\1"), CILIUM)
    assert given == f"{words} supported"
    assert refused(map_object("key", typedef=True), CILIUM) is None
    words = 'load BTF maps: expected struct, got Typedef:"table_t"'
    assert refused(map_object("key", typedef=True), "cilium@0.9.1") == words


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


@pytest.mark.parametrize(
    ("name", "bind", "words"),
    [
        ("CONFIG_HZ", "global", None),
        ("CONFIG_HZ", "weak", "asm relocation: CONFIG_HZ: unsupported binding: STB_WEAK"),
        ("OTHER", "global", "kconfig OTHER not found in .kconfig"),
        ("KSYM", "weak", None),
    ],
)
def test_cilium_takes_loads_of_externs_for_kconfig(name, bind, words):
    writer, btf = ElfWriter(), BtfWriter()
    writer.function("prog", "socket", ld_imm64(1, 0) + exit_())
    writer.relocate(1, 0, writer.symbol(name, 0, bind=bind, kind="notype"), R_64)
    setting, symbol = btf.add_var("CONFIG_HZ", btf.int, 2), btf.add_var("KSYM", 0, 2)
    btf.add_datasec(".kconfig", 4, (SecVar(setting, 0, 4),))
    btf.add_datasec(".ksyms", 0, (SecVar(symbol, 0, 0),))
    given = refused(writer, "cilium@0.19.0", btf)
    assert (given or "").endswith(words or "")
    assert (given is None) is (words is None)


def test_struct_ops_without_links_are_refused():
    writer = ElfWriter()
    writer.function("prog", "socket", exit_())
    writer.section(".struct_ops", bytes(8), flags=SHF_ALLOC | SHF_WRITE)
    assert (
        refused(writer, CILIUM)
        == "section \".struct_ops\": got '.struct_ops' section: not supported"
    )
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
