"""no-relocation: a field of a kernel struct at the offset of one kernel."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Final

from engine.btf.decode import Btf
from engine.btf.kinds import BtfKind, TypeId
from engine.core.members import flat_members
from engine.core.result import FunctionResult
from engine.errors import EngineError
from engine.lint.places import place_of
from engine.lint.pointers import Access, Typing, argument_structs, fixed_accesses, pointee
from engine.lint.rule import Finding, Rule
from engine.lint.scene import Scene

ID = "no-relocation"

_EXAMPLE = """\
struct task_struct { long pad[4]; int pid; }; /* without preserve_access_index */

SEC("raw_tp/sched_switch") int prog(void *ctx)
{
	struct task_struct *task = (void *)bpf_get_current_task();

	bpf_probe_read_kernel(&out, sizeof(int), &task->pid);
	return 0;
}
"""
_COUNTER_EXAMPLE = """\
struct task_struct { long pad[4]; int pid; } KERNEL;

SEC("raw_tp/sched_switch") int prog(void *ctx)
{
	struct task_struct *task = (void *)bpf_get_current_task();

	bpf_probe_read_kernel(&out, sizeof(int), &task->pid);
	return 0;
}
"""

_FIELD: Final = re.compile(r"->\s*([A-Za-z_]\w*)")
_HINT: Final = (
    "Mark the struct with __attribute__((preserve_access_index)), as vmlinux.h does, or read it "
    "with BPF_CORE_READ."
)


def check(scene: Scene) -> Iterator[Finding]:
    """Reads whose source line names a member of the struct that is read."""
    btf = scene.kernel.target.btf
    relocated: dict[tuple[str, str], dict[int, TypeId | None]] = {}
    for row in scene.rows:
        place = place_of(row.matched, btf)
        struct = None if place is None else pointee(btf, place.type.id)
        relocated.setdefault(row.key[:2], {})[row.relocation.slot] = struct
    for number, piece in enumerate(scene.program.pieces):
        function = piece.function
        known = relocated.get((function.section, function.name), {})
        typing = Typing(_task(btf), _arguments(scene) if number == 0 else {}, known)
        for access in fixed_accesses(function.before, typing, is_entry=number == 0):
            found = _finding(scene, function, access)
            if found is not None:
                yield found


def _task(btf: Btf) -> TypeId | None:
    ids = btf.ids_named("task_struct")
    return next((i for i in ids if btf.kind(i) is BtfKind.STRUCT), None)


def _arguments(scene: Scene) -> Mapping[int, TypeId]:
    attach = scene.program.attach
    if attach is None or attach.btf_id is None or attach.module:
        return {}
    return argument_structs(scene.kernel.target.btf, attach.btf_id)


def _finding(scene: Scene, function: FunctionResult, access: Access) -> Finding | None:
    line = function.lines[access.slot]
    if line is None:
        return None
    btf = scene.kernel.target.btf
    struct = btf.type(access.struct)
    try:
        members = flat_members(btf, struct).by_name
    except EngineError:
        return None
    named = [name for name in _FIELD.findall(line.line) if name in members]
    if not named:
        return None
    text = (
        f"{struct.kind.word} {struct.name}.{named[0]} is read at the fixed byte {access.offset}; "
        "no relocation puts in where the kernel has it"
    )
    return Finding(
        ID,
        "warning",
        scene.program.name,
        text,
        function=function.name,
        slot=access.slot,
        line=line.line_number,
        file=line.file_name,
        hint=_HINT,
    )


RULE = Rule(
    ID,
    "warning",
    "A field of a kernel struct is read at an offset that no relocation adapts to the kernel.",
    _EXAMPLE,
    _COUNTER_EXAMPLE,
    check,
)
