"""Pointers into kernel structs, followed through the registers of one function.

Known are those that bpf_get_current_task gives, the arguments of tp_btf, fentry and fexit
programs, and what a relocated load of a pointer gives. Wherever paths disagree, or anything else
is done to a pointer, it is forgotten.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

from engine.btf.decode import Btf
from engine.btf.kinds import BtfKind, TypeId
from engine.btf.resolve import skip_modifiers_and_typedefs
from engine.errors import EngineError
from engine.flow.cfg import falls_through
from engine.flow.code import CALL
from engine.insn import opcodes as op
from engine.insn.codec import LD_IMM64, Insn
from engine.insn.opcodes import jump_target

_CURRENT_TASK: Final = frozenset({35, 158})
"""bpf_get_current_task, bpf_get_current_task_btf."""
_PROBE_READS: Final = frozenset({4, 113})
_MOVE: Final = op.ALU64 | op.MOV | op.SOURCE_REGISTER
_ADD: Final = op.ALU64
"""BPF_ADD of an immediate; BPF_ADD is 0."""
_STEPS_PER_SLOT: Final = 8
_WIDE: Final = 8


class Pointer(NamedTuple):
    """Byte `offset` of a kernel struct; `struct` None marks the program's context."""

    struct: TypeId | None
    offset: int


Registers = Mapping[int, Pointer]
_JUMPS: Final = (op.JMP, op.JMP32)
_UNCHANGING: Final = (op.JMP, op.JMP32, op.ST, op.STX)


class Access(NamedTuple):
    """A read of byte `offset` of a kernel struct by the instruction in `slot`."""

    slot: int
    struct: TypeId
    offset: int


@dataclass(frozen=True, slots=True)
class Typing:
    """What is known before the walk.

    arguments  structs that the words of the context point to
    relocated  slots that hold a value of the kernel; with the struct that is pointed to, if any
    """

    task: TypeId | None
    arguments: Mapping[int, TypeId]
    relocated: Mapping[int, TypeId | None]


def fixed_accesses(insns: Sequence[Insn], typing: Typing, *, is_entry: bool) -> Iterator[Access]:
    """Reads through kernel pointers at an offset that no relocation has set."""
    if not _can_point(insns, typing):
        return
    known = _walked(insns, typing, {1: Pointer(None, 0)} if is_entry else {})
    found: dict[int, Access] = {}
    for head, registers in known.items():
        slot = head
        while slot < len(insns) and (slot == head or slot not in known):
            insn = insns[slot]
            access = _access(insn, slot, registers, typing) if registers else None
            if access is not None:
                found.setdefault(slot, access)
            if not falls_through(insn):
                break
            if registers or insn.code == CALL:
                registers = _after(insn, slot, registers, typing)
            slot += 2 if insn.code == LD_IMM64 else 1
    yield from (access for _, access in sorted(found.items()))


def _can_point(insns: Sequence[Insn], typing: Typing) -> bool:
    """Whether anything in a function could give the address of a kernel struct."""
    if typing.arguments or any(struct is not None for struct in typing.relocated.values()):
        return True
    return typing.task is not None and any(
        insn.code == CALL and not insn.src and insn.imm in _CURRENT_TASK for insn in insns
    )


def _walked(insns: Sequence[Insn], typing: Typing, start: Registers) -> dict[int, Registers]:
    """What the registers hold at the entry and wherever a jump leads, on all ways there."""
    heads = {0}
    for slot, insn in enumerate(insns):
        if insn.code & op.CLASS_MASK in _JUMPS:
            target = jump_target(slot, insn)
            if target is not None:
                heads.add(target)
    known: dict[int, Registers] = {}
    pending: list[tuple[int, Registers]] = [(0, start)]
    budget = _STEPS_PER_SLOT * len(insns)
    while pending and budget > 0:
        slot, registers = pending.pop()
        while 0 <= slot < len(insns) and budget > 0:
            if slot in heads:
                seen = known.get(slot)
                if seen is not None:
                    registers = _common(seen, registers)
                    if registers == seen:
                        break
                known[slot] = registers
            budget -= 1
            insn = insns[slot]
            if registers or insn.code == CALL:
                registers = _after(insn, slot, registers, typing)
            if insn.code & op.CLASS_MASK in _JUMPS:
                target = jump_target(slot, insn)
                if target is not None:
                    pending.append((target, registers))
                if not falls_through(insn):
                    break
            slot += 2 if insn.code == LD_IMM64 else 1
    return known


