"""plain-bitfield: the bits of a bitfield are taken from where they were at compile time."""

from __future__ import annotations

from collections.abc import Iterator

from engine.core.kinds import CoreReloKind
from engine.core.policy import BitfieldLoad
from engine.lint.places import amount, place_of
from engine.lint.rule import Finding, Rule
from engine.lint.scene import Row, Scene

ID = "plain-bitfield"

_EXAMPLE = """\
struct task_struct { unsigned int sched_reset_on_fork : 1, no_cgroup_migration : 1; } KERNEL;

SEC("tp_btf/sched_switch") int prog(unsigned long long *ctx)
{
	struct task_struct *task = (void *)ctx[1];

	out = task->no_cgroup_migration;
	return 0;
}
"""
_COUNTER_EXAMPLE = """\
struct task_struct { unsigned int sched_reset_on_fork : 1, no_cgroup_migration : 1; } KERNEL;

SEC("tp_btf/sched_switch") int prog(unsigned long long *ctx)
{
	struct task_struct *task = (void *)ctx[1];

	out = BPF_CORE_READ_BITFIELD(task, no_cgroup_migration);
	return 0;
}
"""

_SHIFTS = (CoreReloKind.FIELD_LSHIFT_U64, CoreReloKind.FIELD_RSHIFT_U64)
_HINT = "Read it with BPF_CORE_READ_BITFIELD, or BPF_CORE_READ_BITFIELD_PROBED behind a pointer."


def check(scene: Scene) -> Iterator[Finding]:
    """Offsets of bitfields without the shifts that the macros ask for."""
    btf = scene.prepared.btf
    if btf is None:
        return
    shifted = {_access(row) for row in scene.rows if row.relocation.kind in _SHIFTS}
    for row in scene.rows:
        if row.relocation.kind is not CoreReloKind.FIELD_BYTE_OFFSET:
            continue
        if _access(row) in shifted:
            yield from _cut(scene, row)
            continue
        local = place_of(row.local, btf)
        if local is not None and local.bits:
            text = (
                f"{row.name} is a bitfield; only its bytes are relocated, its bits "
                "are taken from where they were when the program was compiled"
            )
            yield scene.finding(ID, "warning", text, row, _HINT)
            continue
        found = place_of(row.matched, scene.kernel.target.btf)
        if local is not None and found is not None and found.bits:
            text = f"{row.name} is a bitfield there, and is read as a whole number"
            yield scene.finding(ID, "warning", text, row, _HINT)


def _cut(scene: Scene, row: Row) -> Iterator[Finding]:
    """Bits that the macro loses: the load is not made wider (cilium/ebpf, for one)."""
    found, spec = place_of(row.matched, scene.kernel.target.btf), row.matched
    if scene.policy.bitfield_load is not BitfieldLoad.ALIGNED or found is None or spec is None:
        return
    if not found.bits or not found.size:
        return
    unit = found.size * 8
    lost = spec.bit_offset % unit + found.bits - unit
    if lost > 0:
        text = (
            f"{row.name} lies across a boundary of {amount(found.size)} there: "
            f"{scene.policy.title} loads no more than these, and loses {lost} of {found.bits} bits"
        )
        hint = "Read the bytes on both sides with bpf_probe_read_kernel and join them."
        yield scene.finding(ID, "warning", text, row, hint)


def _access(row: Row) -> object:
    local = row.local
    return row.function.name, row.relocation.access, None if local is None else local.root_id


RULE = Rule(
    ID,
    "warning",
    "A bitfield is read without the macro that takes its bits from where the kernel has them.",
    _EXAMPLE,
    _COUNTER_EXAMPLE,
    check,
)
