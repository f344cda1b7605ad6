"""Calls that leave the program: helpers and kernel functions, and what they do to a state."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Final

from engine.flow.code import Code
from engine.flow.stack import lose
from engine.flow.state import State
from engine.flow.values import ANY, UNKNOWN, WILD, WRITTEN, Fp, Range, Value
from engine.insn import opcodes as op
from engine.insn.codec import Insn
from engine.insn.helpers import HELPERS

_POINTER_WORDS: Final = (
    "lookup", "storage_get", "skc_to", "local_storage", "_ptr", "task_btf", "ringbuf_reserve",
    "kptr_xchg", "dynptr_data", "fullsock", "tcp_sock", "listener_sock", "sock_from_file",
)  # fmt: skip
"""Parts of the names of helpers that may return a pointer."""

CALLBACK_HELPERS: Final = frozenset({164, 170, 180, 181, 209})
"""for_each_map_elem, timer_set_callback, find_vma, loop, user_ringbuf_drain."""

_WRITTEN_SIZES: Final = {
    4: ((1, 2),),
    16: ((1, 2),),
    26: ((3, 4),),
    45: ((1, 2),),
    67: ((2, 3),),
    112: ((1, 2),),
    113: ((1, 2),),
    114: ((1, 2),),
    115: ((1, 2),),
    148: ((1, 2),),
}
"""Helpers that write through one register as many bytes as another says, and nothing else:
probe_read*, get_current_comm, skb_load_bytes, get_stack, copy_from_user."""

_READS: Final = {
    1: 2, 2: 4, 3: 2, 4: 3, 6: 2, 12: 3, 16: 2, 22: 2, 25: 5, 26: 4, 27: 3, 45: 3, 67: 4,
    112: 3, 113: 3, 114: 3, 115: 3, 130: 4, 131: 3, 132: 2, 133: 2, 148: 3, 181: 4,
}  # fmt: skip
"""Arguments of common helpers, to see a register that was never written."""


def call_outside(
    code: Code,
    state: State,
    slot: int,
    insn: Insn,
    complain: Callable[[State, int, str], None],
    *,
    callbacks: Collection[int],
) -> None:
    """Carry out a call of a helper or of a kernel function."""
    regs = state.frames[-1].regs
    helper = insn.imm if insn.src == op.CALL_HELPER else 0
    for register in range(1, 1 + _READS.get(helper, 0)):
        if regs[register] is None:
            complain(state, slot, f"R{register} !read_ok")
    if callbacks and (helper in CALLBACK_HELPERS or insn.src != op.CALL_HELPER):
        state.lose_stacks(WRITTEN)
    for register in range(1, 6):
        value = regs[register]
        if type(value) is Fp or value is WILD:
            _written(state, value, _size(helper, register, regs))
    regs[1:6] = [None] * 5
    regs[0] = returned(insn)


def _size(helper: int, register: int, regs: list[Value]) -> int | None:
    for pointer, size in _WRITTEN_SIZES.get(helper, ()):
        value = regs[size]
        if pointer == register:
            if type(value) is int and value <= 512:
                return value
            if type(value) is Range and value.umax <= 512:
                return value.umax
    return None


def _written(state: State, pointer: Value, size: int | None) -> None:
    """Forget what may be written through a pointer: `size` bytes, or all from there up."""
    if type(pointer) is not Fp:
        state.lose_stacks(WRITTEN)
        return
    slots = state.frames[pointer.frame].slots
    if pointer.off is None:
        lose(slots, -512, 0, WRITTEN)
    elif size is None:
        lose(slots, pointer.off, 0, WRITTEN)
    elif size:
        lose(slots, pointer.off, pointer.off + size, 0)


def returned(insn: Insn) -> Value:
    """What r0 holds after a call of a helper or of a kernel function."""
    if insn.src != op.CALL_HELPER:
        return ANY
    name = HELPERS.get(insn.imm)
    if name is None or any(word in name for word in _POINTER_WORDS):
        return ANY
    return UNKNOWN
