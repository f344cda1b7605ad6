"""The walk over all paths of a program; see `engine.flow.reach` for what is asked of it."""

from __future__ import annotations

from collections import deque
from typing import Final

from engine.flow import branch
from engine.flow.cfg import GOTO, INDIRECT, falls_through
from engine.flow.code import CALL, EXIT, Code, call_target
from engine.flow.graph import reached_from
from engine.flow.liveness import live_registers
from engine.flow.machine import Machine
from engine.flow.state import (
    CALLER_SAVED,
    MAX_FRAMES,
    REGISTERS,
    Frame,
    Snapshot,
    State,
    Trail,
    entry_state,
    join_states,
)
from engine.flow.values import (
    U64,
    UNKNOWN,
    UNMODELLED,
    WILD,
    WRITTEN,
    Fp,
    Range,
    Value,
    relinked,
    weakness,
)
from engine.flow.verifier import VerifierPolicy
from engine.insn import opcodes as op
from engine.insn.codec import LD_IMM64
from engine.insn.opcodes import jump_target

STATES_PER_SLOT: Final = 8
"""Different states that are followed on from one slot before they are merged."""
LINKED_REGISTERS: Final = 4
"""Copies that learn from one comparison; kernels stop at six."""

STEP, BRANCH, JUMP, SUBPROGRAM, LEAVE, POISON, UNSURE, NOWHERE = range(8)
ENTRY, APART = range(1, 2), range(1, 6)
"""Arguments of a program, and of a function that is verified on its own."""


