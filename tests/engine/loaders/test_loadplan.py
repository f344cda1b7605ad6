"""What BPF_PROG_LOAD gets: types and targets by section name, instructions, records, refusals."""

from __future__ import annotations

import struct

import pytest

from engine.btf.kinds import SecVar
from engine.core.candidates import Target
from engine.core.prepare import prepare
from engine.insn.codec import Insn, decode_insns
from engine.loaders import policy_of
from engine.loaders.link import link_object
from engine.loaders.loadplan import Guest, LoadPlan, MapUse, ProgramPlan, plan_object
from tests.support.asm import exit_, ld_imm64, mov_imm
from tests.support.btf_writer import BtfWriter, member
from tests.support.elf_writer import SHF_ALLOC
from tests.support.issue1348 import CILIUM, LIBBPF
from tests.support.issue1348 import program as program_1348
from tests.support.issue1348 import target as target_1348
from tests.support.kernel_btf import USUAL, kernel_btf
from tests.support.relocating import ObjectWriter

R_BPF_64_64 = 1


def plan(writer: ObjectWriter, target: BtfWriter | None = None, loader: str = LIBBPF) -> LoadPlan:
    prepared = prepare(writer.object())
    known = Target(target.parsed() if target else kernel_btf(USUAL))
    policy = policy_of(loader)
    linked = link_object(prepared, known, policy)
    return plan_object(prepared, linked, known, policy, Guest(USUAL, 6 << 16 | 1 << 8))


def only(found: LoadPlan) -> ProgramPlan:
    (program,) = found.programs
    return program


def sectioned(section: str) -> ProgramPlan:
    writer = ObjectWriter()
    writer.function("prog", mov_imm(0, 0) + exit_(), section=section)
    return only(plan(writer))


@pytest.mark.parametrize(
    ("section", "numbers"),
    [
        ("socket", (1, 0, 0)),
        ("kprobe/do_unlinkat", (2, 0, 0)),
        ("kprobe.multi/do_*", (2, 42, 0)),
        ("tracepoint/sched/sched_switch", (5, 0, 0)),
        ("xdp", (6, 37, 0)),
        ("xdp.frags", (6, 37, 32)),
        ("cgroup/connect4", (18, 10, 0)),
        ("uprobe.s/sh:readline", (2, 0, 16)),
        ("syscall", (31, 0, 16)),
        ("?sk_lookup", (30, 36, 0)),
    ],
)
def test_type_attach_type_and_flags_come_from_the_section(
    section: str, numbers: tuple[int, int, int]
):
    made = sectioned(section)
    assert (made.type, made.attach_type, made.flags) == numbers


@pytest.mark.parametrize(
    ("section", "name", "numbers"),
    [
        ("fentry/do_unlinkat", "do_unlinkat", (26, 24)),
        ("fexit/do_unlinkat", "do_unlinkat", (26, 25)),
        ("tp_btf/sched_switch", "btf_trace_sched_switch", (26, 23)),
        ("lsm/file_open", "bpf_lsm_file_open", (29, 27)),
        ("iter/task", "bpf_iter_task", (26, 28)),
    ],
)
def test_attach_targets_are_found_in_the_guests_types(
    section: str, name: str, numbers: tuple[int, int]
):
    made = sectioned(section)
    assert (made.type, made.attach_type) == numbers
    assert kernel_btf(USUAL).name(made.attach_btf_id) == name


@pytest.mark.parametrize(
    ("section", "words"),
    [
        ("fentry/no_such_function", "failed to find kernel BTF type ID of 'no_such_function'"),
        ("fentry", "names nothing to attach to"),
        ("my_own_section", "missing BPF prog type, check ELF section name 'my_own_section'"),
    ],
)
def test_what_the_loader_refuses_is_told_in_its_words(section: str, words: str):
    refusal = sectioned(section).refusal
    assert refusal is not None
    assert words in refusal.text


