"""What maps a loader makes of an object: .maps, maps, sections of globals, .kconfig."""

from __future__ import annotations

import struct

import pytest

from engine.btf.kinds import VOID, SecVar
from engine.core.prepare import prepare
from engine.core.refusal import Refusal
from engine.loaders.loadplan_kconfig import Kconfig, kconfig_of
from engine.loaders.loadplan_maps import (
    ENTRIES,
    STACK_DEPTH,
    MapPlan,
    kernel_name,
    maps_of,
)
from engine.loaders.loadplan_numbers import (
    ATTACH_TYPES,
    F_MMAPABLE,
    F_RDONLY_PROG,
    MAP_TYPES,
    PROGRAM_TYPES,
)
from tests.support.asm import exit_, mov_imm
from tests.support.btf_writer import BtfWriter, member
from tests.support.elf_writer import SHF_ALLOC, SHT_NOBITS
from tests.support.kernel_btf import kernel_btf
from tests.support.relocating import ObjectWriter


def uint(btf: BtfWriter, value: int) -> int:
    """`__uint(name, value)`: a pointer to an array of so many."""
    return btf.add_ptr(btf.add_array(btf.int, btf.int, value))


def map_type(btf: BtfWriter, *, pointers: dict[str, int] | None = None, **uints: int) -> int:
    rows = {name: uint(btf, value) for name, value in uints.items()}
    rows |= {name: btf.add_ptr(behind) for name, behind in (pointers or {}).items()}
    members = [member(name, type_id, 8 * n) for n, (name, type_id) in enumerate(rows.items())]
    return btf.add_struct("", 8 * len(members), members)


def define(btf: BtfWriter, **maps: int) -> None:
    rows = [
        SecVar(btf.add_var(name, type_id), 32 * n, 32)
        for n, (name, type_id) in enumerate(maps.items())
    ]
    btf.add_datasec(".maps", 0, rows)


def planned(writer: ObjectWriter, **more: int) -> dict[str, MapPlan]:
    writer.function("prog", mov_imm(0, 0) + exit_())
    found = maps_of(prepare(writer.object()), Kconfig(), more.get("cpus", 2))
    return {plan.symbol: plan for plan in found}


def test_a_hash_with_types():
    writer = ObjectWriter()
    btf = writer.btf
    value = btf.add_struct("value", 24)
    hashed = map_type(
        btf,
        type=MAP_TYPES["HASH"],
        max_entries=10240,
        map_flags=1,
        pointers={"key": btf.uint, "value": value},
    )
    define(btf, a_rather_long_name=hashed)
    assert planned(writer)["a_rather_long_name"] == MapPlan(
        "a_rather_long_name",
        "a_rather_long_n",
        type=1,
        key_size=4,
        value_size=24,
        max_entries=10240,
        flags=1,
        key_type_id=btf.uint,
        value_type_id=value,
    )


def test_a_perf_event_array_without_a_size_has_room_for_each_cpu():
    writer = ObjectWriter()
    kind = MAP_TYPES["PERF_EVENT_ARRAY"]
    events = map_type(
        writer.btf, type=kind, pointers={"key": writer.btf.uint, "value": writer.btf.uint}
    )
    define(writer.btf, events=events)
    plan = planned(writer, cpus=3)["events"]
    assert (plan.max_entries, plan.key_size, plan.key_type_id) == (3, 4, VOID)


@pytest.mark.parametrize(
    ("asked", "given"), [(4096, 4096), (1, 4096), (5000, 8192), (12288, 16384)]
)
def test_ring_buffers_are_rounded_to_what_the_kernel_takes(asked: int, given: int):
    writer = ObjectWriter()
    define(writer.btf, ring=map_type(writer.btf, type=MAP_TYPES["RINGBUF"], max_entries=asked))
    assert planned(writer)["ring"].max_entries == given


