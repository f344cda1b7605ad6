"""The state of a program at one instruction: frames of registers and stack, and the way there."""

from __future__ import annotations

from typing import Final, NamedTuple

from engine.flow.stack import Slots, join_slots, lose, slots_cover
from engine.flow.values import ANY, Fp, Range, Value, covers, join, relinked

REGISTERS: Final = 16
"""As many as an instruction can name; a program has eleven."""
FRAME_POINTER: Final = 10
CALLER_SAVED: Final = range(6)
MAX_FRAMES: Final = 8
"""Nested calls, MAX_CALL_FRAMES of Linux include/linux/bpf_verifier.h."""


class Trail(NamedTuple):
    """Slots `first` to `last` in a row, and what ran before them."""

    before: Trail | None
    first: int
    last: int


class Frame:
    """One function that is running: registers, stack, and the slot it returns to."""

    __slots__ = ("back", "regs", "slots")

    def __init__(self, regs: list[Value], slots: Slots, back: int) -> None:
        self.regs = regs
        self.slots = slots
        self.back = back

    def copy(self) -> Frame:
        """An independent copy."""
        return Frame(self.regs[:], self.slots.copy(), self.back)


class State:
    """All frames, the innermost last.

    why    index into REASONS, not 0 when a decision on the way was taken for lack of knowledge
    trail  the slots that ran, without those since the last jump
    """

    __slots__ = ("first", "frames", "slot", "trail", "why")

    def __init__(self, frames: list[Frame], slot: int) -> None:
        self.frames = frames
        self.slot = slot
        self.first = slot
        self.why = 0
        self.trail: Trail | None = None

    def fork(self, slot: int) -> State:
        """A copy that goes on at `slot`, with the same way behind it."""
        other = State([frame.copy() for frame in self.frames], slot)
        other.why = self.why
        other.trail = self.trail
        return other

    def jump(self, slot: int) -> None:
        """Go on at `slot` and note the run of slots that ends here."""
        self.trail = Trail(self.trail, self.first, self.slot)
        self.slot = self.first = slot

    def lose_stacks(self, reason: int) -> None:
        """Forget the stacks of all frames."""
        for frame in self.frames:
            lose(frame.slots, -512, 0, reason)


def entry_state(slot: int, *, arguments: range) -> State:
    """A function called from outside: `arguments` are set to something, nothing else is."""
    regs: list[Value] = [None] * REGISTERS
    for register in arguments:
        regs[register] = ANY
    regs[FRAME_POINTER] = Fp(0, 0)
    return State([Frame(regs, {}, -1)], slot)


class Snapshot(NamedTuple):
    """A state as it is kept for comparison: live registers and stack of each frame."""

    frames: tuple[tuple[tuple[Value, ...], Slots], ...]

    def covers(self, state: State, live: tuple[tuple[int, ...], ...]) -> bool:
        """Whether all that can happen from a state can happen from here; `live` per frame."""
        for (values, slots), frame, registers in zip(self.frames, state.frames, live, strict=True):
            regs = frame.regs
            for value, register in zip(values, registers, strict=True):
                new = regs[register]
                if value is not new and not covers(value, new):
                    return False
            if slots != frame.slots and not slots_cover(slots, frame.slots):
                return False
        return True


def join_states(state: State, known: Snapshot, live: tuple[tuple[int, ...], ...]) -> None:
    """Weaken a state in place so that it covers `known` as well; `live` per frame."""
    for frame, registers, (regs, slots) in zip(state.frames, live, known.frames, strict=True):
        for register, value in zip(registers, regs, strict=True):
            mine = frame.regs[register]
            if mine != value or type(mine) is not type(value):
                frame.regs[register] = join(mine, value)
        if frame.slots != slots:
            frame.slots = join_slots(frame.slots, slots)
        _drop_lone_links(frame)


def _drop_lone_links(frame: Frame) -> None:
    for register, value in enumerate(frame.regs):
        if type(value) is Range and value.link:
            frame.regs[register] = relinked(value, 0)
