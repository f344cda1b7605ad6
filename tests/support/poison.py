"""Streams with poison in them, and what the analysis says of it on each kernel."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from engine.core.patch import POISON_CALL, POISON_LOAD
from engine.flow.code import Code, found_poisons, stream_code
from engine.flow.reach import Reachability, explore
from engine.flow.verifier import POLICIES, VerifierPolicy
from engine.loaders.references import Reference
from tests.support.asm import Code as Stream
from tests.support.asm import call, exit_, mov_imm

POISON: Stream = (POISON_CALL,)
POISON_WIDE: Stream = (POISON_CALL, POISON_CALL)
POISON_R10: Stream = POISON_LOAD
RANDOM: Stream = call(7)
"""r0 is a number that nobody knows; r1 to r5 are gone."""
END: Stream = mov_imm(0, 0) + exit_()

KERNELS = tuple(policy.name for policy in POLICIES)


def reached(code: Code | Iterable, policy: VerifierPolicy) -> Reachability:
    """Explore a stream, or code made by hand."""
    return explore(code if isinstance(code, Code) else stream_code(tuple(code)), policy)


def answers(code: Code | Iterable) -> dict[str, str]:
    """The worst answer for the poison of a program, by kernel."""
    return {policy.name: reached(code, policy).worst for policy in POLICIES}


def code_with(
    insns: Stream,
    *,
    starts: tuple[int, ...] | None = None,
    global_starts: Iterable[int] = (),
    references: Mapping[int, Reference] | None = None,
    rodata: bytes | None = None,
) -> Code:
    """A program with functions that are global, references, or a .rodata section."""
    return Code(
        insns,
        starts or stream_code(insns).starts,
        frozenset(global_starts),
        found_poisons(insns),
        references or {},
        {} if rodata is None else {".rodata": rodata},
    )
