"""jump-over-load: a loader that loses a slot, and a jump that passes over it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from engine.core.kinds import CoreReloKind
from engine.core.policy import WidePoison
from engine.insn.codec import Insn
from engine.insn.opcodes import jump_target
from engine.lint.rule import Finding, Rule
from engine.lint.scene import Scene

ID = "jump-over-load"

_EXAMPLE = """\
enum node_stat_item { NR_SECONDARY_PAGETABLE = 1 };

SEC("raw_tp/sched_switch") int prog(void *ctx)
{
	if (bpf_core_enum_value_exists(enum node_stat_item, NR_SECONDARY_PAGETABLE))
		out = bpf_core_enum_value(enum node_stat_item, NR_SECONDARY_PAGETABLE);
	return 0;
}
"""
_COUNTER_EXAMPLE = """\
enum node_stat_item { NR_SECONDARY_PAGETABLE = 1 };

static __attribute__((noinline)) long item_number(void)
{
	return bpf_core_enum_value(enum node_stat_item, NR_SECONDARY_PAGETABLE);
}

SEC("raw_tp/sched_switch") int prog(void *ctx)
{
	if (bpf_core_enum_value_exists(enum node_stat_item, NR_SECONDARY_PAGETABLE))
		out = item_number();
	return 0;
}
"""

_WIDE = (CoreReloKind.ENUMVAL_VALUE, CoreReloKind.TYPE_ID_TARGET)
_BROKEN = ("jump-broken", "silently-different")
_HINT = (
    "Use a loader without this fault (cilium/ebpf 0.13.1 or newer), or move the value into a "
    "static function of its own, which no jump crosses."
)


def check(scene: Scene) -> Iterator[Finding]:
    """An error where the program breaks on this kernel; elsewhere a note."""
    if scene.policy.wide_poison is not WidePoison.ONE_CALL:
        return
    kind = scene.verdict.kind
    said = False
    for row in scene.rows:
        relocation = row.relocation
        if relocation.kind not in _WIDE or relocation.slots != 2:
            continue
        if not crossed(row.function.before, relocation.slot):
            continue
        what = f"a jump passes over the two-slot load of {row.name}"
        if relocation.outcome != "poisoned":
            text = f"{what}, of which this loader leaves one slot on a kernel that lacks it"
            yield scene.finding(ID, "note", text, row, _HINT)
        elif kind in _BROKEN:
            said = True
            text = f"{what}, of which this loader leaves one slot. {scene.verdict.headline}"
            yield scene.finding(ID, "error", text, row, _HINT)
        else:
            text = f"{what}, of which this loader leaves one slot; no such jump can run here"
            yield scene.finding(ID, "note", text, row, _HINT)
    if kind in _BROKEN and not said:
        yield scene.finding(ID, "error", scene.verdict.headline, hint=_HINT)
    elif kind == "unknown" and scene.verdict.live_strays:
        yield scene.finding(ID, "warning", scene.verdict.headline, hint=_HINT)


def crossed(insns: Sequence[Insn], slot: int) -> bool:
    """Whether some jump of a function starts on one side of a two-slot load and ends beyond."""
    for at, insn in enumerate(insns):
        target = jump_target(at, insn)
        if target is None or at == slot + 1:
            continue
        if at < slot + 1 < target or target < slot + 1 < at:
            return True
    return False


RULE = Rule(
    ID,
    "error",
    "A jump passes over a two-slot load of which cilium/ebpf 0.9 to 0.13.0 leave only one slot.",
    _EXAMPLE,
    _COUNTER_EXAMPLE,
    check,
)
