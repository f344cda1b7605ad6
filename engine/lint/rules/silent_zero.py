"""silent-zero: the size or id of a type that the kernel lacks, used as a number."""

from __future__ import annotations

from collections.abc import Iterator

from engine.core.kinds import CoreReloKind
from engine.core.trace import StepKind
from engine.lint.rule import Finding, Rule
from engine.lint.scene import Row, Scene

ID = "silent-zero"

_EXAMPLE = """\
struct bpf_iter_num { int value; } KERNEL; /* since Linux 6.4 */

SEC("raw_tp/sched_switch") int prog(void *ctx)
{
	out = bpf_core_type_size(struct bpf_iter_num);
	return 0;
}
"""
_COUNTER_EXAMPLE = """\
struct bpf_iter_num { int value; } KERNEL;

SEC("raw_tp/sched_switch") int prog(void *ctx)
{
	if (bpf_core_type_exists(struct bpf_iter_num))
		out = bpf_core_type_size(struct bpf_iter_num);
	return 0;
}
"""

_KINDS = (CoreReloKind.TYPE_SIZE, CoreReloKind.TYPE_ID_TARGET)
_BECOMES = {
    "poisoned": "this loader poisons the instruction, others write 0",
    "failed": "this loader refuses the program, others write 0",
}


def check(scene: Scene) -> Iterator[Finding]:
    """Only code that runs on this kernel counts."""
    for row in scene.rows:
        if row.relocation.kind not in _KINDS or not _is_missing(row):
            continue
        if not _runs(scene, row):
            continue
        becomes = _BECOMES.get(row.relocation.outcome, "it becomes 0, and nothing says so")
        what = "size" if row.relocation.kind is CoreReloKind.TYPE_SIZE else "id"
        text = f"the kernel has no {row.name}, so it has no {what}: {becomes}"
        hint = "Ask bpf_core_type_exists first."
        yield scene.finding(ID, "warning", text, row, hint)


def _runs(scene: Scene, row: Row) -> bool:
    if scene.linked:
        return row.place in scene.visited
    guards, question = scene.study.guards, row.question
    return guards is None or question is None or not guards.is_protected(row.key, question)


def _is_missing(row: Row) -> bool:
    return bool(row.steps(StepKind.NO_CANDIDATE) or row.steps(StepKind.NO_MATCH))


RULE = Rule(
    ID,
    "warning",
    "The size or id of a type that the kernel lacks is 0 for some loaders and an error for others.",
    _EXAMPLE,
    _COUNTER_EXAMPLE,
    check,
)
