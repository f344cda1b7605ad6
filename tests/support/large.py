"""Large objects in memory: a long program that loses slots, and an object with many programs."""

from __future__ import annotations

from engine.core.kinds import CoreReloKind
from tests.support.asm import Code, exit_, jmp, ld_imm64, mov_imm, stx
from tests.support.btf_writer import values
from tests.support.relocating import ObjectWriter, Wanted, relo

MISSING = "nowhere_cgrp_id"
CHUNK = 40
"""Slots between two guarded enumerators of a long program."""


def _guarded(slot: int, enum: int) -> tuple[Code, list[Wanted]]:
    """The program of issue 1348 without its end: eight slots, two records."""
    code = ld_imm64(1, 1) + jmp("==", 1, 0, 3) + ld_imm64(1, 1) + stx(4, 10, -4, 1) + mov_imm(0, 0)
    wanted = [
        relo(enum, "0", CoreReloKind.ENUMVAL_EXISTS, slot),
        relo(enum, "0", CoreReloKind.ENUMVAL_VALUE, slot + 3),
    ]
    return code, wanted


def long_program(slots: int = 5_000) -> bytes:
    """One program of at least `slots` slots, each CHUNK of them with a guarded enumerator."""
    writer = ObjectWriter()
    enum = writer.btf.add_enum("cgroup_subsys_id", values(**{MISSING: 1}))
    parts: list[Code] = [mov_imm(0, 0)]
    records: list[Wanted] = []
    at = 1
    while at < slots:
        code, wanted = _guarded(at, enum)
        filler = sum((mov_imm(n % 6, n) for n in range(CHUNK - len(code))), ())
        parts += [code, filler]
        records += wanted
        at += CHUNK
    parts += [mov_imm(0, 0), exit_()]
    writer.function("prog", sum(parts, ()), *records, section="kprobe/do_sys_open")
    return writer.build()


def many_programs(number: int = 60) -> bytes:
    """An object of `number` programs; every tenth asks for an enumerator that no kernel has."""
    writer = ObjectWriter()
    enum = writer.btf.add_enum("cgroup_subsys_id", values(**{MISSING: 1}))
    for at in range(number):
        section = f"kprobe/place_{at}"
        if at % 10 == 9:
            code = ld_imm64(1, 1) + mov_imm(0, at) + exit_()
            wanted = [relo(enum, "0", CoreReloKind.ENUMVAL_VALUE, 0)]
        else:
            code, wanted = mov_imm(0, at) + exit_(), []
        writer.function(f"program_{at}", code, *wanted, section=section)
    return writer.build()
