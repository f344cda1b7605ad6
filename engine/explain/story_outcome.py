"""The end of a story: what changed, which value came out, and what became of the instruction."""

from __future__ import annotations

from collections.abc import Iterator

from engine.btf.decode import Btf
from engine.btf.kinds import BtfType
from engine.btf.resolve import skip_modifiers_and_typedefs
from engine.core.kinds import FIELD_KINDS, CoreReloKind
from engine.core.policy import SizeChange, Strategy, WidePoison
from engine.core.trace import StepKind
from engine.explain.fields import Field, c_name, field_of
from engine.explain.narrate import shown, why
from engine.explain.scene import Scene
from engine.explain.story_candidates import candidate
from engine.explain.words import Piece, Text, code, count, text
from engine.insn.disasm import disassemble

_DATA_KINDS = FIELD_KINDS - {CoreReloKind.FIELD_EXISTS}


def changes(scene: Scene) -> Iterator[Text]:
    """How the field differs from the one that the program was compiled for."""
    local, taken = scene.local, scene.taken()
    if local is None or taken is None or local.kind not in _DATA_KINDS:
        return
    if scene.relocation.outcome == "failed":
        return
    mine, theirs = field_of(local, scene.local_btf), field_of(taken[1], taken[0])
    if mine is None or theirs is None:
        return
    if mine.anonymous != theirs.anonymous:
        yield _moved(mine, theirs)
    if mine.bit_offset != theirs.bit_offset:
        yield text(f"It lies at {theirs.place} instead of {mine.place}.")
    if bool(mine.bits) != bool(theirs.bits):
        yield _bitfield(mine, theirs)
    elif mine.bits != theirs.bits:
        now, was = count(theirs.bits, "bit"), count(mine.bits, "bit")
        yield text(f"It has {now} instead of {was}.")
    elif mine.size != theirs.size:
        yield _resized(mine, theirs)
    if mine.signed is not None and theirs.signed is not None and mine.signed != theirs.signed:
        now, was = ("signed", "unsigned") if theirs.signed else ("unsigned", "signed")
        yield text(f"It is {now} instead of {was}.")


def _moved(mine: Field, theirs: Field) -> Text:
    def inside(field: Field) -> str:
        if not field.anonymous:
            return "directly in the struct"
        return f"inside of {count(field.anonymous, 'anonymous member')}"

    return text(
        f"The kernel has it {inside(theirs)}, the program {inside(mine)}: anonymous structs and "
        "unions make no difference to the search."
    )


def _bitfield(mine: Field, theirs: Field) -> Text:
    if theirs.bits:
        change = f"a bitfield of {count(theirs.bits, 'bit')}, the program a plain "
        return text(f"The kernel has {change}", code(mine.words), ".")
    return text(
        "The kernel has a plain ",
        code(theirs.words),
        f", the program a bitfield of {count(mine.bits, 'bit')}.",
    )


def _resized(mine: Field, theirs: Field) -> Text:
    return text(
        f"It takes {count(theirs.size, 'byte')} (",
        code(theirs.words),
        f") instead of {mine.size} (",
        code(mine.words),
        ").",
    )


def value(scene: Scene) -> Text:
    """The value before and after."""
    relocation = scene.relocation
    new, orig = relocation.new, relocation.orig
    if new is None:
        return text("There is nothing to write.")
    if orig is None:
        return text(f"The value is {shown(new)}.")
    if orig == new:
        return text(f"The value is {shown(new)}, as the program was compiled.")
    return text(f"The value changes from {shown(orig)} to {shown(new)}.")


_WIDE = {
    WidePoison.TWO_CALLS: "both slots of the load become calls of a helper that no kernel has",
    WidePoison.ONE_CALL: "the two slots of the load become one call of a helper that no kernel "
    "has, so everything behind it moves up by one slot while jumps keep their distance",
    WidePoison.R10_LOAD: "the load becomes a load into r10, which no program may write",
}


def poison(scene: Scene) -> Text:
    """Say what stands in place of the instruction, and when that is harmless."""
    resize = any(step.text for step in scene.steps(StepKind.POISON))
    reason = (
        "the access cannot be made as wide as the field without reading something else"
        if resize
        else "there is no value to write"
    )
    what = "the instruction becomes a call of a helper that no kernel has"
    if scene.relocation.slots == 2:
        what = _WIDE[scene.policy.wide_poison]
    return text(
        f"Because {reason}, {what} (",
        code("195896080"),
        " is 0xbad2310): the kernel refuses the program if it can get there.",
    )


def failure(scene: Scene) -> Text:
    """The loader's refusal in its own words."""
    return text(f"{scene.policy.title} gives up: ", code(why(scene.relocation)), ".")