@pytest.mark.parametrize("section", ["freplace/prog", "struct_ops/init"])
def test_what_the_guest_cannot_do_has_a_reason(section: str):
    made = sectioned(section)
    assert made.unsupported
    assert made.refusal is None


def test_a_big_endian_object_is_not_for_these_guests():
    writer = ObjectWriter(byte_order="big")
    writer.function("prog", mov_imm(0, 0) + exit_())
    prepared = prepare(writer.object())
    target, policy = Target(BtfWriter().parsed("big")), policy_of(LIBBPF)
    found = plan_object(prepared, link_object(prepared, target, policy), target, policy, Guest("6"))
    assert "big-endian" in only(found).unsupported


def test_maps_are_referred_to_by_slot():
    writer = ObjectWriter()
    elf, btf = writer._elf, writer.btf
    array = btf.add_ptr(btf.add_array(btf.int, btf.int, 1))
    definition = btf.add_struct("", 8, [member("type", array, 0)])
    btf.add_datasec(".maps", 0, [SecVar(btf.add_var("m", definition), 0, 8)])
    maps = elf.section(".maps", bytes(8), flags=SHF_ALLOC)
    data = elf.section(".data", bytes(24), flags=SHF_ALLOC)
    symbols = elf.symbol("m", maps, size=8), elf.symbol("x", data, value=16, size=8)
    writer.function("prog", ld_imm64(1, 0) + ld_imm64(2, 0) + mov_imm(0, 0) + exit_())
    code = elf.code("socket")
    for number, symbol in enumerate(symbols):
        elf.relocate(code, 16 * number, symbol, R_BPF_64_64)
    found = plan(writer)
    assert only(found).map_uses == (MapUse(0, "m", False), MapUse(2, ".data", True, 16))
    assert {made.symbol for made in found.maps} == {"m", ".data"}


def test_records_count_slots():
    made = only(plan(program_1348(), target_1348()))
    assert struct.unpack("<II", made.func_info)[0] == 0
    rows = list(struct.iter_unpack("<IIII", made.line_info))
    assert [(row[0], row[3] >> 10) for row in rows] == [(0, 16), (2, 18), (5, 23), (6, 27)]
    assert all(row[1] and row[2] for row in rows)


def test_a_lost_slot_moves_the_records_behind_it():
    made = only(plan(program_1348(), target_1348(), CILIUM))
    slots = [row[0] for row in struct.iter_unpack("<IIII", made.line_info)]
    insns = decode_insns(made.insns, "little")
    assert slots[-1] == 5  # the store behind the call that took two slots' place
    assert insns[3] == Insn(0x85, 0, 0, 0, 0xBAD2310)


def test_an_object_that_the_loader_refuses_gives_each_program_its_words():
    writer = ObjectWriter()
    writer.function("prog", ld_imm64(1, 0) + mov_imm(0, 0) + exit_())
    symbol = writer._elf.symbol("nowhere", 0, kind="notype")
    writer._elf.relocate(writer._elf.code("socket"), 0, symbol, R_BPF_64_64)
    refusal = only(plan(writer)).refusal
    assert refusal is not None
    assert "nowhere" in refusal.text


def with_kconfig(loader: str) -> LoadPlan:
    writer = ObjectWriter()
    writer.function("prog", mov_imm(0, 0) + exit_())
    version = writer.btf.add_var("LINUX_KERNEL_VERSION", writer.btf.int, 2)
    writer.btf.add_datasec(".kconfig", 0, [SecVar(version, 0, 4)])
    return plan(writer, loader=loader)


def test_aya_refuses_objects_that_ask_for_the_kernels_configuration():
    refusal = only(with_kconfig("aya@0.14.0")).refusal
    assert refusal is not None
    assert refusal.text == "BTF error: Unable to determine the size of section `.kconfig`"
    assert all(only(with_kconfig(loader)).insns for loader in (LIBBPF, CILIUM))