def test_a_map_of_maps_brings_its_inner_map():
    writer = ObjectWriter()
    btf = writer.btf
    inner = map_type(btf, type=MAP_TYPES["ARRAY"], key_size=4, value_size=16, max_entries=7)
    array = btf.add_array(btf.add_ptr(inner), btf.int, 0)
    outer = btf.add_struct(
        "",
        32,
        [
            member("type", uint(btf, MAP_TYPES["HASH_OF_MAPS"]), 0),
            member("max_entries", uint(btf, 5), 8),
            member("key_size", uint(btf, 8), 16),
            member("values", array, 24),
        ],
    )
    define(btf, outer=outer)
    plan = planned(writer)["outer"]
    assert (plan.key_size, plan.value_size) == (8, 4)
    assert plan.inner is not None
    assert (plan.inner.type, plan.inner.value_size, plan.inner.max_entries) == (2, 16, 7)


def test_programs_as_values_need_no_inner_map():
    writer = ObjectWriter()
    btf = writer.btf
    proto = btf.add_func_proto(btf.int)
    outer = btf.add_struct(
        "",
        16,
        [
            member("type", uint(btf, MAP_TYPES["PROG_ARRAY"]), 0),
            member("values", btf.add_array(btf.add_ptr(proto), btf.int, 2), 8),
        ],
    )
    define(btf, jumps=outer)
    plan = planned(writer)["jumps"]
    assert (plan.inner, plan.value_size) == (None, 4)


def test_pinning_is_ignored_and_unknown_attributes_are_refused():
    writer = ObjectWriter()
    define(writer.btf, pinned=map_type(writer.btf, type=1, pinning=1))
    assert planned(writer)["pinned"].type == 1
    other = ObjectWriter()
    define(other.btf, odd=map_type(other.btf, type=1, colour=1))
    with pytest.raises(Refusal, match="unknown field 'colour'"):
        planned(other)


def test_a_map_without_a_type_is_refused():
    writer = ObjectWriter()
    define(writer.btf, odd=map_type(writer.btf, key_size=4))
    with pytest.raises(Refusal, match="map type isn't specified"):
        planned(writer)


def test_definitions_of_the_section_maps():
    writer = ObjectWriter()
    section = writer._elf.section("maps", struct.pack("<5I", 2, 4, 8, 16, 0) * 2, flags=SHF_ALLOC)
    writer._elf.symbol("first", section, value=0, size=20)
    writer._elf.symbol("second", section, value=20, size=20)
    found = planned(writer)
    assert [found[name].value_size for name in ("first", "second")] == [8, 8]
    assert found["second"].max_entries == 16


def test_sections_of_globals_are_arrays_of_one_element():
    writer = ObjectWriter()
    elf, btf = writer._elf, writer.btf
    elf.section(".data", b"\1\2\3\4", flags=SHF_ALLOC)
    elf.section(".rodata", b"\5\6", flags=SHF_ALLOC)
    elf.section(".bss", kind=SHT_NOBITS, flags=SHF_ALLOC, size=40)
    rows = [SecVar(btf.add_var("x", btf.int), 0, 4)]
    datasec = btf.add_datasec(".data", 0, rows)
    found = planned(writer)
    data, rodata, bss = found[".data"], found[".rodata"], found[".bss"]
    assert (data.contents, data.flags, data.value_type_id) == (b"\1\2\3\4", F_MMAPABLE, datasec)
    assert (rodata.contents, rodata.frozen, rodata.flags) == (b"\5\6", True, F_RDONLY_PROG)
    assert (bss.contents, bss.value_size, bss.frozen) == (None, 40, False)


def kconfig_object(btf: BtfWriter) -> None:
    text = btf.add_array(btf.char, btf.int, 12)
    variables = {
        "CONFIG_NAME": text,
        "CONFIG_FLAG": btf.bool,
        "LINUX_KERNEL_VERSION": btf.int,
        "CONFIG_HZ": btf.ulong,
        "CONFIG_LETTER": btf.char,
    }
    rows = [
        SecVar(btf.add_var(name, type_id, 2), 0, 12 if type_id == text else 8)
        for name, type_id in variables.items()
    ]
    btf.add_datasec(".kconfig", 0, rows)


