"""Turning the steps of a relocation into words."""

from __future__ import annotations

from engine.btf.kinds import BtfKind
from engine.core.kinds import EXISTENCE_KINDS, CoreReloKind
from engine.core.result import Relocation
from engine.core.spec import AccessSpec
from engine.core.trace import Step, StepKind

_WHAT = {
    CoreReloKind.FIELD_BYTE_OFFSET: "offset",
    CoreReloKind.FIELD_BYTE_SIZE: "size",
    CoreReloKind.FIELD_SIGNED: "signed",
    CoreReloKind.FIELD_LSHIFT_U64: "left shift",
    CoreReloKind.FIELD_RSHIFT_U64: "right shift",
    CoreReloKind.TYPE_ID_LOCAL: "type id",
    CoreReloKind.TYPE_ID_TARGET: "type id",
    CoreReloKind.TYPE_SIZE: "size",
    CoreReloKind.ENUMVAL_VALUE: "value",
    CoreReloKind.TYPE_MATCHES: "matches",
}


def why(relocation: Relocation) -> str:
    """Say in a few words why a relocation came out as it did."""
    if relocation.outcome == "failed":
        return _failure(relocation)
    if relocation.outcome == "poisoned":
        if any(step.kind is StepKind.POISON and step.text for step in relocation.trace):
            return "the field changed its size and cannot be read through another width"
        return cause(relocation) or "there is no value on this kernel"
    if relocation.kind in EXISTENCE_KINDS and relocation.new == 0:
        return cause(relocation) or "not on this kernel"
    return _value(relocation)


def cause(relocation: Relocation) -> str:
    """Name what the target lacks: `enum e has no enumerator X`; empty when it lacks nothing."""
    local = _local(relocation)
    if local is None:
        return ""
    root = type_words(local.root_kind, local.root_name)
    if _has(relocation, StepKind.NO_CANDIDATE):
        others = [step for step in relocation.trace if step.kind is StepKind.OTHER_KIND]
        if others:
            there, here = with_article(others[0].text), with_article(local.root_kind.word)
            return f"{local.root_name} is {there} there, not {here}"
        return f"there is no {root}"
    refused = [step for step in relocation.trace if step.kind is StepKind.REFUSED]
    if not refused:
        return ""
    return refusal_words(refused[-1], local)


def refusal_words(step: Step, local: AccessSpec) -> str:
    """Say why one candidate was refused."""
    root = type_words(local.root_kind, local.root_name)
    holder = _holder(step, local) or root
    words = {
        "no-enumerator": f"{root} has no enumerator {step.text}",
        "no-member": f"{holder} has no member {step.text}",
        "field-type": f"{step.text} has an incompatible type there",
        "not-composite": f"a part of the path is {step.text} there, not a struct",
        "not-array": f"a part of the path is {step.text} there, not an array",
        "out-of-bounds": f"the array is shorter there: {step.text}",
        "not-an-enum": f"{local.root_name} is no enum there",
        "type-incompatible": f"{root} is another kind of type there",
        "type-mismatch": f"{root} does not match: {step.text}",
        "forward-declaration": f"{root} is only declared there, not defined",
        "type-of-module": f"{root} belongs to module {step.text}, whose ids cannot be written",
    }
    return words.get(step.rule, step.text or step.rule)


def type_words(kind: BtfKind, name: str) -> str:
    """A type as C names it: `enum e`, `struct s`, `t`."""
    if kind in (BtfKind.TYPEDEF, BtfKind.INT, BtfKind.FLOAT):
        return name or kind.word
    word = "enum" if kind is BtfKind.ENUM64 else kind.word
    return f"{word} {name}" if name else f"an anonymous {word}"


def with_article(word: str) -> str:
    """A kind of type with its article: `a union`, `an enum`."""
    return f"an {word}" if word[:1] in ("a", "e", "i") else f"a {word}"


def _holder(step: Step, local: AccessSpec) -> str:
    """The struct in which the search for a member ended."""
    if step.spec is None or not step.spec.accessors:
        return ""
    reached = len(step.spec.accessors)
    if reached >= len(local.accessors):
        return ""
    name = local.accessors[reached].type_name
    return f"struct {name}" if name and reached > 1 else ""


def _value(relocation: Relocation) -> str:
    if relocation.kind in EXISTENCE_KINDS:
        return "it exists" if relocation.kind is not CoreReloKind.TYPE_MATCHES else "it matches"
    what = _WHAT[relocation.kind]
    if relocation.new is None:
        return what
    if relocation.new == 0 and relocation.kind in (
        CoreReloKind.TYPE_SIZE,
        CoreReloKind.TYPE_ID_TARGET,
    ):
        return f"{what} 0: {cause(relocation) or 'the type is missing'}"
    if relocation.orig is None:
        return f"{what} {shown(relocation.new)}"
    if relocation.orig == relocation.new:
        return f"{what} {shown(relocation.new)}, the same as compiled"
    return f"{what} {shown(relocation.orig)} became {shown(relocation.new)}"


def shown(value: int) -> str:
    """An unsigned 64-bit number as a person would write it: small negatives get their sign."""
    return str(value - (1 << 64)) if value >> 63 else str(value)


def _failure(relocation: Relocation) -> str:
    texts = [step.text for step in relocation.trace if step.kind is StepKind.FAILURE]
    return texts[-1] if texts else "the loader gave up"


def _has(relocation: Relocation, kind: StepKind) -> bool:
    return any(step.kind is kind for step in relocation.trace)


def _local(relocation: Relocation) -> AccessSpec | None:
    for step in relocation.trace:
        if step.kind is StepKind.LOCAL:
            return step.spec
    return None
