"""What a kernel checks before it follows any path: jumps in range, no instruction without a way.

Follows: Linux kernel/bpf/verifier.c check_subprogs, check_cfg @ v6.12.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from engine.flow.cfg import GOTO, falls_through, second_slots
from engine.flow.code import EXIT, Code, call_target
from engine.flow.graph import reached_from
from engine.insn.codec import LD_IMM64
from engine.insn.opcodes import jump_target

FaultKind = Literal["past-the-end", "middle-of-load", "unreachable"]


@dataclass(frozen=True, slots=True)
class Fault:
    """A program that is refused for its shape: where, and in the kernel's words."""

    kind: FaultKind
    slot: int
    text: str


def structural_fault(code: Code) -> Fault | None:
    """The first thing that a kernel finds wrong with the shape of a program, or None."""
    second = second_slots(code.insns)
    return _ranges(code, second) or _middles(code, second) or _unreachable(code, second)


def _ranges(code: Code, second: frozenset[int]) -> Fault | None:
    for start in code.starts:
        end = code.end_of(start)
        for slot in range(start, end):
            target = jump_target(slot, code.insns[slot]) if slot not in second else None
            if target is not None and not start <= target < end:
                text = f"jump out of range from insn {slot} to {target}"
                return Fault("past-the-end", slot, text)
        if end > start and code.insns[end - 1].code not in (EXIT, *GOTO):
            return Fault("past-the-end", end - 1, "last insn is not an exit or jmp")
    return None


def _middles(code: Code, second: frozenset[int]) -> Fault | None:
    for slot, insn in enumerate(code.insns):
        target = jump_target(slot, insn) if slot not in second else None
        if target is not None and target in second:
            return Fault("middle-of-load", slot, f"jump into the middle of ldimm64 insn {target}")
    return None


def _unreachable(code: Code, second: frozenset[int]) -> Fault | None:
    size = len(code.insns)
    successors: list[list[int]] = []
    for slot, insn in enumerate(code.insns):
        ways = [jump_target(slot, insn), call_target(slot, insn)]
        if falls_through(insn):
            ways.append(slot + (2 if insn.code == LD_IMM64 else 1))
        successors.append([way for way in ways if way is not None and 0 <= way < size])
    reached = reached_from(successors, code.starts)
    for slot in range(size):
        if slot not in reached and slot not in second:
            return Fault("unreachable", slot, f"unreachable insn {slot}")
    return None