def test_externs_of_kconfig_lie_by_alignment_and_hold_the_guests_values():
    btf = BtfWriter()
    kconfig_object(btf)
    options = {"CONFIG_NAME": '"abc"', "CONFIG_FLAG": "y", "CONFIG_HZ": "250"}
    found = kconfig_of(btf.parsed(), 0x60C75, options | {"CONFIG_LETTER": "m"})
    assert found.offsets == {
        "CONFIG_HZ": 0,
        "LINUX_KERNEL_VERSION": 8,
        "CONFIG_FLAG": 12,
        "CONFIG_LETTER": 13,
        "CONFIG_NAME": 14,
    }
    assert struct.unpack_from("<QI", found.contents) == (250, 0x60C75)
    assert found.contents[12:] == b"\1m" + b"abc".ljust(12, b"\0")
    assert found.unknown == ()


def test_options_of_an_unknown_configuration_are_told():
    btf = BtfWriter()
    kconfig_object(btf)
    found = kconfig_of(btf.parsed(), 0x60C75, {})
    assert "CONFIG_HZ" in found.unknown
    assert "LINUX_KERNEL_VERSION" not in found.unknown


def test_names_as_the_kernel_takes_them():
    assert kernel_name("my-map/with.äll_kinds") == "my_map_with._ll"


@pytest.mark.parametrize(
    ("enum", "prefix", "table"),
    [
        ("bpf_prog_type", "BPF_PROG_TYPE_", PROGRAM_TYPES),
        ("bpf_map_type", "BPF_MAP_TYPE_", MAP_TYPES),
        ("bpf_attach_type", "BPF_", ATTACH_TYPES),
    ],
)
def test_the_numbers_are_those_of_the_newest_kernel(enum: str, prefix: str, table: dict[str, int]):
    btf = kernel_btf("7.3.4+deb13-amd64")
    (type_id,) = btf.ids_named(enum)
    known = {e.name.removeprefix(prefix): e.value for e in btf.type(type_id).enumerators}
    assert {word: known[word] for word in table} == table


@pytest.mark.parametrize(
    ("kind", "given", "sizes"),
    [
        ("HASH", {"key_size": 4, "value_size": 8}, (4, 8, ENTRIES)),
        ("STACK_TRACE", {"key_size": 4}, (4, STACK_DEPTH * 8, ENTRIES)),
        ("STACK_TRACE", {"value_size": 80, "max_entries": 5}, (4, 80, 5)),
        ("RINGBUF", {}, (0, 0, 16_384)),
    ],
)
def test_a_map_without_a_size_gets_a_usual_one_and_says_so(kind, given, sizes):
    writer = ObjectWriter()
    define(writer.btf, m=map_type(writer.btf, type=MAP_TYPES[kind], **given))
    plan = planned(writer)["m"]
    assert (plan.key_size, plan.value_size, plan.max_entries) == sizes
    assert plan.sized


@pytest.mark.parametrize(
    ("kind", "given"),
    [
        ("TASK_STORAGE", {"key_size": 4, "value_size": 8}),
        ("PERF_EVENT_ARRAY", {"key_size": 4, "value_size": 4}),
        ("HASH", {"key_size": 4, "value_size": 8, "max_entries": 1}),
    ],
)
def test_sizes_that_are_given_or_not_wanted_stay(kind, given):
    writer = ObjectWriter()
    define(writer.btf, m=map_type(writer.btf, type=MAP_TYPES[kind], **given))
    plan = planned(writer, cpus=2)["m"]
    assert not plan.sized
    expected = 2 if kind == "PERF_EVENT_ARRAY" else given.get("max_entries", 0)
    assert plan.max_entries == expected
