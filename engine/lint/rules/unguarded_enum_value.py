"""unguarded-enum-value: an enumerator's number is used where nobody asked if it exists."""

from __future__ import annotations

from collections.abc import Iterator

from engine.core.kinds import CoreReloKind
from engine.lint.rule import Finding, Rule, Severity
from engine.lint.scene import Row, Scene

ID = "unguarded-enum-value"

_EXAMPLE = """\
enum node_stat_item { NR_SECONDARY_PAGETABLE = 1 }; /* since Linux 6.1 */

SEC("raw_tp/sched_switch") int prog(void *ctx)
{
	out = bpf_core_enum_value(enum node_stat_item, NR_SECONDARY_PAGETABLE);
	return 0;
}
"""
_COUNTER_EXAMPLE = """\
enum node_stat_item { NR_SECONDARY_PAGETABLE = 1 };

SEC("raw_tp/sched_switch") int prog(void *ctx)
{
	if (bpf_core_enum_value_exists(enum node_stat_item, NR_SECONDARY_PAGETABLE))
		out = bpf_core_enum_value(enum node_stat_item, NR_SECONDARY_PAGETABLE);
	return 0;
}
"""


def check(scene: Scene) -> Iterator[Finding]:
    """A warning where the enumerator is missing, a note where this kernel has it."""
    guards = scene.study.guards
    if guards is None:
        return
    for row in scene.rows:
        if row.relocation.kind is not CoreReloKind.ENUMVAL_VALUE or row.key not in guards.places:
            continue
        question = row.question
        if question is None or guards.is_protected(row.key, question):
            continue
        if guards.answering(question):
            text = f"{row.name} is used outside of the guard that asks for it"
        else:
            text = f"{row.name} is used, and nothing asks whether it exists"
        hint = "Put it behind if (bpf_core_enum_value_exists(...)) in the same function."
        yield scene.finding(ID, _severity(row), text, row, hint)


def _severity(row: Row) -> Severity:
    return "note" if row.relocation.outcome in ("patched", "unchanged") else "warning"


RULE = Rule(
    ID,
    "warning",
    "The number of an enumerator is used where nothing has asked whether the kernel has it.",
    _EXAMPLE,
    _COUNTER_EXAMPLE,
    check,
)
