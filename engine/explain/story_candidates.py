"""The middle of a story: each candidate, and the rule that took or refused it."""

from __future__ import annotations

from collections.abc import Iterator

from engine.btf.kinds import BtfKind
from engine.btf.resolve import skip_modifiers_and_typedefs
from engine.core.kinds import ENUM_KINDS, FIELD_KINDS
from engine.core.names import essential_name
from engine.core.policy import LoaderPolicy
from engine.core.spec import AccessSpec
from engine.core.trace import Step, StepKind
from engine.explain.fields import Field, c_name, field_of
from engine.explain.fields import type_words as full_words
from engine.explain.narrate import refusal_words, shown, type_words
from engine.explain.nearest import enums_with, near_enumerators, near_members, near_types
from engine.explain.scene import Scene
from engine.explain.words import Piece, Text, code, count, listed, text


def candidate(scene: Scene, step: Step) -> list[str | Piece]:
    """A candidate by id, kind, name and where it comes from."""
    btf = scene.btf_of(step)
    parts: list[str | Piece] = [f"[{step.type_id}] "]
    if btf is not None and step.type_id is not None:
        found = btf.type(step.type_id)
        parts.append(code(type_words(found.kind, found.name)))
    if step.origin and step.origin != "vmlinux":
        parts += [" of module ", code(step.origin)]
    return parts


def other_kind(scene: Scene, local: AccessSpec, step: Step) -> Text:
    """A type that has the name but is of another kind."""
    return text(
        *candidate(scene, step),
        f" has the name but is a {step.text}, not a {local.root_kind.word}: it is passed over.",
    )


def refused(scene: Scene, local: AccessSpec, step: Step) -> Text:
    """A candidate and the rule that refused it."""
    parts: list[str | Piece] = [*candidate(scene, step), " is refused: "]
    ended = scene.holder(step)
    if step.rule == "no-member" and ended is not None:
        words = full_words(*ended)
        return text(*parts, code(words), " has no member ", code(step.text), ".")
    if step.rule == "no-enumerator":
        return text(*parts, "it has no enumerator ", code(step.text), ".")
    if step.rule == "field-type":
        return text(*parts, *_incompatible(scene, step))
    return text(*parts, f"{refusal_words(step, local)} (rule {step.rule}).")


def _incompatible(scene: Scene, step: Step) -> list[str | Piece]:
    """Say which types met where a member's type did not fit."""
    ended, mine = scene.holder(step), scene.wanted(step)
    member = None
    if ended is not None and mine is not None:
        member = next((m for m in ended[1].members if m.name == mine.name), None)
    if mine is None or member is None or ended is None:
        return [code(step.text), " has an incompatible type there (rule field-type)."]
    return [
        code(member.name),
        " is ",
        code(c_name(scene.local_btf, mine.member_type_id)),
        " in the program and ",
        code(c_name(ended[0], member.type_id)),
        " there, which cannot stand for each other (rule field-type).",
    ]


def matched(scene: Scene, step: Step) -> Text:
    """A candidate that fits."""
    said = "" if step.value is None else f" and gives {shown(step.value)}"
    return text(*candidate(scene, step), f" fits{said}.")


def members(scene: Scene, step: Step) -> Text:
    """Where the path leads in a candidate, member by member."""
    spec, btf = scene.spec_in(step), scene.btf_of(step)
    if spec is None or btf is None:
        return ()
    if spec.kind in ENUM_KINDS:
        return text(
            f"Its enumerator {spec.accessors[0].position}, ",
            code(spec.accessors[0].name or ""),
            f", has the value {shown((spec.enum_value or 0) & (1 << 64) - 1)}.",
        )
    found = field_of(spec, btf) if spec.kind in FIELD_KINDS else None
    if found is None or not found.hops:
        return ()
    return text(*_walk(found), ".")


def _walk(found: Field) -> Iterator[str | Piece]:
    yield "There "
    for position, hop in enumerate(found.hops):
        if position:
            yield ", then "
        byte, bit = divmod(hop.bit_offset, 8)
        if hop.name is None:
            yield f"element {hop.position}"
        elif hop.name:
            yield code(hop.name)
        else:
            yield f"member {hop.position} without a name"
        lies = "" if position else " lies"
        yield f"{lies} at byte {byte} bit {bit}" if bit else f"{lies} at byte {byte}"
    yield ", type "
    yield code(found.words)
    if found.bits:
        yield f", a bitfield of {count(found.bits, 'bit')}"
    elif found.size:
        yield f", {count(found.size, 'byte')}"


def missing(scene: Scene, local: AccessSpec, step: Step) -> Text:
    """Nothing was found, for one of two reasons."""
    if step.kind is StepKind.NO_MATCH:
        if scene.steps(StepKind.PRUNED):
            return text("No candidate is left that fits.")
        return text("No candidate fits.")
    words = type_words(local.root_kind, essential_name(local.root_name, scene.policy.flavor))
    return text("The kernel has no ", code(words), ".")


def pruned(step: Step) -> Text:
    """Candidates that an earlier relocation removed."""
    many = step.value or 0
    return text(
        f"{count(many, 'candidate')} no longer counted: an earlier relocation of this type had "
        "fitted another, and this loader keeps to what fitted first."
    )


def chosen(scene: Scene, step: Step) -> Text:
    """The candidate that answers best for the whole type."""
    if not step.value:
        return text(*candidate(scene, step), " answers all relocations of this type: it is taken.")
    many = count(step.value, "relocation")
    return text(
        *candidate(scene, step),
        f" leaves {many} of this type without an answer, fewer than any other: it is taken.",
    )


def nearest(scene: Scene, local: AccessSpec) -> Iterator[Text]:
    """Names of the target that come close to what is missing."""
    if scene.steps(StepKind.MATCHED):
        return
    if scene.steps(StepKind.NO_CANDIDATE):
        yield from _near_types(scene, local, scene.policy)
        return
    seen: set[str] = set()
    for step in scene.steps(StepKind.REFUSED):
        ended = scene.holder(step)
        if ended is None or step.text in seen:
            continue
        seen.add(step.text)
        if step.rule == "no-member":
            near = near_members(*ended, step.text)
            yield from _near_words(tuple(member.name for member in near), "member")
        elif step.rule == "no-enumerator":
            yield from _near_words(near_enumerators(*ended, step.text), "enumerator")
            yield from _elsewhere(scene, step, ended[1].id)


def _near_words(names: tuple[str, ...], what: str) -> Iterator[Text]:
    if names:
        first = f"The nearest {what} there is " if len(names) == 1 else "Near are "
        yield text(first, listed(names, "and"), ".")


def _near_types(scene: Scene, local: AccessSpec, policy: LoaderPolicy) -> Iterator[Text]:
    wanted = essential_name(local.root_name, policy.flavor)
    if local.root_kind in (BtfKind.STRUCT, BtfKind.UNION, BtfKind.ENUM, BtfKind.TYPEDEF):
        names = near_types(scene.target.btf, local.root_kind, wanted)
        yield from _near_words(names, local.root_kind.word)


def _elsewhere(scene: Scene, step: Step, own: int) -> Iterator[Text]:
    """Another enum that has the enumerator."""
    btf = scene.btf_of(step)
    for type_id in enums_with(btf, step.text) if btf is not None else ():
        enum = skip_modifiers_and_typedefs(btf, type_id) if btf is not None else None
        if enum is not None and enum.id != own:
            yield text(
                code(step.text), " exists, but in ", code(type_words(enum.kind, enum.name)),
                f" [{enum.id}].",
            )  # fmt: skip
