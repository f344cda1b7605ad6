"""guard-lost: the answer of a guard takes a way on which the verifier forgets it."""

from __future__ import annotations

from collections.abc import Iterator, Set
from typing import Final

from engine.lint.guards import Guards
from engine.lint.questions import Question
from engine.lint.rule import Finding, Rule
from engine.lint.scene import Row, Scene
from engine.lint.taint import Sink, sinks_of

ID = "guard-lost"

_EXAMPLE = """\
enum node_stat_item { NR_SECONDARY_PAGETABLE = 1 };
volatile int has_item; /* in .bss: user space may write it, so the verifier trusts nothing */

SEC("raw_tp/sched_switch") int prog(void *ctx)
{
	has_item = bpf_core_enum_value_exists(enum node_stat_item, NR_SECONDARY_PAGETABLE);
	if (has_item)
		out = bpf_core_enum_value(enum node_stat_item, NR_SECONDARY_PAGETABLE);
	return 0;
}
"""
_COUNTER_EXAMPLE = """\
enum node_stat_item { NR_SECONDARY_PAGETABLE = 1 };

SEC("raw_tp/sched_switch") int prog(void *ctx)
{
	int has_item = bpf_core_enum_value_exists(enum node_stat_item, NR_SECONDARY_PAGETABLE);

	if (has_item)
		out = bpf_core_enum_value(enum node_stat_item, NR_SECONDARY_PAGETABLE);
	return 0;
}
"""

_WAYS: Final[dict[Sink, str]] = {
    "memory": "is stored in memory",
    "call": "is passed to a function",
    "return": "is returned by a function",
    "stack": "is kept on the stack",
}
"""Where an answer may be lost, the surest first."""


def check(scene: Scene) -> Iterator[Finding]:
    """Relocations that run although a guard for them stands in the program."""
    guards = scene.study.guards
    if guards is None or not guards.asked:
        return
    poisoned = {row.key for row, _ in scene.reached_poison()}
    for row in scene.rows:
        question = row.question
        if row.is_guard or question is None or row.key not in guards.places:
            continue
        answering = set(guards.answering(question))
        if not answering:
            continue
        if row.key not in poisoned and guards.is_protected(row.key, question):
            continue
        found = _lost(scene, guards, row, answering)
        if found is not None:
            yield found


def _lost(scene: Scene, guards: Guards, row: Row, answering: Set[Question]) -> Finding | None:
    for guard in scene.rows:
        if guards.asked.get(guard.key) not in answering or guard.relocation.new == 1:
            continue  # where it exists nothing is lost
        sinks = sinks_of(guard.function.before, guard.relocation.slot)
        way = next((words for sink, words in _WAYS.items() if sink in sinks), None)
        if way is None:
            continue
        text = (
            f"the answer whether {guard.name} exists {way}, where the verifier loses "
            f"it: {row.name} counts as used all the same"
        )
        return scene.finding(
            ID,
            "warning",
            text,
            row,
            "Ask again, right where the answer is needed: it costs nothing.",
        )
    return None


RULE = Rule(
    ID,
    "warning",
    "The answer of a guard goes through memory or a call, where the verifier forgets it.",
    _EXAMPLE,
    _COUNTER_EXAMPLE,
    check,
)
