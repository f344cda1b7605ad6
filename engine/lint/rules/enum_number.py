"""enum-number: an array that the kernel indexes by an enumerator is read at a fixed number."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from engine.btf.decode import Btf
from engine.btf.kinds import ENUM_KINDS
from engine.lint.rule import Finding, Rule
from engine.lint.scene import Row, Scene

ID = "enum-number"

_EXAMPLE = """\
struct cgroup_subsys_state { int id; } KERNEL;
struct css_set { struct cgroup_subsys_state *subsys[14]; } KERNEL;
struct task_struct { struct css_set *cgroups; } KERNEL;

SEC("raw_tp/sched_switch") int prog(void *ctx)
{
	struct task_struct *task = (void *)bpf_get_current_task();

	out = BPF_CORE_READ(task, cgroups, subsys[13], id); /* misc_cgrp_id, somewhere */
	return 0;
}
"""
_COUNTER_EXAMPLE = """\
enum cgroup_subsys_id { misc_cgrp_id = 13 };
struct cgroup_subsys_state { int id; } KERNEL;
struct css_set { struct cgroup_subsys_state *subsys[14]; } KERNEL;
struct task_struct { struct css_set *cgroups; } KERNEL;

SEC("raw_tp/sched_switch") int prog(void *ctx)
{
	struct task_struct *task = (void *)bpf_get_current_task();
	struct css_set *set = BPF_CORE_READ(task, cgroups);
	struct cgroup_subsys_state *css = 0;

	if (!bpf_core_enum_value_exists(enum cgroup_subsys_id, misc_cgrp_id))
		return 0;
	bpf_probe_read_kernel(&css, sizeof(css),
		(void *)set->subsys + 8 * bpf_core_enum_value(enum cgroup_subsys_id, misc_cgrp_id));
	out = BPF_CORE_READ(css, id);
	return 0;
}
"""

INDEXED: Final = {
    ("css_set", "subsys"): "cgroup_subsys_id",
    ("cgroup", "subsys"): "cgroup_subsys_id",
    ("zone", "vm_stat"): "zone_stat_item",
    ("pglist_data", "vm_stat"): "node_stat_item",
    ("memcg_vmstats", "events"): "vm_event_item",
    ("lruvec", "lists"): "lru_list",
}
"""Members of kernel structs that are arrays with an element for each number of an enum.

From their declarations in Linux include/linux/cgroup-defs.h and mmzone.h.
"""


def check(scene: Scene) -> Iterator[Finding]:
    """Say what the number means here, and whether it means another thing on another kernel."""
    for row in scene.rows:
        found = _indexed(row)
        if found is None or row.is_guard:
            continue
        enum, number = found
        here = _name_of(scene.kernel.target.btf, enum, number)
        names = {
            _name_of(other.kernel.target.btf, enum, number)
            for other in scene.study.scenes
            if _knows(other.kernel.target.btf, enum)
        }
        if not _knows(scene.kernel.target.btf, enum):
            continue
        what = f"{row.name}: {number} is {here or 'no number of it'} in enum {enum} there"
        hint = f"Ask for the number with bpf_core_enum_value(enum {enum}, ...)."
        if len(names) > 1:
            text = f"{what}, and another thing on other kernels of this check"
            yield scene.finding(ID, "warning", text, row, hint)
        else:
            text = f"{what}; such numbers move from kernel to kernel"
            yield scene.finding(ID, "note", text, row, hint)


def _indexed(row: Row) -> tuple[str, int] | None:
    """The enum whose number an element of an array stands for, and that number if not 0."""
    local = row.local
    if local is None:
        return None
    for array, element in zip(local.accessors, local.accessors[1:], strict=False):
        if array.name is None or element.name is not None or not element.position:
            continue
        enum = INDEXED.get((array.type_name or local.root_name, array.name))
        if enum is not None:
            return enum, element.position
    return None


def _knows(btf: Btf, enum: str) -> bool:
    return any(btf.kind(type_id) in ENUM_KINDS for type_id in btf.ids_named(enum))


def _name_of(btf: Btf, enum: str, number: int) -> str:
    """The enumerator of a number; empty where none has it."""
    for type_id in btf.ids_named(enum):
        if btf.kind(type_id) in ENUM_KINDS:
            for each in btf.type(type_id).enumerators:
                if each.value == number:
                    return each.name
    return ""


RULE = Rule(
    ID,
    "warning",
    "An element of an array is read whose number belongs to an enumerator, and kernels number "
    "their enumerators differently.",
    _EXAMPLE,
    _COUNTER_EXAMPLE,
    check,
)
