"""Control flow: programs of 1,000 to 8,000 instructions, poison in them, one loader and kernel.

And everything that is said about one real object: graphs, verdicts, lint, explanations.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path

from bench.figures import Figure, Skipped, milliseconds, yardstick
from engine.core.candidates import Target
from engine.core.kinds import CoreReloKind
from engine.core.patch import POISON_CALL
from engine.core.prepare import PreparedObject, prepare
from engine.core.relocate import relocate_object
from engine.elf.object import parse_object
from engine.explain.fixes import fixes
from engine.explain.story import tell
from engine.flow.cfg import build_cfg
from engine.flow.code import stream_code
from engine.flow.reach import explore
from engine.flow.verdict import judge_object
from engine.flow.verifier import verifier_of
from engine.insn.codec import Insn
from engine.kernels.catalog import Catalog
from engine.lint.examine import examine
from engine.lint.scene import Kernel
from engine.loaders import policy_of
from engine.loaders.link import link_object
from tests.support.btf_writer import BtfWriter, member, values
from tests.support.libbpf_tools import objects
from tests.support.relocating import ObjectWriter, Wanted, relo

KERNEL = "6.1.0-56-amd64"
LOADER = "libbpf@1.7.0"
SIZES = (1000, 2000, 4000, 5000, 8000)
GUARDED = (
    Insn(0x85, 0, 0, 0, 7),  # r0 = bpf_get_prandom_u32()
    Insn(0xBF, 6, 0, 0, 0),  # r6 = r0
    Insn(0x7B, 10, 6, -16, 0),  # *(u64 *)(r10 - 16) = r6
    Insn(0x25, 6, 0, 2, 5),  # if r6 > 5 goto +2
    Insn(0x07, 6, 0, 0, 3),  # r6 += 3
    Insn(0x63, 10, 6, -24, 0),  # *(u32 *)(r10 - 24) = r6
    Insn(0x18, 1, 0, 0, 0),  # r1 = 0 ll
    Insn(0, 0, 0, 0, 0),
    Insn(0x15, 1, 0, 1, 0),  # if r1 == 0 goto +1
    POISON_CALL,
    Insn(0x79, 2, 10, -16, 0),  # r2 = *(u64 *)(r10 - 16)
    Insn(0x57, 2, 0, 0, 255),  # r2 &= 255
    Insn(0xBF, 7, 2, 0, 0),  # r7 = r2
    Insn(0x0F, 7, 6, 0, 0),  # r7 += r6
    Insn(0xB7, 3, 0, 0, 4),  # r3 = 4
    Insn(0x27, 3, 0, 0, 5),  # r3 *= 5
)
UNGUARDED = (*GUARDED[:9], Insn(0xB7, 5, 0, 0, 1), *GUARDED[10:])
END = (Insn(0xB7, 0, 0, 0, 0), Insn(0x95, 0, 0, 0, 0))


def measure() -> Iterator[Figure]:
    """Give the time for each size, how it grows, and that of a real object."""
    spent = {}
    reference = milliseconds(yardstick, times=10)
    for size in SIZES:
        insns = GUARDED * (size // len(GUARDED)) + END
        assert explore(stream_code(insns), verifier_of(KERNEL)).worst == "no"
        spent[size] = milliseconds(lambda code=insns: _whole(code), times=5)
        yield Figure(
            f"graph and reachability, {size:,} slots",
            spent[size],
            "ms",
            300 * size / 5000,
            reference,
            "100,000 squares in plain Python",
        )
    yield _growth("time per slot, 8,000 to 1,000", spent)
    yield from _whole_analysis(reference)
    yield from _execsnoop(reference)


def _growth(name: str, spent: Mapping[int, float]) -> Figure:
    growth = (spent[8000] / 8000) / (spent[1000] / 1000)
    return Figure(name, growth, "x", 2.0, 1.0, "no growth")


def _whole_analysis(reference: float) -> Iterator[Figure]:
    """Verdicts, lint and explanations of a program in which each tenth slot has a record."""
    btf = BtfWriter()
    btf.add_enum("numbers", values(there=0))
    btf.add_struct("thing", 16, [member("there", btf.long, 8)])
    kernel = Kernel("own", KERNEL, Target(btf.parsed()))
    spent = {}
    for size in SIZES:
        made = prepare(relocated_program(size).object())
        spent[size] = milliseconds(lambda given=made: _full(given, kernel), times=3)
        yield Figure(
            f"full analysis, {size:,} slots",
            spent[size],
            "ms",
            300 * size / 5000,
            reference,
            "100,000 squares in plain Python",
        )
    yield _growth("full analysis: time per slot, 8,000 to 1,000", spent)


def relocated_program(size: int) -> ObjectWriter:
    """A program of about `size` slots: guarded values that the kernel lacks, fields that move.

    There is a record for each 17 slots, twice as many as in Debian's libbpf-tools.
    """
    writer = ObjectWriter()
    enum = writer.btf.add_enum("numbers", values(there=0, absent=1))
    struct = writer.btf.add_struct("thing", 8, [member("there", writer.btf.long, 0)])
    code: tuple[Insn, ...] = (Insn(0xBF, 8, 1, 0, 0),)  # r8 = r1
    relos: list[Wanted] = []
    while len(code) + 4 * len(GUARDED) < size:
        start = len(code)
        code += (*GUARDED[:9], Insn(0x18, 1, 0, 0, 1), Insn(0, 0, 0, 0, 0), *GUARDED[10:])
        code += (Insn(0x79, 4, 8, 0, 0),)  # r4 = *(u64 *)(r8 + 0)
        code = (*code[: start + 6], Insn(0x18, 1, 0, 0, 1), *code[start + 7 :])
        code = (*code[: start + 8], Insn(0x15, 1, 0, 2, 0), *code[start + 9 :])
        relos += [
            relo(enum, "1", CoreReloKind.ENUMVAL_EXISTS, start + 6),
            relo(enum, "1", CoreReloKind.ENUMVAL_VALUE, start + 9),
            relo(struct, "0:0", CoreReloKind.FIELD_BYTE_OFFSET, start + 17),
        ]
        for slot, text in ((0, "if (absent)"), (9, "value = absent"), (17, "thing->there")):
            writer.line(start + slot, text, len(relos) + slot, section="kprobe/f")
        code += UNGUARDED * 2
    writer.function("prog", code + END, *relos, section="kprobe/f")
    return writer


def _whole(insns: tuple[Insn, ...]) -> None:
    build_cfg(insns)
    explore(stream_code(insns), verifier_of(KERNEL))


def _execsnoop(reference: float) -> Iterator[Figure]:
    found = objects().get("execsnoop")
    if found is None:
        raise Skipped("the package libbpf-tools is not installed")
    prepared = prepare(parse_object(found))
    with tempfile.TemporaryDirectory() as name:
        btf = Catalog(Path(name), Path(name) / "cache").btf(KERNEL)
        kernel = Kernel(KERNEL, KERNEL, Target(btf))
        linked = link_object(prepared, kernel.target, policy_of(LOADER))

        def graphs() -> None:
            for function in prepared.functions:
                build_cfg(function.insns)
            judge_object(prepared, linked, KERNEL)

        for what, work, bound in (
            ("graphs and verdicts of execsnoop", graphs, 15.0),
            ("full analysis of execsnoop", lambda: _full(prepared, kernel), 15.0),
        ):
            spent = milliseconds(work, times=10, warm=3)
            yield Figure(what, spent, "ms", bound, reference, "100,000 squares in plain Python")


def _full(prepared: PreparedObject, kernel: Kernel) -> None:
    """Graphs, verdicts and findings of each program, story and C of each relocation."""
    policy = policy_of(LOADER)
    for function in prepared.functions:
        build_cfg(function.insns)
    reports = examine(prepared, [kernel], [policy])
    assert all(report.verdict.kind != "refused" for report in reports)
    for result in relocate_object(prepared, kernel.target, policy).functions:
        for relocation in result.relocations:
            tell(relocation, prepared, kernel.target, policy, result)
            fixes(relocation, prepared, kernel.target, policy, result)
