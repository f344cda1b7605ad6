"""ambiguity: several types of the kernel fit, and they give different answers."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from engine.core.ambiguous import is_ambiguous
from engine.core.kinds import FIELD_KINDS
from engine.core.trace import StepKind
from engine.lint.rule import Finding, Rule
from engine.lint.scene import Row, Scene

ID = "ambiguity"

_EXAMPLE = """\
struct slot { int number; } KERNEL; /* a name that several drivers have taken */

SEC("raw_tp/sched_switch") int prog(void *ctx)
{
	struct slot *slot = (void *)bpf_get_current_task();

	out = BPF_CORE_READ(slot, number);
	return 0;
}
"""
_COUNTER_EXAMPLE = """\
struct slot { unsigned char adapter_status; } KERNEL; /* a member that only one of them has */

SEC("raw_tp/sched_switch") int prog(void *ctx)
{
	struct slot *slot = (void *)bpf_get_current_task();

	out = BPF_CORE_READ(slot, adapter_status);
	return 0;
}
"""

_HINT: Final = (
    "Give the type members that only the one you mean has, or add a more telling type to start "
    "from; another loader version may choose."
)


def check(scene: Scene) -> Iterator[Finding]:
    """Refusals for ambiguity, and answers that depend on the order of relocations."""
    for row in scene.rows:
        for step in row.steps(StepKind.FAILURE):
            if is_ambiguous(row.relocation.trace):
                text = f"{_candidates(row)} fit {row.name} and differ: {step.text}"
                yield scene.finding(ID, "error", text, row, _HINT)
        for step in row.steps(StepKind.PRUNED):
            text = (
                f"{step.value or 'some'} candidates of {row.name} were dropped by an "
                "earlier relocation of this type, so the answer depends on the order of the code"
            )
            yield scene.finding(ID, "note", text, row, _HINT)
    yield from _mixed(scene)


def _mixed(scene: Scene) -> Iterator[Finding]:
    """Members of one struct that were found in different ones, each on its own (aya)."""
    first: dict[int, tuple[str, list[int]]] = {}
    for row in scene.rows:
        local, found = row.local, _types(row)
        if local is None or not found or row.relocation.new is None:
            continue
        if row.relocation.kind not in FIELD_KINDS or row.is_guard:
            continue
        name, taken = first.setdefault(local.root_id, (row.name, found))
        if not set(taken) & set(found):
            text = (
                f"{row.name} was found in type [{found[0]}] of the kernel, {name} "
                f"in type [{taken[0]}]: one of them is read out of another struct"
            )
            yield scene.finding(ID, "warning", text, row, _HINT)


def _types(row: Row) -> list[int]:
    return [step.spec.root_id for step in row.steps(StepKind.MATCHED) if step.spec is not None]


def _candidates(row: Row) -> str:
    ids = [f"[{step.type_id}]" for step in row.steps(StepKind.MATCHED)]
    return f"the types {' and '.join(ids)}" if len(ids) > 1 else "several types"


RULE = Rule(
    ID,
    "error",
    "Several types of the kernel fit one relocation and give different answers.",
    _EXAMPLE,
    _COUNTER_EXAMPLE,
    check,
)
