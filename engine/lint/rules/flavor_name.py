"""flavor-name: a name that loaders cut at different places."""

from __future__ import annotations

from collections.abc import Iterator

from engine.core.kinds import ENUM_KINDS
from engine.core.names import essential_name
from engine.core.policy import FlavorRule
from engine.lint.rule import Finding, Rule
from engine.lint.scene import Row, Scene

ID = "flavor-name"

_EXAMPLE = """\
struct task_struct___old___x86 { int pid; } KERNEL;

SEC("raw_tp/sched_switch") int prog(void *ctx)
{
	struct task_struct___old___x86 *task = (void *)bpf_get_current_task();

	out = BPF_CORE_READ(task, pid);
	return 0;
}
"""
_COUNTER_EXAMPLE = """\
struct task_struct___old_x86 { int pid; } KERNEL;

SEC("raw_tp/sched_switch") int prog(void *ctx)
{
	struct task_struct___old_x86 *task = (void *)bpf_get_current_task();

	out = BPF_CORE_READ(task, pid);
	return 0;
}
"""


def check(scene: Scene) -> Iterator[Finding]:
    """Each name once per program."""
    said = set()
    for row in scene.rows:
        for name in _names(row):
            cuts = {rule: essential_name(name, rule) for rule in FlavorRule}
            if name in said or len(set(cuts.values())) == 1:
                continue
            said.add(name)
            text = (
                f"loaders do not agree what {name} is a flavor of: libbpf takes "
                f"{_quoted(cuts[FlavorRule.LAST_STRICT])}, cilium/ebpf "
                f"{_quoted(cuts[FlavorRule.LAST_LAX])}, aya {_quoted(cuts[FlavorRule.FIRST])}"
            )
            hint = "Write three underscores once, between two letters or digits."
            yield scene.finding(ID, "warning", text, row, hint)


def _names(row: Row) -> Iterator[str]:
    local = row.local
    if local is None:
        return
    yield local.root_name
    if local.kind in ENUM_KINDS:
        yield local.accessors[0].name or ""


def _quoted(name: str) -> str:
    return name if name else "nothing"


RULE = Rule(
    ID,
    "warning",
    "The name of a flavor has more than one place where it could be cut, and loaders differ.",
    _EXAMPLE,
    _COUNTER_EXAMPLE,
    check,
)
