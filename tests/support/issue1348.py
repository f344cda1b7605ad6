"""cilium/ebpf issue 1348 in memory: a guarded enumerator that the target lacks."""

from __future__ import annotations

from app.services.analyse import run_loader
from app.services.analysis import Run
from engine.core.kinds import CoreReloKind
from engine.core.prepare import prepare
from tests.support.asm import exit_, jmp, ld_imm64, mov_imm, stx
from tests.support.btf_writer import BtfWriter, values
from tests.support.relocating import ObjectWriter, relo

KERNEL = "6.1.0-56-amd64"
MISSING = "cpuset_cgrp_id_lublub"
CILIUM, LIBBPF, FIXED = "cilium@0.13.0", "libbpf@1.7.0", "cilium@0.13.1"


def target(**enumerators: int) -> BtfWriter:
    """A kernel whose enum has these enumerators and a first one of its own."""
    btf = BtfWriter()
    btf.add_enum("cgroup_subsys_id", values(cpuset_cgrp_id=0, **enumerators))
    return btf


def program(name: str = "prog", missing: str = MISSING) -> ObjectWriter:
    """The program of the issue, slot by slot as clang makes it for -mcpu=v2."""
    writer = ObjectWriter()
    enum = writer.btf.add_enum("cgroup_subsys_id", values(**{missing: 1}))
    code = (
        ld_imm64(1, 1)
        + jmp("==", 1, 0, 3)
        + ld_imm64(1, 1)
        + stx(4, 10, -4, 1)
        + mov_imm(0, 0)
        + exit_()
    )
    writer.function(
        name,
        code,
        relo(enum, "0", CoreReloKind.ENUMVAL_EXISTS, 0),
        relo(enum, "0", CoreReloKind.ENUMVAL_VALUE, 3),
    )
    for slot, text, number in (
        (0, "int prog(void *ctx)", 16),
        (2, "if (bpf_core_enum_value_exists(", 18),
        (5, "val = bpf_core_enum_value(", 23),
        (6, "return 0;", 27),
    ):
        writer.line(slot, text, number)
    return writer


def run(loader: str, writer: ObjectWriter | None = None, btf: BtfWriter | None = None) -> Run:
    """One loader's run of the program, jumps checked and judged."""
    prepared = prepare((writer or program()).object())
    return run_loader(prepared, KERNEL, loader, lambda _: (btf or target()).parsed())
