"""reachable-poison: the verifier comes to an instruction that has no value on this kernel."""

from __future__ import annotations

from collections.abc import Iterator

from engine.core.kinds import ENUM_KINDS, FIELD_KINDS
from engine.lint.rule import Finding, Rule
from engine.lint.scene import Row, Scene

ID = "reachable-poison"

_EXAMPLE = """\
struct task_struct { long state; } KERNEL; /* __state since Linux 5.14 */

SEC("raw_tp/sched_switch") int prog(void *ctx)
{
	struct task_struct *task = (void *)bpf_get_current_task();

	out = BPF_CORE_READ(task, state);
	return 0;
}
"""
_COUNTER_EXAMPLE = """\
struct task_struct { unsigned int __state; } KERNEL;
struct task_struct___before_5_14 { long state; } KERNEL;

SEC("raw_tp/sched_switch") int prog(void *ctx)
{
	struct task_struct *task = (void *)bpf_get_current_task();
	struct task_struct___before_5_14 *old = (void *)task;

	if (bpf_core_field_exists(task->__state))
		out = BPF_CORE_READ(task, __state);
	else
		out = BPF_CORE_READ(old, state);
	return 0;
}
"""

_REGISTERS = ("pt_regs", "user_pt_regs", "user_regs_struct")


def check(scene: Scene) -> Iterator[Finding]:
    """Poison that is reached is an error; poison that may be, a warning."""
    known = set()
    for row, fact in scene.reached_poison():
        known.add(fact.slot)
        if fact.reachable == "yes":
            text = f"{row.name} has no value there, and the program comes to it"
            yield scene.finding(ID, "error", text, row, _hint(row))
        else:
            text = f"{row.name} has no value there, and may be reached: {fact.why}"
            yield scene.finding(ID, "warning", text, row, _hint(row))
    for fact in scene.verdict.poisons:
        if fact.relocation is None and fact.reachable != "no" and fact.slot not in known:
            text = f"slot {fact.slot} was poisoned before the object was given, and is reached"
            yield scene.finding(ID, "error", text)


def _hint(row: Row) -> str:
    question = row.question
    if question is not None and question.root in _REGISTERS:
        return "Registers differ by architecture: compile the program once for each of them."
    if row.relocation.kind in ENUM_KINDS:
        return "Ask bpf_core_enum_value_exists first, in the same function."
    if row.relocation.kind in FIELD_KINDS:
        return "Ask bpf_core_field_exists first; read an older name through a flavor, type___old."
    return "Ask bpf_core_type_exists first."


RULE = Rule(
    ID,
    "error",
    "An instruction that has no value on this kernel can be reached, so the kernel refuses the "
    "program.",
    _EXAMPLE,
    _COUNTER_EXAMPLE,
    check,
)
