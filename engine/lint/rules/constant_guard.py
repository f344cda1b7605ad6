"""constant-guard: a guard that says the same on every kernel of the check."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

from engine.btf.kinds import BtfKind
from engine.btf.resolve import skip_modifiers_and_typedefs
from engine.core.kinds import CoreReloKind
from engine.errors import EngineError
from engine.lint.rule import Example, Finding, Rule
from engine.lint.scene import Row, Scene

ID = "constant-guard"

_EXAMPLE = """\
struct task_struct { int pid; } KERNEL;

SEC("raw_tp/sched_switch") int prog(void *ctx)
{
	struct task_struct *task = (void *)bpf_get_current_task();

	if (bpf_core_field_exists(task->pid))
		out = BPF_CORE_READ(task, pid);
	return 0;
}
"""
_COUNTER_EXAMPLE = """\
struct task_struct { int pid; } KERNEL;

SEC("raw_tp/sched_switch") int prog(void *ctx)
{
	struct task_struct *task = (void *)bpf_get_current_task();

	out = BPF_CORE_READ(task, pid);
	return 0;
}
"""


_FLEXIBLE = """\
struct cgroup { struct cgroup *ancestors[8]; } KERNEL; /* without a length in the kernel */

SEC("tp_btf/cgroup_mkdir") int prog(unsigned long long *ctx)
{
	struct cgroup *group = (void *)ctx[0];

	if (bpf_core_field_exists(group->ancestors[3]))
		out = (unsigned long long)BPF_CORE_READ(group, ancestors[3]);
	return 0;
}
"""
_BOUNDED = """\
struct cgroup { int level; struct cgroup *ancestors[8]; } KERNEL;

SEC("tp_btf/cgroup_mkdir") int prog(unsigned long long *ctx)
{
	struct cgroup *group = (void *)ctx[0];

	if (bpf_core_field_exists(group->ancestors) && BPF_CORE_READ(group, level) >= 3)
		out = (unsigned long long)BPF_CORE_READ(group, ancestors[3]);
	return 0;
}
"""


def check(scene: Scene) -> Iterator[Finding]:
    """Guards of array elements without a length, and answers that are the same everywhere."""
    yield from _unbounded(scene)
    yield from _constant(scene)


def _unbounded(scene: Scene) -> Iterator[Finding]:
    for row in scene.rows:
        if row.relocation.kind is CoreReloKind.FIELD_EXISTS and _has_no_length(scene, row):
            text = (
                f"{row.name} exists there whatever the index: the kernel's types give the array "
                "no length, so the guard does not tell if there is such an element"
            )
            hint = "Compare the index with a length that the kernel keeps."
            yield scene.finding(ID, "note", text, row, hint)


def _has_no_length(scene: Scene, row: Row) -> bool:
    found, btf = row.matched, scene.kernel.target.btf
    if found is None:
        return False
    for before, step in pairwise(found.accessors):
        if step.name is None and before.name is not None:
            try:
                member = btf.type(before.type_id).members[before.position]
                array = skip_modifiers_and_typedefs(btf, member.type_id)
            except (EngineError, IndexError):  # of a module
                return False
            if array.kind is BtfKind.ARRAY and array.nelems == 0:
                return True
    return False


def _constant(scene: Scene) -> Iterator[Finding]:
    """Compare the answers on all kernels under this loader; one kernel says nothing."""
    others = [
        other
        for other in scene.study.scenes
        if other.policy.id == scene.policy.id and other.linked and other is not scene
    ]
    if not scene.linked or not others:
        return
    answers = [_answers(other) for other in others]
    for row in scene.rows:
        if not row.is_guard or row.relocation.new is None:
            continue
        if any(found.get(row.key) != row.relocation.new for found in answers):
            continue
        yield _finding(scene, row, len(others) + 1)


def _answers(scene: Scene) -> dict[tuple[str, str, int], int | None]:
    return {row.key: row.relocation.new for row in scene.rows if row.is_guard}


def _finding(scene: Scene, row: Row, kernels: int) -> Finding:
    if row.relocation.new:
        text = f"{row.name} exists on all {kernels} kernels: what the guard keeps out "
        text += "never runs"
    else:
        text = f"{row.name} exists on none of the {kernels} kernels: what the guard "
        text += "lets in never runs"
    return scene.finding(ID, "note", text, row, "Leave it out, or check more kernels.")


RULE = Rule(
    ID,
    "note",
    "A guard has the same answer on every kernel that was checked.",
    _EXAMPLE,
    _COUNTER_EXAMPLE,
    check,
    (Example("flexible", _FLEXIBLE, _BOUNDED),),
)
