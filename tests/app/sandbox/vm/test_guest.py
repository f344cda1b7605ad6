"""What real verifiers answer: verdicts, logs, maps, test runs, on the oldest to the newest."""

from __future__ import annotations

import struct

import pytest

from app.sandbox.vm.protocol import (
    GuestMap,
    MapEntry,
    Relocation,
    RelocationKind,
    Step,
)
from app.sandbox.vm.protocol import (
    TestRun as RunOn,
)
from engine.insn.codec import encode_insns
from tests.support.asm import alu_imm, call, exit_, jmp, ld_imm64, ldx, mov, mov_imm, stx
from tests.support.guests import (
    ARRAY,
    ARRAY_OF_MAPS,
    HASH,
    PERCPU_ARRAY,
    PROG_ARRAY,
    RINGBUF,
    SERIES,
    program,
    request,
)

pytestmark = pytest.mark.vm

PACKET = bytes(64)
EINVAL, EACCES, ENOSPC, EINTR, EBADF = 22, 13, 28, 4, 9
ADD_UP = (
    mov_imm(0, 0)
    + mov_imm(1, 1)
    + sum((alu_imm("+", 0, number) for number in range(1, 41)), ())
    + exit_()
)
ENDLESS = mov_imm(0, 0) + sum((alu_imm("+", 0, 1) for _ in range(2000)), ()) + exit_()
POISON = (*call(195896080), *exit_())


def value_of(slot_map: int, dst: int = 1) -> tuple:
    return ld_imm64(dst, slot_map)


@pytest.mark.parametrize("series", SERIES)
def test_a_program_that_loads_and_one_that_does_not(ask, series):
    answer = ask(
        request(
            program(ADD_UP, log_level=2, translated=True, jited=True, test_run=RunOn(PACKET)),
            program(POISON, "poison", log_level=1),
        ),
        series=series,
    )
    good, bad = answer.programs
    assert (good.step, good.errno, good.log_truncated) == (Step.DONE, 0, False)
    assert good.verified_instructions == 43
    assert good.peak_states is not None
    assert good.total_states is not None
    assert b"43: " not in good.log
    assert b"exit" in good.log
    assert good.translated == encode_insns(ADD_UP, "little")
    assert len(good.jited) > 40
    assert good.nanoseconds > 0
    assert answer.test_runs[0].retval == sum(range(1, 41))
    assert (bad.step, bad.errno) == (Step.LOAD, EINVAL)
    assert b"invalid func unknown#195896080" in bad.summary
    assert b"invalid func unknown#195896080" in bad.log
    assert answer.test_runs[1] is None


@pytest.mark.parametrize("series", SERIES)
def test_libbpf_s_poison_loads_where_nothing_reaches_it_and_cilium_s_does_not(ask, series):
    """The heart of cilium/ebpf issue 1348: a two-slot load that one call replaces."""
    guard = ld_imm64(1, 0) + jmp("==", 1, 0, +2)
    libbpf = guard + call(195896080) * 2 + mov_imm(0, 0) + exit_()
    cilium = guard + call(195896080) + mov_imm(0, 0) + exit_()
    fine, broken = ask(request(program(libbpf), program(cilium)), series=series).programs
    assert fine.loaded
    assert (broken.step, broken.errno) == (Step.LOAD, EACCES)
    assert b"R0 !read_ok" in broken.summary


def test_a_log_that_overflows_is_truncated_and_no_refusal(ask):
    (answer,) = ask(request(program(ADD_UP, log_level=2, log_bytes=256))).programs
    assert answer.loaded
    assert answer.log_truncated
    assert 0 < len(answer.log) <= 256


