"""constant-guard: a guard that says the same on every kernel of the check."""

from __future__ import annotations

from collections.abc import Iterator

from engine.lint.rule import Finding, Rule
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


def check(scene: Scene) -> Iterator[Finding]:
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
)
