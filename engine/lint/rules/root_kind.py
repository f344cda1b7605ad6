"""root-kind: the kernel has the name, but as another kind of type."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from engine.btf.kinds import ENUM_KINDS, BtfKind
from engine.core.trace import StepKind
from engine.lint.rule import Finding, Rule
from engine.lint.scene import Row, Scene

ID = "root-kind"

_EXAMPLE = """\
struct atomic_t { int counter; } KERNEL; /* a typedef in the kernel */

SEC("raw_tp/sched_switch") int prog(void *ctx)
{
	out = bpf_core_type_exists(struct atomic_t);
	return 0;
}
"""
_COUNTER_EXAMPLE = """\
typedef struct { int counter; } KERNEL atomic_t;

SEC("raw_tp/sched_switch") int prog(void *ctx)
{
	out = bpf_core_type_exists(atomic_t);
	return 0;
}
"""

_TYPES: Final = frozenset(
    {BtfKind.STRUCT, BtfKind.UNION, BtfKind.TYPEDEF, BtfKind.FWD} | ENUM_KINDS
)


def check(scene: Scene) -> Iterator[Finding]:
    """Types that only their kind keeps from being candidates, or that are taken in spite of it."""
    said = set()
    for row in scene.rows:
        local = row.local
        if local is None or (local.root_id, row.is_guard) in said:
            continue
        kind = _other_kind(scene, row)
        if kind is None:
            continue
        said.add((local.root_id, row.is_guard))
        found = f"{local.root_name} is a {local.root_kind.word} in the program"
        if row.relocation.outcome in ("patched", "unchanged") and row.matched is not None:
            text = f"{found} and a {kind} in the kernel; this loader takes it, libbpf would not"
            yield scene.finding(ID, "note", text, row, "Declare it as the kernel does.")
        else:
            text = f"{found} and a {kind} in the kernel: this loader does not take it"
            yield scene.finding(ID, "warning", text, row, "Declare it as the kernel does.")


def _other_kind(scene: Scene, row: Row) -> str | None:
    local, matched = row.local, row.matched
    if local is None:
        return None
    if matched is not None:
        same = matched.root_kind is local.root_kind
        both_enums = {matched.root_kind, local.root_kind} <= ENUM_KINDS
        return None if same or both_enums else matched.root_kind.word
    btf = scene.kernel.target.btf
    for step in row.steps(StepKind.OTHER_KIND):
        if step.type_id is None or step.origin not in ("", "vmlinux"):
            continue
        kind = btf.kind(step.type_id)
        if kind in _TYPES:
            return kind.word
    return None


RULE = Rule(
    ID,
    "warning",
    "The kernel has a type of this name, but it is of another kind than in the program.",
    _EXAMPLE,
    _COUNTER_EXAMPLE,
    check,
)
