"""loader-support: the loader refuses what the program asks for."""

from __future__ import annotations

from collections.abc import Iterator

from engine.btf.kinds import BtfKind
from engine.core.ambiguous import is_ambiguous
from engine.core.kinds import CoreReloKind
from engine.core.policy import MatchRule
from engine.core.trace import StepKind
from engine.lint.rule import Finding, Rule
from engine.lint.scene import Row, Scene

ID = "loader-support"

_EXAMPLE = """\
struct task_struct { int pid; } KERNEL;

SEC("raw_tp/sched_switch") int prog(void *ctx)
{
	out = bpf_core_type_matches(struct task_struct);
	return 0;
}
"""
_COUNTER_EXAMPLE = """\
struct task_struct { int pid; } KERNEL;

SEC("raw_tp/sched_switch") int prog(void *ctx)
{
	struct task_struct *task = 0;

	out = bpf_core_field_exists(task->pid) && bpf_core_field_size(task->pid) == 4;
	return 0;
}
"""

_UNSIGNED_LIMIT = 1 << 31
_TOO_OLD = "It is older than some kinds of BTF, such as enum64; take a newer version."
_NO_KCONFIG = (
    "It does not fill in externs of .kconfig: take a newer version, ask for a field instead of "
    "a version, or set a constant of .rodata."
)


def check(scene: Scene) -> Iterator[Finding]:
    """Explain a refusal by the relocation at which it happened, or give the loader's words."""
    refusal = scene.verdict.refusal
    if refusal is None:
        if _passed_over(scene):
            text = (
                f"{scene.policy.title} cannot read the types of the object and loads it without: "
            )
            text += "nothing is relocated, and it runs with the values of its compilation"
            yield scene.finding(ID, "warning", text, hint=_TOO_OLD)
        return
    said = False
    for row in scene.rows:
        for step in row.steps(StepKind.FAILURE):
            said = True
            if not is_ambiguous(row.relocation.trace):
                text = f"{scene.policy.title} refuses {row.words}: {_first(step.text)}"
                yield scene.finding(ID, "error", text, row, _row_hint(scene, row))
    if not said:
        text = f"{scene.policy.title} refuses the program: {_first(refusal.text)}"
        yield scene.finding(ID, "error", text, hint=_hint(scene))


def _passed_over(scene: Scene) -> bool:
    records = scene.prepared.ext.core_relos.get(scene.program.section, ())
    names = {piece.function.name for piece in scene.program.pieces}
    inside = any(
        function.offset <= record.insn_off < function.end
        for record in records
        for function in scene.prepared.functions
        if function.section == scene.program.section and function.name in names
    )
    return inside and not scene.rows


def _row_hint(scene: Scene, row: Row) -> str:
    if row.relocation.kind is CoreReloKind.TYPE_MATCHES:
        return _hint(scene) or "Compare fewer levels: ask for single fields instead."
    local = row.local
    value = None if local is None else local.enum_value
    if value is not None and value >= _UNSIGNED_LIMIT:
        return "Numbers from 2^31 on need a 64-bit enum; make one enumerator larger than 32 bits."
    return ""


def _hint(scene: Scene) -> str:
    asks_matches = any(
        relo.kind >= CoreReloKind.TYPE_MATCHES
        for relos in scene.prepared.ext.core_relos.values()
        for relo in relos
    )
    if asks_matches and scene.policy.type_matches in (
        MatchRule.UNSUPPORTED,
        MatchRule.OBJECT_REFUSED,
    ):
        return "It does not know type_matches; ask for fields and sizes instead."
    if scene.policy.newest_kind < BtfKind.ENUM64:
        refusal = scene.verdict.refusal
        return _NO_KCONFIG if refusal and ".kconfig" in refusal.text else _TOO_OLD
    return ""


def _first(text: str) -> str:
    lines = text.strip().splitlines()
    return lines[0][:300] if lines else "it gives no reason"


RULE = Rule(
    ID,
    "error",
    "The loader refuses the program: it does not know, or cannot do, what a relocation asks for.",
    _EXAMPLE,
    _COUNTER_EXAMPLE,
    check,
)
