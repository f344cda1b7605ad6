"""guard-mismatch: what is asked for exists, what is used behind it does not."""

from __future__ import annotations

from collections.abc import Iterator

from engine.lint.guards import Guards
from engine.lint.rule import Finding, Rule
from engine.lint.scene import Row, Scene

ID = "guard-mismatch"

_EXAMPLE = """\
struct task_struct { int pid; long state; } KERNEL;

SEC("raw_tp/sched_switch") int prog(void *ctx)
{
	struct task_struct *task = (void *)bpf_get_current_task();

	if (bpf_core_field_exists(task->pid))
		out = BPF_CORE_READ(task, state);
	return 0;
}
"""
_COUNTER_EXAMPLE = """\
struct task_struct { int pid; long state; } KERNEL;

SEC("raw_tp/sched_switch") int prog(void *ctx)
{
	struct task_struct *task = (void *)bpf_get_current_task();

	if (bpf_core_field_exists(task->state))
		out = BPF_CORE_READ(task, state);
	return 0;
}
"""


def check(scene: Scene) -> Iterator[Finding]:
    """Look at reached poison behind a guard that lets it through."""
    guards = scene.study.guards
    if guards is None:
        return
    for row, _ in scene.reached_poison():
        guard = _open_guard(scene, guards, row)
        if guard is not None:
            text = (
                f"{row.name} is used behind the guard {guard.name} "
                f"({guard.relocation.kind_word}), which is true there although it has no value"
            )
            yield scene.finding(ID, "warning", text, row, "Ask for exactly what is used behind it.")
            continue
        guard = _inverted_guard(scene, guards, row)
        if guard is not None:
            text = (
                f"{row.name} is used on the side of its guard that is taken where it does not exist"
            )
            yield scene.finding(ID, "warning", text, row, "Turn the condition round.")


def _open_guard(scene: Scene, guards: Guards, row: Row) -> Row | None:
    """The last guard in front of this relocation, if all of them let it through."""
    protecting = set(guards.protecting(row.key))
    found = [r for r in scene.rows if r.is_guard and guards.asked.get(r.key) in protecting]
    if not found or any(guard.relocation.new != 1 for guard in found):
        return None
    before = [g for g in found if guards.places[g.key] < guards.places[row.key]]
    return max(before or found, key=lambda guard: guards.places[guard.key])


def _inverted_guard(scene: Scene, guards: Guards, row: Row) -> Row | None:
    question = row.question
    if question is None or guards.runs(row.key):
        return None
    for guard in scene.rows:
        asked = guards.asked.get(guard.key)
        if asked is None or guard.relocation.new != 0 or not asked.answers(question):
            continue
        if guards.runs(row.key, (asked,)):
            return guard
    return None


RULE = Rule(
    ID,
    "warning",
    "A guard asks for something else than what is used behind it, and on this kernel the two "
    "differ.",
    _EXAMPLE,
    _COUNTER_EXAMPLE,
    check,
)