def instruction(scene: Scene) -> Text:
    """The instruction before and after."""
    function, relocation = scene.function, scene.relocation
    if function is None or relocation.slot >= len(function.before):
        return ()
    order = scene.prepared.obj.byte_order
    slot, end = relocation.slot, relocation.slot + relocation.slots
    before = disassemble(function.before[slot:end], byte_order=order)[0].text
    if function.after is None:
        return ()
    place = function.slot_map[slot]
    if place is None:
        return text("The instruction ", code(before), " is gone.")
    slots = sum(function.slot_map[at] is not None for at in range(slot, end))
    lines = disassemble(function.after[place : place + slots], byte_order=order)
    after = " ; ".join(line.text for line in lines)
    parts: list[str | Piece] = ["The instruction ", code(before), " becomes ", code(after)]
    if after == before:
        parts = ["The instruction stays ", code(before)]
    if slots < relocation.slots:
        parts.append(", one slot shorter")
    if _misread(scene):
        parts.append("; the access keeps its width although the field has another one")
    return text(*parts, ".")


def _misread(scene: Scene) -> bool:
    """Whether a loader that never resizes left an access of the wrong width."""
    if scene.policy.size_change is not SizeChange.IGNORED or scene.function is None:
        return False
    relocation = scene.relocation
    insn = scene.function.before[relocation.slot]
    if relocation.kind is not CoreReloKind.FIELD_BYTE_OFFSET or insn.code & 7 not in (1, 2, 3):
        return False
    local, taken = scene.local, scene.taken()
    if local is None or taken is None or relocation.outcome == "poisoned":
        return False
    mine, theirs = field_of(local, scene.local_btf), field_of(taken[1], taken[0])
    return mine is not None and theirs is not None and mine.size != theirs.size


def ambiguous(scene: Scene) -> Text:
    """For a refusal because several types fit: their ids, and where they first differ."""
    failure = why(scene.relocation) if scene.relocation.outcome == "failed" else ""
    if "ambigu" not in failure and "multiple candidate" not in failure:
        return ()
    kinds: tuple[StepKind, ...] = (StepKind.MATCHED,)
    said = "fit and give different values: "
    if scene.policy.strategy is Strategy.GROUPED:
        kinds = (StepKind.MATCHED, StepKind.REFUSED)
        said = "answer equally much of what is asked of this type, with different values: "
    tried = scene.steps(*kinds)
    rows = [(step, btf) for step in tried if (btf := scene.btf_of(step)) is not None]
    if len(rows) < 2:
        return text("Several types of the kernel fit and give different values.")
    first, first_btf = rows[0]
    other, other_btf = rows[-1]
    parts: list[str | Piece] = [f"{len(rows)} types of the kernel {said}"]
    for position, (step, _) in enumerate(rows[:4]):
        parts += [", " if position else "", *candidate(scene, step)]
    parts.append(". ")
    parts += first_difference(first_btf, first.type_id or 0, other_btf, other.type_id or 0)
    return text(*parts)


def first_difference(one: Btf, one_id: int, other: Btf, other_id: int) -> list[str | Piece]:
    """The first member, or enumerator, in which two types of the target differ."""
    mine = skip_modifiers_and_typedefs(one, one_id)
    theirs = skip_modifiers_and_typedefs(other, other_id)
    ids = (f"[{mine.id}]", f"[{theirs.id}]")
    if mine.is_enum and theirs.is_enum:
        return _first([_values(mine), _values(theirs)], ids, "enumerator")
    return _first([_rows(one, mine), _rows(other, theirs)], ids, "member")


def _values(enum: BtfType) -> list[str]:
    return [f"{row.name} = {row.value}" for row in enum.enumerators]


def _rows(btf: Btf, composite: BtfType) -> list[str]:
    return [
        f"{c_name(btf, member.type_id)} {member.name} at byte {member.bit_offset // 8}"
        for member in composite.members
    ]


def _first(rows: list[list[str]], ids: tuple[str, str], what: str) -> list[str | Piece]:
    for position, (one, other) in enumerate(zip(*rows, strict=False)):
        if one != other:
            return [
                f"They first differ in {what} {position}: {ids[0]} has ", code(one),
                f", {ids[1]} has ", code(other), ".",
            ]  # fmt: skip
    if len(rows[0]) != len(rows[1]):
        long = rows[0] if len(rows[0]) > len(rows[1]) else rows[1]
        place = min(len(rows[0]), len(rows[1]))
        holder = ids[0] if long is rows[0] else ids[1]
        return [f"They first differ in {what} {place}: only {holder} has ", code(long[place]), "."]
    return [f"Their {what}s have the same names and places; they differ further in."]
