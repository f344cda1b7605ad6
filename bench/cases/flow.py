"""Control flow: programs of 1,000 to 8,000 instructions, poison in them, one loader and kernel.

And everything that is said about one real object: graphs, verdicts, lint, explanations.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

from bench.figures import Figure, Skipped, milliseconds, yardstick
from engine.core.candidates import Target
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
from tests.support.libbpf_tools import objects

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
    growth = (spent[8000] / 8000) / (spent[1000] / 1000)
    yield Figure("time per slot, 8,000 to 1,000", growth, "x", 2.0, 1.0, "no growth")
    yield from _execsnoop(reference)


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
    assert examine(prepared, [kernel], [policy])
    for result in relocate_object(prepared, kernel.target, policy).functions:
        for relocation in result.relocations:
            tell(relocation, prepared, kernel.target, policy, result)
            fixes(relocation, prepared, kernel.target, policy, result)