class Explorer:
    """Explores one program under one policy; `run` once, then read the results."""

    def __init__(self, code: Code, policy: VerifierPolicy, *, frozen: bool, steps: int) -> None:
        self.code = code
        self.insns = code.insns
        self.policy = policy
        self.machine = Machine(code, policy, self._complain, frozen=frozen)
        self.limit = steps
        self.steps = 0
        self.exhausted = False
        self.indirect = False
        self.in_program = True
        self.visited: set[int] = set()
        self.taken: set[tuple[int, int]] = set()
        self.hits: dict[int, tuple[int, Trail | None]] = {}
        self.complaints: dict[tuple[int, str], int] = {}
        self.kinds = [self._kind(slot) for slot in range(len(self.insns))]
        self.called = {call_target(slot, insn) for slot, insn in enumerate(self.insns)}
        """First slots of functions that some instruction names; others have unseen callers."""
        self.meets, self.widens = self._meeting_slots()
        self.live = live_registers(code, self.meets)
        self.seen: dict[tuple[int, tuple[int, ...], bool], list[Snapshot]] = {}
        self.roots: deque[int] = deque()
        self.rooted: set[int] = set()

    def run(self) -> None:
        """Explore the program, then what is verified apart from it."""
        if not self.insns:
            return
        self._explore(entry_state(0, arguments=ENTRY))
        self.in_program = False
        for start in self.code.starts[1:]:
            dead_counts = start in self.code.global_starts and not self.policy.dead_global_calls
            if dead_counts or start not in self.called:
                self._root(start)
        while self.roots and not self.exhausted:
            self._explore(entry_state(self.roots.popleft(), arguments=APART))

    def _root(self, start: int) -> None:
        if start not in self.rooted and 0 <= start < len(self.insns):
            self.rooted.add(start)
            self.roots.append(start)

    def _kind(self, slot: int) -> int:
        insn = self.insns[slot]
        if slot in self.code.poisons:
            return POISON
        kind = insn.code & op.CLASS_MASK
        if kind not in (op.JMP, op.JMP32):
            return NOWHERE if insn.code == 0 else STEP
        if insn.code == CALL:
            return SUBPROGRAM if call_target(slot, insn) is not None else STEP
        if insn.code == EXIT:
            return LEAVE
        if insn.code in GOTO:
            return JUMP
        if insn.code == INDIRECT:
            return UNSURE
        return BRANCH if jump_target(slot, insn) is not None else NOWHERE

    def _meeting_slots(self) -> tuple[set[int], set[int]]:
        """Slots where paths come together, and those where kernels forget changing values.

        The latter are what a verifier goes round until nothing changes: the iterators of
        kernel functions and may_goto. Values that differ between two rounds are unknown there.
        """
        meets = set(self.code.starts)
        widens = set()
        for slot, insn in enumerate(self.insns):
            kind = self.kinds[slot]
            if kind in (BRANCH, JUMP):
                target = jump_target(slot, insn)
                if target is not None:
                    meets.add(target)
                if insn.code == op.MAY_GOTO:
                    widens.add(slot)
            elif kind == SUBPROGRAM:
                meets.add(slot + 1)
            elif insn.code == CALL and insn.src == op.CALL_KFUNC and self._iterates(slot):
                widens.add(slot)
        return meets | widens, widens

    def _iterates(self, slot: int) -> bool:
        reference = self.code.references.get(slot)
        return reference is None or not reference.name or reference.name.endswith("_next")

    def _complain(self, state: State, slot: int, text: str) -> None:
        known = self.complaints.get((slot, text))
        if known is None or state.why < known:
            self.complaints[slot, text] = state.why

    def _explore(self, first: State) -> None:
        pending = [first]
        while pending:
            state: State | None = pending.pop()
            while state is not None:
                if self.steps >= self.limit:
                    self.exhausted = True
                    return
                state = self._run(state, pending)
        for start in sorted(self.machine.callbacks):
            self._root(start)

    def _run(self, state: State, pending: list[State]) -> State | None:
        """Carry a state to its next jump; give the state to go on with, None at its end."""
        slot, step, kinds, size = state.slot, self.machine.step, self.kinds, len(self.kinds)
        meets, visited = self.meets, self.visited
        while True:
            if not 0 <= slot < size:
                return None
            if slot in meets:
                state.slot = slot
                if self._is_old(state, slot):
                    return None
            visited.add(slot)
            self.steps += 1
            kind = kinds[slot]
            if kind != STEP:
                break
            slot = step(state, slot)
        state.slot = slot
        return self._turn(state, slot, kind, pending)

    def _turn(self, state: State, slot: int, kind: int, pending: list[State]) -> State | None:
        if kind == BRANCH:
            return self._branch(state, slot, pending)
        if kind == JUMP:
            target = jump_target(slot, self.insns[slot])
            if target is None:
                return None
            self.taken.add((slot, target))
            state.jump(target)
            return state
        if kind == SUBPROGRAM:
            return self._call(state, slot)
        if kind == LEAVE:
            return self._leave(state, slot)
        if kind == POISON:
            self._hit(state, slot)
        elif kind == UNSURE:
            self.indirect = True
        return None

    def _hit(self, state: State, slot: int) -> None:
        known = self.hits.get(slot)
        if known is None or state.why < known[0]:
            self.hits[slot] = state.why, Trail(state.trail, state.first, slot)

    def _branch(self, state: State, slot: int, pending: list[State]) -> State | None:
        insn = self.insns[slot]
        target = slot + 1 + insn.off
        if insn.code == op.MAY_GOTO:
            self._fork(state, slot, target, pending)
            return state
        wide = insn.code & op.CLASS_MASK == op.JMP
        condition = insn.code & op.OPERATION_MASK
        one = self.machine.read(state, slot, insn.dst)
        if insn.code & op.SOURCE_REGISTER:
            other = self.machine.read(state, slot, insn.src)
        else:
            other = insn.imm & U64
        goes = branch.decide(condition, one, other, wide=wide, policy=self.policy)
        if goes is not None:
            if goes:
                self.taken.add((slot, target))
                state.jump(target)
            else:
                state.slot = slot + 1
            return state
        if not state.why:
            state.why = weakness(one) or weakness(other)
        taken = self._fork(state, slot, target, pending)
        for side, is_taken in ((state, False), (taken, True)):
            if type(other) is Range:
                # Kernels learn about the second operand, too.
                side.frames[-1].regs[insn.src] = other._replace(
                    link=0, weak=other.weak or UNMODELLED
                )
            self._learn(side, insn.dst, one, other, condition, taken=is_taken, wide=wide)
        return state

    def _fork(self, state: State, slot: int, target: int, pending: list[State]) -> State:
        self.taken.add((slot, target))
        taken = state.fork(slot)
        taken.first = state.first
        taken.jump(target)
        pending.append(taken)
        state.slot = slot + 1
        return taken

    @staticmethod
    def _learn(
        state: State, register: int, one: Value, other: Value, condition: int, *,
        taken: bool, wide: bool,
    ) -> None:  # fmt: skip
        learnt = branch.learn(condition, one, other, taken=taken, wide=wide)
        regs = state.frames[-1].regs
        link = one.link if type(one) is Range else 0
        if link and type(learnt) is Range:
            learnt = relinked(learnt, link)
        if link:
            linked = [
                number
                for number, value in enumerate(regs)
                if type(value) is Range and value.link == link
            ]
            if len(linked) <= LINKED_REGISTERS:
                for number in linked:
                    regs[number] = learnt
        if regs[register] is not None and register != 10:
            regs[register] = learnt

    def _call(self, state: State, slot: int) -> State | None:
        insn = self.insns[slot]
        target = slot + 1 + insn.imm
        frame = state.frames[-1]
        if target in self.code.global_starts:
            self._root(target)
            for value in frame.regs[1:6]:
                if type(value) is Fp or value is WILD:
                    state.lose_stacks(WRITTEN)
            frame.regs[1:6] = [None] * 5
            frame.regs[0] = UNKNOWN
            state.slot = slot + 1
            return state
        if len(state.frames) >= MAX_FRAMES or not 0 <= target < len(self.insns):
            return None
        regs: list[Value] = [None] * REGISTERS
        regs[1:6] = frame.regs[1:6]
        regs[10] = Fp(len(state.frames), 0)
        for register in CALLER_SAVED:
            frame.regs[register] = None
        state.frames.append(Frame(regs, {}, slot + 1))
        state.jump(target)
        return state

    def _leave(self, state: State, slot: int) -> State | None:
        if len(state.frames) == 1:
            if state.frames[0].regs[0] is None and self.in_program:
                self._complain(state, slot, "R0 !read_ok")
            return None
        left = state.frames.pop()
        value = left.regs[0]
        if type(value) is Fp and value.frame >= len(state.frames):
            value = WILD
        elif type(value) is Range and value.link:
            value = relinked(value, 0)
        state.frames[-1].regs[0] = value
        state.jump(left.back)
        return state

    def _is_old(self, state: State, slot: int) -> bool:
        """Whether a state like this was here before; else remember it, merged if need be."""
        frames = state.frames
        if len(frames) == 1:
            context: tuple[int, ...] = ()
            live: tuple[tuple[int, ...], ...] = (self.live.get(slot, ()),)
        else:
            context = tuple(frame.back for frame in frames)
            places = (*context[1:], slot)
            live = tuple(self.live.get(place, ()) for place in places)
        sure = state.why == 0
        known = self.seen.setdefault((slot, context, sure), [])
        # A state that got here without a guess has to go on, even past one that made some.
        others = () if sure else self.seen.get((slot, context, True), ())
        if any(earlier.covers(state, live) for earlier in (*known, *others)):
            return True
        if slot in self.widens:
            for earlier in (*known, *others):
                join_states(state, earlier, live)
            known.clear()
        elif len(known) >= STATES_PER_SLOT:
            for earlier in known:
                join_states(state, earlier, live)
            known.clear()
        known.append(_snapshot(state, live))
        return False

    def statically_reached(self) -> frozenset[int]:
        """Every slot that jumps and calls lead to, whatever their conditions say."""
        size = len(self.insns)
        successors: list[list[int]] = []
        for slot, insn in enumerate(self.insns):
            ways = [jump_target(slot, insn), call_target(slot, insn)]
            if falls_through(insn):
                ways.append(slot + (2 if insn.code == LD_IMM64 else 1))
            successors.append([way for way in ways if way is not None and 0 <= way < size])
        if self.indirect:
            return frozenset(range(size))
        unseen = [start for start in self.code.starts if start not in self.called and start < size]
        return frozenset(reached_from(successors, [0, *self.code.global_starts, *unseen]))


def _snapshot(state: State, live: tuple[tuple[int, ...], ...]) -> Snapshot:
    return Snapshot(
        tuple(
            (_without_lone_links([frame.regs[r] for r in registers]), frame.slots.copy())
            for frame, registers in zip(state.frames, live, strict=True)
        )
    )


def _without_lone_links(values: list[Value]) -> tuple[Value, ...]:
    links = [value.link for value in values if type(value) is Range and value.link]
    if links:
        for place, value in enumerate(values):
            if type(value) is Range and value.link and links.count(value.link) == 1:
                values[place] = relinked(value, 0)
    return tuple(values)
