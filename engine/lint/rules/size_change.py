"""size-change: a field that is read with the width it had when the program was compiled."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from engine.core.ambiguous import is_ambiguous
from engine.core.kinds import CoreReloKind
from engine.core.policy import SizeChange
from engine.flow.code import CALL
from engine.insn import opcodes as op
from engine.insn.codec import Insn
from engine.lint.places import Place, access_bytes, accesses_memory, amount, place_of
from engine.lint.rule import Finding, Rule
from engine.lint.scene import Row, Scene

ID = "size-change"

_EXAMPLE = """\
struct task_struct { long long pid; } KERNEL; /* an int in the kernel */

SEC("tp_btf/sched_switch") int prog(unsigned long long *ctx)
{
	struct task_struct *task = (void *)ctx[1];

	out = task->pid;
	return 0;
}
"""
_COUNTER_EXAMPLE = """\
struct task_struct { int pid; } KERNEL;

SEC("tp_btf/sched_switch") int prog(unsigned long long *ctx)
{
	struct task_struct *task = (void *)ctx[1];

	out = task->pid;
	return 0;
}
"""

_PROBE_READS: Final = frozenset({4, 112, 113})
"""bpf_probe_read, bpf_probe_read_user, bpf_probe_read_kernel."""
_AHEAD: Final = 12
"""Slots between an offset and the call that reads there."""
_MOVES: Final = (op.ALU | op.MOV, op.ALU64 | op.MOV)
_HINT: Final = (
    "Declare the field as the kernel has it, in a flavor for each width, or read it with "
    "BPF_CORE_READ_BITFIELD."
)


def check(scene: Scene) -> Iterator[Finding]:
    """Compare the widths of fields that are loaded, stored or copied."""
    btf = scene.prepared.btf
    if btf is None:
        return
    for row in scene.rows:
        if row.relocation.kind is not CoreReloKind.FIELD_BYTE_OFFSET:
            continue
        if is_ambiguous(row.relocation.trace):
            continue  # which of the kernel's types is meant is not settled
        local, found = place_of(row.local, btf), place_of(row.matched, scene.kernel.target.btf)
        if local is None or found is None or local.bits or found.bits:
            continue
        if accesses_memory(row.insn):
            finding = _direct(scene, row, local, found)
        else:
            finding = _copied(scene, row, local, found)
        if finding is not None:
            yield finding


def _direct(scene: Scene, row: Row, local: Place, found: Place) -> Finding | None:
    if local.size == found.size:
        return None
    words = f"{row.name} has {amount(found.size)} there, not {amount(local.size)}"
    if row.relocation.outcome == "poisoned":
        text = f"{words}; the access cannot be made to fit, so it is poisoned"
        return scene.finding(ID, "warning", text, row, _HINT)
    if row.relocation.outcome == "failed":
        return scene.finding(ID, "warning", f"{words}; this loader refuses that", row, _HINT)
    if scene.policy.size_change is not SizeChange.IGNORED or not found.is_scalar:
        return None
    width = access_bytes(row.insn)
    if width == found.size:
        return None
    more = "with bytes of its neighbours" if width > found.size else "but not all of it"
    text = f"{words}; this loader keeps the access of {amount(width)}, which reads it {more}"
    return scene.finding(ID, "warning", text, row, _HINT)


def _copied(scene: Scene, row: Row, local: Place, found: Place) -> Finding | None:
    if not (local.is_scalar and found.is_scalar) or local.size == found.size:
        return None
    adapted = frozenset(
        other.slot
        for other in row.function.relocations
        if other.kind is CoreReloKind.FIELD_BYTE_SIZE
    )
    copied = copied_bytes(row.function.before, row.relocation.slot, adapted)
    if copied != local.size or (scene.linked and row.place not in scene.visited):
        return None
    text = (
        f"{row.name} has {amount(found.size)} there, but the program copies "
        f"{amount(copied)}: the length was fixed when the program was compiled"
    )
    return scene.finding(ID, "warning", text, row, _HINT)


def copied_bytes(
    insns: Sequence[Insn], slot: int, adapted: frozenset[int] = frozenset()
) -> int | None:
    """The constant length of the bpf_probe_read that an offset in `slot` is made for.

    A length in one of the slots `adapted` is not constant: it is relocated.
    """
    length: int | None = None
    start = max(0, slot - _AHEAD)
    for at, insn in enumerate(insns[start : slot + _AHEAD], start):
        if insn.code in _MOVES and insn.dst == 2:
            length = None if at in adapted else insn.imm
        elif insn.dst == 2 and insn.code & op.CLASS_MASK in (op.ALU, op.ALU64, op.LDX):
            length = None
        if insn.code == CALL:
            after = insns[slot + 1 : slot + _AHEAD]
            call = next((i for i in after if i.code == CALL), None)
            if insn is call:
                return length if insn.imm in _PROBE_READS and not insn.src else None
            length = None
    return None


RULE = Rule(
    ID,
    "warning",
    "A field has another width on this kernel than the one it is read with.",
    _EXAMPLE,
    _COUNTER_EXAMPLE,
    check,
)
