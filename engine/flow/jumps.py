"""Where each jump was meant to go and where it goes after relocation.

A loader that shortens a program without moving its jumps (cilium/ebpf v0.9.0 to v0.13.0)
leaves every jump across the lost slot off by one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Literal

from engine.core.result import FunctionResult
from engine.insn.opcodes import jump_target
from engine.loaders.link import LinkedProgram

Landing = Literal["fine", "wrong-slot", "middle-of-load", "past-the-end"]


@dataclass(frozen=True, slots=True)
class JumpCheck:
    """One jump; all slots but `slot_before` are slots after relocation.

    `intended` is None when the jump never had a target inside the function. `lost` counts the
    slots that vanished between the jump and where it was meant to go.
    """

    slot_before: int
    slot_after: int
    intended: int | None
    actual: int
    landing: Landing
    lost: int = 0


def check_jumps(result: FunctionResult) -> tuple[JumpCheck, ...]:
    """Compare every jump of a function before and after; empty when the loader refused.

    Calls are not looked at: loaders link them anew. Whether a jump can run is not asked.
    """
    if result.after is None:
        return ()
    checks = []
    second_slots = _second_slots(result)
    lost = [0, *accumulate(place is None for place in result.slot_map)]
    for slot, insn in enumerate(result.before):
        target = jump_target(slot, insn)
        after = result.slot_map[slot]
        if target is None or after is None or slot in second_slots:
            continue
        if result.after[after] != insn:
            continue
        checks.append(_check(result, slot, target, after, lost))
    return tuple(checks)


def _second_slots(result: FunctionResult) -> frozenset[int]:
    return frozenset(slot + 1 for slot, insn in enumerate(result.before) if insn.is_ld_imm64)


def _check(
    result: FunctionResult, slot: int, target: int, after: int, lost_before: Sequence[int]
) -> JumpCheck:
    code = result.after or ()
    actual = after + target - slot
    intended = _mapped(result, target)
    if intended == actual:
        landing: Landing = "fine"
    elif not 0 <= actual < len(code):
        landing = "past-the-end"
    elif actual and code[actual - 1].is_ld_imm64 and code[actual].code == 0:
        landing = "middle-of-load"
    else:
        landing = "wrong-slot"
    low, high = sorted((slot, min(max(target, 0), len(result.slot_map))))
    lost = lost_before[high] - lost_before[low]
    return JumpCheck(slot, after, intended, actual, landing, lost)


def _mapped(result: FunctionResult, target: int) -> int | None:
    if 0 <= target < len(result.slot_map):
        return result.slot_map[target]
    if target == len(result.slot_map):
        return len(result.after or ())
    return None


@dataclass(frozen=True, slots=True)
class StrayJump:
    """A jump of a linked program that no longer goes where it was meant to.

    All slots count from the start of the linked program. `skipped` are those that should run
    and do not, `repeated` those that run although they should not.
    """

    slot: int
    intended: int | None
    actual: int
    landing: Landing
    skipped: tuple[int, ...] = ()
    repeated: tuple[int, ...] = ()


def stray_jumps(program: LinkedProgram) -> tuple[StrayJump, ...]:
    """All jumps of a program that changed their target, whether they can run or not."""
    found = []
    for piece in program.pieces:
        if None not in piece.function.slot_map:
            continue
        for check in check_jumps(piece.function):
            if check.landing != "fine":
                found.append(_stray(check, piece.start))
    return tuple(found)


def lost_slots(program: LinkedProgram) -> int:
    """How many slots the loader lost."""
    return sum(piece.function.slot_map.count(None) for piece in program.pieces)


def _stray(check: JumpCheck, start: int) -> StrayJump:
    intended = None if check.intended is None else check.intended + start
    actual = check.actual + start
    skipped: tuple[int, ...] = ()
    repeated: tuple[int, ...] = ()
    if intended is not None:
        skipped, repeated = tuple(range(intended, actual)), tuple(range(actual, intended))
    return StrayJump(check.slot_after + start, intended, actual, check.landing, skipped, repeated)