def _common(one: Registers, other: Registers) -> Registers:
    return {number: value for number, value in one.items() if other.get(number) == value}


def _access(insn: Insn, slot: int, registers: Registers, typing: Typing) -> Access | None:
    if slot in typing.relocated:
        return None
    if insn.code & op.CLASS_MASK == op.LDX:
        base = registers.get(insn.src)
        if base is not None and base.struct is not None:
            return Access(slot, base.struct, base.offset + insn.off)
    elif insn.code == CALL and not insn.src and insn.imm in _PROBE_READS:
        base = registers.get(3)
        if base is not None and base.struct is not None:
            return Access(slot, base.struct, base.offset)
    return None


def _after(insn: Insn, slot: int, registers: Registers, typing: Typing) -> Registers:
    kind = insn.code & op.CLASS_MASK
    if kind in _UNCHANGING and insn.code != CALL:
        return registers
    if kind != op.LDX and insn.code != CALL and not _touches(insn, registers):
        return registers
    after = dict(registers)
    if insn.code == CALL:
        for number in range(6):
            after.pop(number, None)
        if not insn.src and insn.imm in _CURRENT_TASK and typing.task is not None:
            after[0] = Pointer(typing.task, 0)
    elif insn.code == _MOVE and not insn.off and insn.src in registers:
        after[insn.dst] = registers[insn.src]
    elif insn.code == _ADD and slot not in typing.relocated and insn.dst in registers:
        base = registers[insn.dst]
        after[insn.dst] = base._replace(offset=base.offset + insn.imm)
    elif kind == op.LDX:
        after.pop(insn.dst, None)
        loaded = _loaded(insn, slot, registers.get(insn.src), typing)
        if loaded is not None:
            after[insn.dst] = Pointer(loaded, 0)
    elif kind in (op.ALU, op.ALU64, op.LD):
        after.pop(insn.dst, None)
    return after


def _touches(insn: Insn, registers: Registers) -> bool:
    """Whether a computation reads or writes a register that holds a pointer."""
    return insn.dst in registers or (insn.code == _MOVE and insn.src in registers)


def _loaded(insn: Insn, slot: int, base: Pointer | None, typing: Typing) -> TypeId | None:
    if op.SIZE_BYTES[insn.code & op.SIZE_MASK] != _WIDE or base is None:
        return None
    if base.struct is None:
        return typing.arguments.get((base.offset + insn.off) // _WIDE)
    return typing.relocated.get(slot)


def pointee(btf: Btf, type_id: int) -> TypeId | None:
    """The struct or union that a pointer type leads to, or None."""
    try:
        pointer = skip_modifiers_and_typedefs(btf, type_id)
        if pointer.kind is not BtfKind.PTR:
            return None
        found = skip_modifiers_and_typedefs(btf, pointer.type_id)
    except EngineError:
        return None
    return found.id if found.is_composite else None


def argument_structs(btf: Btf, type_id: int | None) -> dict[int, TypeId]:
    """What the arguments of a traced function or tracepoint point to, by their number."""
    if type_id is None:
        return {}
    try:
        first = btf.type(type_id)
        skipped = 0
        if first.kind is BtfKind.TYPEDEF:  # btf_trace_NAME: a pointer; its first argument is void *
            first = skip_modifiers_and_typedefs(btf, type_id)
            skipped = 1
        proto = btf.type(first.type_id)
    except EngineError:
        return {}
    found = {}
    for number, param in enumerate(proto.params[skipped:]):
        struct = pointee(btf, param.type_id)
        if struct is not None:
            found[number] = struct
    return found