def test_maps_of_many_kinds_hold_what_they_are_given(ask):
    word = struct.Struct("<Q").pack
    maps = (
        GuestMap("hash", HASH, 4, 8, 4, entries=(MapEntry(b"\1\0\0\0", word(7)),)),
        GuestMap("percpu", PERCPU_ARRAY, 4, 12, 1, entries=(MapEntry(bytes(4), b"x" * 12),)),
        GuestMap("ring", RINGBUF, 0, 0, 4096),
        GuestMap(
            ".rodata", ARRAY, 4, 8, 1, 1 << 7, entries=(MapEntry(bytes(4), word(9)),), frozen=True
        ),
        GuestMap("outer", ARRAY_OF_MAPS, 4, 4, 1, inner=0, entries=(MapEntry(bytes(4), b"", 0),)),
        GuestMap("tail", PROG_ARRAY, 4, 4, 2, entries=(MapEntry(b"\1\0\0\0", b"", 0),)),
    )
    read = (b"\1\0\0\0", b"\2\0\0\0")
    maps = (*(m if m.name != "hash" else _reading(m, read) for m in maps),)
    code = value_of(0) + ldx(8, 0, 1, 0) + exit_()
    use = Relocation(0, RelocationKind.MAP_VALUE, 3)
    answer = ask(request(program(code, relocations=(use,), test_run=RunOn(PACKET)), maps=maps))
    assert [(m.step, m.errno) for m in answer.maps] == [(Step.DONE, 0)] * 6
    assert answer.maps[0].values == (word(7), None)
    assert answer.test_runs[0].retval == 9


def _reading(map_: GuestMap, keys: tuple[bytes, ...]) -> GuestMap:
    return GuestMap(map_.name, *_numbers(map_), entries=map_.entries, read_back=keys)


def _numbers(map_: GuestMap) -> tuple[int, ...]:
    return (map_.type, map_.key_size, map_.value_size, map_.max_entries)


def test_what_a_program_writes_is_read_back(ask):
    counter = GuestMap(".bss", ARRAY, 4, 16, 1, read_back=(bytes(4),))
    code = value_of(0) + mov_imm(2, 77) + stx(8, 1, 0, 2) + mov_imm(0, 0) + exit_()
    use = Relocation(0, RelocationKind.MAP_VALUE, 0, offset=8)
    run = RunOn(PACKET, data_out=64)
    answer = ask(request(program(code, relocations=(use,), test_run=run), maps=(counter,)))
    assert answer.maps[0].values == (bytes(8) + struct.pack("<Q", 77),)
    assert answer.test_runs[0].data == PACKET


def test_maps_that_cannot_be_made_are_told_apart(ask):
    huge = GuestMap("huge", HASH, 4, 8, 1 << 31)
    short = GuestMap("short", ARRAY, 4, 8, 1, entries=(MapEntry(bytes(4), b"abc"),))
    lost = GuestMap("lost", ARRAY_OF_MAPS, 4, 4, 1, inner=0)
    code = value_of(0) + mov(0, 1) + mov_imm(0, 0) + exit_()
    use = Relocation(0, RelocationKind.MAP, 0)
    answer = ask(request(program(code, relocations=(use,)), maps=(huge, short, lost)))
    assert [m.step for m in answer.maps] == [Step.CREATE, Step.UPDATE, Step.INNER]
    assert answer.maps[0].errno in (7, 12, 22)  # E2BIG, ENOMEM, EINVAL
    assert (answer.maps[1].errno, answer.maps[1].entry) == (EINVAL, 0)
    assert (answer.programs[0].step, answer.programs[0].errno) == (Step.INNER, EBADF)


def test_broken_btf_is_told_and_programs_are_loaded_without_it(ask):
    answer = ask(request(program(), btf=b"\x9f\xeb\x01\x00" + bytes(20)))
    assert answer.btf.errno == EINVAL
    assert answer.programs[0].loaded


def test_a_test_run_without_end_is_interrupted(ask):
    run = RunOn(PACKET, repeat=1 << 30)
    answer = ask(request(program(ENDLESS, test_run=run)))
    assert answer.test_runs[0].errno == EINTR


def test_names_that_the_kernel_would_refuse(ask):
    answer = ask(request(program(name="a-very/strange name \N{SNOWMAN}")))
    assert answer.programs[0].loaded
