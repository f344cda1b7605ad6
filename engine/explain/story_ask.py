"""The beginning of a story: what the program asks, and under which name it is looked for."""

from __future__ import annotations

from engine.btf.decode import Btf
from engine.core.kinds import ENUM_KINDS, FIELD_KINDS, CoreReloKind
from engine.core.names import essential_name
from engine.core.policy import CandidateKinds, FlavorRule, LoaderPolicy
from engine.core.spec import AccessSpec
from engine.explain.fields import Field, field_of
from engine.explain.narrate import shown, type_words
from engine.explain.scene import Scene
from engine.explain.words import Piece, Text, code, count, text

_ASKS = {
    CoreReloKind.FIELD_BYTE_OFFSET: ("at which byte", " lies"),
    CoreReloKind.FIELD_BYTE_SIZE: ("how many bytes", " takes"),
    CoreReloKind.FIELD_EXISTS: ("whether", " exists"),
    CoreReloKind.FIELD_SIGNED: ("whether", " has a sign"),
    CoreReloKind.FIELD_LSHIFT_U64: ("how far to shift left to cut out", ""),
    CoreReloKind.FIELD_RSHIFT_U64: ("how far to shift right to cut out", ""),
    CoreReloKind.TYPE_ID_LOCAL: ("for the id of", " among the program's own types"),
    CoreReloKind.TYPE_ID_TARGET: ("for the id of", " in the kernel"),
    CoreReloKind.TYPE_EXISTS: ("whether", " exists"),
    CoreReloKind.TYPE_SIZE: ("how many bytes", " takes"),
    CoreReloKind.TYPE_MATCHES: ("whether", " looks the same in the kernel"),
    CoreReloKind.ENUMVAL_EXISTS: ("whether", " exists"),
    CoreReloKind.ENUMVAL_VALUE: ("for the value of", ""),
}


def asks(scene: Scene) -> Text:
    """Say where the instruction stands and what it asks."""
    relocation = scene.relocation
    before, behind = _ASKS[relocation.kind]
    where = f"Slot {relocation.slot}"
    parts: list[str | Piece] = [where]
    line = relocation.line
    if line is not None:
        parts += [" (", code(f"{short_name(line.file_name)}:{line.line_number}")]
        if line.line.strip():
            parts += [", ", code(line.line.strip())]
        parts += [")"]
    local = scene.local
    asked = relocation.local if local is None else local.path
    return text(*parts, f" asks {before} ", code(asked), f"{behind}.")


def short_name(path: str) -> str:
    """A file's name without its folders."""
    return path.replace("\\", "/").rstrip("/").rpartition("/")[2] or path


def path(local: AccessSpec, btf: Btf) -> Text:
    """Decode the indices that the compiler wrote; empty for what is only a type."""
    if local.kind in ENUM_KINDS:
        accessor = local.accessors[0]
        value = shown((local.enum_value or 0) & (1 << 64) - 1)
        words = f"{accessor.position} is enumerator {accessor.position} of type [{local.root_id}], "
        return text(f"The record's {words}", code(accessor.name or ""), f" = {value}.")
    if local.kind not in FIELD_KINDS:
        return ()
    found = field_of(local, btf)
    if found is None:
        return ()
    raw = code(":".join(map(str, local.raw)))
    root = code(type_words(local.root_kind, local.root_name))
    parts: list[str | Piece] = ["The record's ", raw]
    parts += [f" is a path from type [{local.root_id}] ", root]
    parts += _hops(found)
    parts += [f": {_what(found)} of type ", code(found.words), f" at {found.place}"]
    return text(*parts, " as the program was compiled.")


def _hops(found: Field) -> list[str | Piece]:
    parts: list[str | Piece] = []
    for hop in found.hops:
        parts.append(", ")
        if hop.name is None:
            parts.append(f"element {hop.position}")
        elif hop.name:
            parts += [f"member {hop.position} ", code(hop.name)]
        else:
            parts.append(f"member {hop.position} without a name")
    return parts


def _what(found: Field) -> str:
    if found.bits:
        return f"a bitfield of {count(found.bits, 'bit')}"
    return count(found.size, "byte") if found.size else "something"


def name(local: AccessSpec, policy: LoaderPolicy) -> Text:
    """Say under which name candidates are looked for, and of which kind."""
    wanted = essential_name(local.root_name, policy.flavor)
    kinds = _kinds(local, policy)
    if not local.root_name:
        return text("The type has no name, so there is nothing to look for in the kernel.")
    if wanted == local.root_name:
        return text(f"{policy.title} looks for {kinds} called ", code(wanted), ".")
    cut = "the first" if policy.flavor is FlavorRule.FIRST else "the last"
    return text(
        f"{policy.title} cuts the flavor off at {cut} ",
        code("___"),
        f" and looks for {kinds} called ",
        code(wanted),
        ".",
    )


def _kinds(local: AccessSpec, policy: LoaderPolicy) -> str:
    if policy.candidate_kinds is CandidateKinds.ANY:
        return "types of any kind"
    word = "enum" if local.kind in ENUM_KINDS else local.root_kind.word
    return f"types of kind {word}"
