"""Mistakes to plant in the analysis: each makes it know something that no verifier knows.

A mutation replaces one name of one module. What the made-up programs are worth shows in how many
of these they find.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from engine.flow import alu, branch, calls, explorer, liveness, machine, stack, state, values
from engine.flow.values import U32, Range, as_range, is_scalar
from engine.insn import opcodes as op

Wrong = Callable[[Any], Any]
"""Takes what is there and gives what to put in its place."""


@dataclass(frozen=True)
class Mutation:
    """`owner` is a module or a class, `name` what is replaced in it."""

    what: str
    owner: Any
    name: str
    wrong: Wrong


def _first(original: Any) -> Any:
    return lambda one, *rest, **named: one


def _second(original: Any) -> Any:
    return lambda one, other, *rest, **named: other


def _nothing(original: Any) -> Any:
    return lambda *given, **named: None


def _always(answer: Any) -> Wrong:
    return lambda original: lambda *given, **named: answer


def _with_policy(**flags: bool) -> Wrong:
    """Call the original as if the kernel were cleverer; the policy comes last, or is named."""

    def wrong(original: Any) -> Any:
        def call(*given: Any, **named: Any) -> Any:
            if "policy" in named:
                named["policy"] = replace(named["policy"], **flags)
                return original(*given, **named)
            return original(*given[:-1], replace(given[-1], **flags), **named)

        return call

    return wrong


def _operation(instead: dict[int, int]) -> Wrong:
    """Compute with another operation."""
    return lambda original: lambda o, *rest: original(instead.get(o, o), *rest)


def _wide(place: int) -> Wrong:
    """Take a 32-bit operation for one of 64 bits."""
    return lambda original: lambda *given: original(*given[:place], True, *given[place + 1 :])


def _fetch_any_part(original: Any) -> Any:
    def fetch(slots: Any, off: int, size: int, policy: Any) -> Any:
        slot = slots.get(off >> 3)
        if slot is not None and slot.size and type(slot.kept) is int and size < slot.size:
            return slot.kept & (1 << 8 * size) - 1
        return original(slots, off, size, policy)

    return fetch


def _fetch_upper_half(original: Any) -> Any:
    def fetch(slots: Any, off: int, size: int, policy: Any) -> Any:
        slot = slots.get(off >> 3)
        if slot is not None and slot.size == 8 and type(slot.kept) is int:
            return slot.kept >> 8 * (off & 7) & (1 << 8 * size) - 1
        return original(slots, off, size, policy)

    return fetch


def _store_beside(original: Any) -> Any:
    """A store into the upper half leaves what was spilled."""

    def store(slots: Any, off: int, size: int, value: Any, policy: Any) -> None:
        old = slots.get(off >> 3)
        original(slots, off, size, value, policy)
        if off & 7 and old is not None and old.size:
            slots[off >> 3] = old

    return store


def _store_sizes(original: Any) -> Any:
    """A store of 4 bytes counts as one of 8."""
    return lambda slots, off, size, value, policy: original(
        slots, off & (~7 if size == 4 else ~0), 8 if size == 4 else size, value, policy
    )


def _bounds(shift: int) -> Wrong:
    """Comparisons teach a limit that is off by so much."""
    return lambda original: (
        lambda condition, value, limit: original(
            condition, value, limit if condition in (branch.EQ, branch.NE) else limit + shift
        )
    )


def _low32_keeps(original: Any) -> Any:
    return lambda value: value if isinstance(value, Range) else original(value)


def _learn32_as_64(original: Any) -> Any:
    return lambda condition, value, limit, taken: branch._bounded(
        condition if taken else branch.OPPOSITE.get(condition, branch.EQ), value, limit
    )


def _shared_frames(original: Any) -> Any:
    def fork(self: Any, slot: int) -> Any:
        other = original(self, slot)
        other.frames = self.frames[:]
        return other

    return fork


def _one_side(original: Any) -> Any:
    """An undecided comparison with a number goes on in one direction."""

    def decide(condition: int, one: Any, other: Any, **named: Any) -> Any:
        found = original(condition, one, other, **named)
        return False if found is None and condition == branch.SLE else found

    return decide


def _without(operand: str) -> Wrong:
    """Liveness that overlooks one operand of comparisons."""

    def wrong(original: Any) -> Any:
        def effect_of(insn: Any) -> tuple[int, int]:
            uses, writes = original(insn)
            if insn.code & op.CLASS_MASK in (op.JMP, op.JMP32) and insn.code & 0xF0 in branch_codes:
                uses &= ~(1 << getattr(insn, operand))
            return uses, writes

        branch_codes = set(op.JUMP_OPERATORS)
        return effect_of

    return wrong


def _covers_ranges(original: Any) -> Any:
    return lambda known, new: (
        original(known, new) or (type(known) is Range and is_scalar(new) and known.mask != 0)
    )


def _covers_numbers(original: Any) -> Any:
    return lambda known, new: original(known, new) or (type(known) is int and type(new) is int)


def _returned_argument(original: Any) -> Any:
    """The result of a global function is taken for its argument."""

    def call(self: Any, state: Any, slot: int) -> Any:
        argument = state.frames[-1].regs[1]
        other = original(self, state, slot)
        if slot + 1 + self.insns[slot].imm in self.code.global_starts and other is not None:
            other.frames[-1].regs[0] = argument
        return other

    return call


def _gotol_short(original: Any) -> Any:
    def target(slot: int, insn: Any) -> Any:
        if insn.code == op.JMP32 | op.JA:
            return slot + 1 + insn.imm + 1
        return original(slot, insn)

    return target


def _no_way_round(original: Any) -> Any:
    def fork(self: Any, state: Any, slot: int, target: int, pending: list[Any]) -> Any:
        taken = original(self, state, slot, target, pending)
        if self.insns[slot].code == op.MAY_GOTO:
            pending.pop()
        return taken

    return fork


def _narrow_bits(original: Any) -> Any:
    """Bits of a sum without those that a carry may change."""
    return lambda av, am, bv, bm: ((av + bv) & ~(am | bm) & values.U64, am | bm)


def _no_wrap(original: Any) -> Any:
    def ranges(operation: int, a: Any, b: Any, weak: int) -> Any:
        a, b = as_range(a), as_range(b)
        found = original(operation, a, b, weak)
        if operation == alu.ADD and isinstance(found, Range):
            return found._replace(umin=min(a.umin + b.umin, values.U64))
        return found

    return ranges


def _swap_half(original: Any) -> Any:
    return lambda one, bits, **named: original(one, 16 if bits == 32 else bits, **named)


MUTATIONS = (
    Mutation("a fill takes any part for the first", machine, "fetch", _fetch_any_part),
    Mutation("a fill reads the upper half of a spill", machine, "fetch", _fetch_upper_half),
    Mutation("narrow fills on every kernel", machine, "fetch", _with_policy(narrow_fills=True)),
    Mutation("a store beside a spill leaves it", machine, "store", _store_beside),
    Mutation("a store of 4 bytes fills its slot", machine, "store", _store_sizes),
    Mutation("zeros outlive whatever is stored", stack, "_zeros_stay", _always(True)),
    Mutation("a slot that is lost is kept", machine, "lose", _nothing),
    Mutation("helpers write nothing", calls, "_written", _nothing),
    Mutation("stacks survive calls", state.State, "lose_stacks", _nothing),
    Mutation("two stacks joined are the earlier", state, "join_slots", _second),
    Mutation("every stack covers every other", state, "slots_cover", _always(True)),
    Mutation("a signed load has no sign", machine, "sign_extend", _first),
    Mutation("two values joined are the earlier", state, "join", _second),
    Mutation("values on the stack joined are the earlier", stack, "join", _second),
    Mutation("a range covers every number", state, "covers", _covers_ranges),
    Mutation("a number covers every number", state, "covers", _covers_numbers),
    Mutation("a 32-bit copy keeps all bits", machine, "low32", _low32_keeps),
    Mutation("a 32-bit operation keeps all bits", alu, "low32", _low32_keeps),
    Mutation("signs are overlooked", branch, "signed", _first),
    Mutation("32-bit arithmetic has 64", alu, "_constants", _wide(3)),
    Mutation("s>> is >>", alu, "_constants", _operation({alu.ARSH: alu.RSH})),
    Mutation("^ is |", alu, "_constants", _operation({alu.XOR: alu.OR})),
    Mutation("^ of ranges is |", alu, "_ranges", _operation({alu.XOR: alu.OR})),
    Mutation("| of ranges is &", alu, "_ranges", _operation({alu.OR: alu.AND})),
    Mutation("- of ranges is +", alu, "_ranges", _operation({alu.SUB: alu.ADD})),
    Mutation("a sum of ranges has no carry", alu, "_bits_of_sum", _narrow_bits),
    Mutation("a sum of ranges does not wrap", alu, "_sum", _no_wrap),
    Mutation("every kernel follows -", machine, "negated", _with_policy(negations=True)),
    Mutation("every kernel follows /", machine, "arithmetic", _with_policy(divisions=True)),
    Mutation("every kernel follows be16", machine, "swapped", _with_policy(byte_swaps=True)),
    Mutation("be32 swaps 16 bits", machine, "swapped", _swap_half),
    Mutation("a sign is extended from nothing", machine, "sign_extended", _first),
    Mutation("comparisons teach one too much", branch, "_bounded", _bounds(1)),
    Mutation("comparisons teach one too little", branch, "_bounded", _bounds(-1)),
    Mutation("32-bit comparisons teach 64 bits", branch, "_learn32", _learn32_as_64),
    Mutation("32-bit comparisons see 64 bits", branch, "_constants", _wide(3)),
    Mutation("32-bit comparisons see the bounds of 64", branch, "_view", _wide(1)),
    Mutation("<= is not taken when undecided", branch, "decide", _one_side),
    Mutation(">= is > of ranges", branch, "_order", _operation({branch.GE: branch.GT})),
    Mutation("s< is s<= of ranges", branch, "_order", _operation({branch.SLT: branch.SLE})),
    Mutation("!= teaches ==", branch, "_bounded", _operation({branch.NE: branch.EQ})),
    Mutation("& that fails teaches that it held", branch, "_learn_set",
             lambda original: lambda value, bits, taken: original(value, bits, not taken)),
    Mutation("both sides of a fork share frames", state.State, "fork", _shared_frames),
    Mutation("a first operand is not live", liveness, "effect_of", _without("dst")),
    Mutation("global functions return their argument", explorer.Explorer, "_call",
             _returned_argument),
    Mutation("callbacks are not verified", machine.Machine, "_wide_load",
             lambda original: lambda self, slot, insn: values.ANY),
    Mutation("gotol goes one too far", explorer, "jump_target", _gotol_short),
    Mutation("may_goto never leaves", explorer.Explorer, "_fork", _no_way_round),
    Mutation("dead globals never count", explorer.Explorer, "_root", _nothing),
    Mutation("every state was seen before", explorer.Explorer, "_is_old",
             lambda original: lambda self, state, slot: (
                 original(self, state, slot) or len(self.seen) > U32 or len(
                     self.seen.get((slot, (), True), ())) > 1)),
)  # fmt: skip

CAUGHT: dict[str, int] = {
    "a fill takes any part for the first": 137,
    "a fill reads the upper half of a spill": 137,
    "narrow fills on every kernel": 137,
    "a store beside a spill leaves it": 21,
    "a store of 4 bytes fills its slot": 10,
    "zeros outlive whatever is stored": 107,
    "a slot that is lost is kept": 60,
    "helpers write nothing": 21,
    "stacks survive calls": 114,
    "two stacks joined are the earlier": 71,
    "every stack covers every other": 70,
    "a signed load has no sign": 1931,
    "two values joined are the earlier": 7,
    "values on the stack joined are the earlier": 71,
    "a range covers every number": 7,
    "a number covers every number": 73,
    "a 32-bit copy keeps all bits": 442,
    "a 32-bit operation keeps all bits": 1706,
    "signs are overlooked": 2,
    "32-bit arithmetic has 64": 130,
    "s>> is >>": 134,
    "^ is |": 946,
    "^ of ranges is |": 88,
    "| of ranges is &": 92,
    "- of ranges is +": 1075,
    "a sum of ranges has no carry": 172,
    "a sum of ranges does not wrap": 1666,
    "every kernel follows -": 499,
    "every kernel follows /": 93,
    "every kernel follows be16": 319,
    "be32 swaps 16 bits": 1484,
    "a sign is extended from nothing": 855,
    "comparisons teach one too much": 153,
    "comparisons teach one too little": 124,
    "32-bit comparisons teach 64 bits": 2,
    "32-bit comparisons see 64 bits": 218,
    "32-bit comparisons see the bounds of 64": 10,
    "<= is not taken when undecided": 7,
    ">= is > of ranges": 1346,
    "s< is s<= of ranges": 354,
    "!= teaches ==": 0,
    "& that fails teaches that it held": 408,
    "both sides of a fork share frames": 0,
    "a first operand is not live": 0,
    "global functions return their argument": 156,
    "callbacks are not verified": 25,
    "gotol goes one too far": 190,
    "may_goto never leaves": 140,
    "dead globals never count": 0,
    "every state was seen before": 0,
}
"""The first made-up program that finds each; `test_mutations` looks for them anew when slow."""
