"""loader-support: the loader refuses what the program asks for."""

from __future__ import annotations

from collections.abc import Iterator

from engine.btf.kinds import INT_SIGNED, BtfKind
from engine.btf.resolve import skip_modifiers_and_typedefs
from engine.core.ambiguous import is_ambiguous
from engine.core.kinds import CoreReloKind
from engine.core.policy import EnumSign, MatchRule, Signedness
from engine.core.trace import StepKind
from engine.lint.levels import SKELETON_LEVELS, Levels
from engine.lint.rule import Example, Finding, Rule
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
_UNSIGNED = (
    "is 2^31 or more in an enum of 32 bits: libbpf and light skeletons take it for negative, "
    "miss the value that the compiler wrote, and refuse the program"
)
_ENUM64 = "Numbers from 2^31 on need a 64-bit enum; make one enumerator larger than 32 bits."
_FEWER = "Compare fewer levels: ask for single fields instead."
_OWN_SIGN = "Extend the sign by hand: (value ^ top_bit) - top_bit; or take a newer version."
_TOO_OLD = "It is older than some kinds of BTF, such as enum64; take a newer version."
_NO_KCONFIG = (
    "It does not fill in externs of .kconfig: take a newer version, ask for a field instead of "
    "a version, or set a constant of .rodata."
)


_UNSIGNED_FOUND = """\
enum rt_class_t { RT_TABLE_MAX = 0xFFFFFFFF };

SEC("raw_tp/sched_switch") int prog(void *ctx)
{
	if (bpf_core_enum_value_exists(enum rt_class_t, RT_TABLE_MAX))
		out = bpf_core_enum_value(enum rt_class_t, RT_TABLE_MAX);
	return 0;
}
"""
_UNSIGNED_NOT_FOUND = """\
enum rt_class_t { RT_TABLE_MAX = 0xFFFFFFFF };

SEC("raw_tp/sched_switch") int prog(void *ctx)
{
	if (bpf_core_enum_value_exists(enum rt_class_t, RT_TABLE_MAX))
		out = 1;
	return 0;
}
"""
_LEVELS_FOUND = """\
struct load_weight { unsigned long weight; unsigned int inv_weight; } KERNEL;
struct sched_entity { struct load_weight load; } KERNEL;

SEC("raw_tp/sched_switch") int prog(void *ctx)
{
	out = bpf_core_type_matches(struct sched_entity);
	return 0;
}
"""
_LEVELS_NOT_FOUND = """\
struct load_weight { unsigned long weight; unsigned int inv_weight; } KERNEL;

SEC("raw_tp/sched_switch") int prog(void *ctx)
{
	out = bpf_core_type_matches(struct load_weight);
	return 0;
}
"""


def check(scene: Scene) -> Iterator[Finding]:
    """Explain a refusal by the relocation at which it happened, or give the loader's words."""
    yield from _elsewhere(scene)
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
                if _is_unsigned(scene, row):
                    text += f"; {_UNSIGNED}"
                yield scene.finding(ID, "error", text, row, _row_hint(scene, row))
    if not said:
        text = f"{scene.policy.title} refuses the program: {_first(refusal.text)}"
        yield scene.finding(ID, "error", text, hint=_hint(scene))


def _elsewhere(scene: Scene) -> Iterator[Finding]:
    """What this loader does, and libbpf or a light skeleton does not."""
    levels = Levels(scene.prepared.btf)
    for row in scene.rows:
        local = row.local
        if local is None or row.steps(StepKind.FAILURE):
            continue
        if _is_unsigned(scene, row):
            yield scene.finding(ID, "note", f"{row.name} {_UNSIGNED}", row, _ENUM64)
        elif _comes_out_negative(scene, row):
            text = f"{row.name} is 2^31 or more there, and {scene.policy.title} extends its sign"
            yield scene.finding(ID, "warning", text, row, _ENUM64)
        elif _loses_sign(scene, row):
            text = (
                f"{row.name} has a sign there, and {scene.policy.title} says that it has none: "
                "it looks at the struct and not at the field"
            )
            yield scene.finding(ID, "warning", text, row, _OWN_SIGN)
        elif row.relocation.kind is CoreReloKind.TYPE_MATCHES and levels.exceed(local.root_id):
            text = (
                f"{row.name} holds types within types: for a light skeleton the kernel goes "
                f"{SKELETON_LEVELS} levels down, and refuses the program if it has to go further"
            )
            yield scene.finding(ID, "note", text, row, _FEWER)


def _is_unsigned(scene: Scene, row: Row) -> bool:
    """Whether a 32-bit enumerator's value is asked for that libbpf takes for a negative one."""
    local, btf = row.local, scene.prepared.btf
    if local is None or btf is None or row.relocation.kind is not CoreReloKind.ENUMVAL_VALUE:
        return False
    if row.matched is None:
        return False  # without a value to write, nothing is compared
    is_narrow = btf.kind(local.accessors[0].type_id) is BtfKind.ENUM
    return is_narrow and (local.enum_value or 0) >= _UNSIGNED_LIMIT


def _comes_out_negative(scene: Scene, row: Row) -> bool:
    local, found, btf = row.local, row.matched, scene.prepared.btf
    if found is None or local is None or btf is None:
        return False
    if row.relocation.kind is not CoreReloKind.ENUMVAL_VALUE:
        return False
    if btf.type(local.accessors[0].type_id).kind_flag:
        return False  # negative it is; older kernels do not tell so in their types
    value, new = found.enum_value or 0, row.relocation.new or 0
    return scene.policy.enum_sign is EnumSign.EXTENDED and new != value >= _UNSIGNED_LIMIT


def _loses_sign(scene: Scene, row: Row) -> bool:
    """Whether the sign of a signed field is taken from its struct, which has none."""
    if row.relocation.kind is not CoreReloKind.FIELD_SIGNED or row.relocation.new != 0:
        return False
    found = row.matched
    if scene.policy.signedness is not Signedness.ROOT or found is None:
        return False
    btf = scene.kernel.target.btf
    field = skip_modifiers_and_typedefs(btf, found.accessors[-1].member_type_id)
    return bool(field.int_encoding & INT_SIGNED) if field.kind is BtfKind.INT else False


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
        return _hint(scene) or _FEWER
    return _ENUM64 if _is_unsigned(scene, row) else ""


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
    (
        Example("unsigned", _UNSIGNED_FOUND, _UNSIGNED_NOT_FOUND),
        Example("levels", _LEVELS_FOUND, _LEVELS_NOT_FOUND),
    ),
)
