"""What to write instead: C for a relocation that found nothing, or not what was meant.

Each fix is a function to call in place of the plain access. It brings its own flavors of the
kernel's types, so it goes into any program, with or without vmlinux.h.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from engine.core.candidates import Target
from engine.core.kinds import ENUM_KINDS, FIELD_KINDS, CoreReloKind
from engine.core.policy import LoaderPolicy
from engine.core.prepare import PreparedObject
from engine.core.result import FunctionResult, Relocation
from engine.core.trace import StepKind
from engine.explain import fix_enums, fix_fields, fix_types
from engine.explain.fix_code import Snippet
from engine.explain.narrate import why
from engine.explain.scene import Scene
from engine.explain.words import Text, code, text

FixKind = Literal[
    "renamed",
    "retyped",
    "guard",
    "bitfield",
    "width",
    "enum-renamed",
    "enum-guard",
    "type-guard",
    "own-type",
    "other-kind",
    "tell-apart",
    "name-the-type",
    "no-type-matches",
    "far-offset",
    "one-object",
    "newer-loader",
]
"""What a fix does; see docs/explain.md."""


@dataclass(frozen=True, slots=True)
class Fix:
    """One thing to do; `snippet` is None for advice that has no C of its own."""

    kind: FixKind
    title: str
    why: Text
    snippet: Snippet | None = None


def fixes(
    relocation: Relocation,
    prepared: PreparedObject,
    target: Target,
    policy: LoaderPolicy,
    function: FunctionResult | None = None,
) -> tuple[Fix, ...]:
    """What to write in place of what this relocation belongs to, the best first.

    Empty where nothing is wrong: a guard that answers 0 does its work.
    """
    scene = Scene(relocation, prepared, target, policy, function)
    return tuple(_offers(scene))


def _offers(scene: Scene) -> Iterator[Fix]:
    relocation, local = scene.relocation, scene.local
    if relocation.outcome == "failed":
        yield from _for_refusals(scene)
        return
    if local is None:
        return
    if relocation.kind in FIELD_KINDS:
        yield from _for_fields(scene)
    elif relocation.kind in ENUM_KINDS and relocation.outcome == "poisoned":
        yield from _for_enums(scene)
    elif relocation.kind in (CoreReloKind.TYPE_SIZE, CoreReloKind.TYPE_ID_TARGET) and (
        relocation.outcome == "poisoned" or relocation.new == 0
    ):
        yield from _for_types(scene)


def _for_fields(scene: Scene) -> Iterator[Fix]:
    relocation = scene.relocation
    if relocation.kind is CoreReloKind.FIELD_EXISTS:
        return
    if relocation.outcome == "poisoned":
        if any(step.text for step in scene.steps(StepKind.POISON)):
            yield from _width(scene)
            return
        yield from _missing_field(scene)
        return
    if fix_fields.is_plain_bitfield(scene):
        snippet = fix_fields.by_width(scene)
        if snippet is not None:
            yield Fix(
                "bitfield",
                "Read it with the bitfield macro",
                text(
                    "A plain access has the field's bits fixed when it is compiled; ",
                    code("BPF_CORE_READ_BITFIELD_PROBED"),
                    " takes place, width and sign from the kernel.",
                ),
                snippet,
            )


def _width(scene: Scene) -> Iterator[Fix]:
    snippet = fix_fields.by_width(scene)
    if snippet is not None:
        yield Fix(
            "width",
            "Read as many bytes as the kernel's field has",
            text(
                "The field has another size there, and a signed number cannot be read through a "
                "wider or narrower access; the bitfield macro takes width and sign from the kernel."
            ),
            snippet,
        )


def _missing_field(scene: Scene) -> Iterator[Fix]:
    for near, snippet in fix_fields.renamed(scene):
        yield Fix(
            "renamed",
            f"Read {near} where the old name is gone",
            text("The kernel has ", code(near), ". A flavor for each name reads either."),
            snippet,
        )
    retyped = fix_fields.retyped(scene)
    if retyped is not None:
        yield Fix(
            "retyped",
            "Declare the field with both types",
            text(
                "The field is there with a type that cannot stand for the one compiled in. A "
                "flavor for each type reads either."
            ),
            retyped,
        )
    other = fix_types.other_kind(scene)
    if other is not None:
        kind, declared = other
        yield Fix(
            "other-kind",
            f"Declare it as a {kind}",
            text(f"The kernel has a {kind} of this name, and this loader compares kinds."),
            declared,
        )
    guard = fix_fields.guard(scene)
    if guard is not None:
        yield Fix(
            "guard",
            "Ask whether the field exists before it is read",
            text(
                code("bpf_core_field_exists"),
                " becomes 0 where the field is missing, and the verifier never looks at the read.",
            ),
            guard,
        )
    if scene.steps(StepKind.NO_CANDIDATE):
        yield from _own_type(scene)


def _own_type(scene: Scene) -> Iterator[Fix]:
    local = scene.local
    yield Fix(
        "own-type",
        "If the type is your own, take preserve_access_index off",
        text(
            "No type of this kernel is called ",
            code(local.root_name if local else ""),
            ". A struct of the program's own needs no relocation: declare it behind ",
            code("#pragma clang attribute pop"),
            ", that is after vmlinux.h, and without the attribute.",
        ),
        fix_types.own_struct(scene),
    )


def _for_enums(scene: Scene) -> Iterator[Fix]:
    guard = fix_enums.guard(scene)
    if guard is not None:
        yield Fix(
            "enum-guard",
            "Ask whether the enumerator exists before it is used",
            text(
                code("bpf_core_enum_value_exists"),
                " becomes 0 where it is missing, and the verifier never looks at the value.",
            ),
            guard,
        )
    for near, snippet in fix_enums.renamed(scene):
        yield Fix(
            "enum-renamed",
            f"If {near} is what is meant, take that where the other is missing",
            text("The kernel has ", code(near), ". Each is asked for before it is used."),
            snippet,
        )


def _for_types(scene: Scene) -> Iterator[Fix]:
    snippet = fix_types.guard(scene)
    what = "size" if scene.relocation.kind is CoreReloKind.TYPE_SIZE else "id"
    if snippet is not None:
        yield Fix(
            "type-guard",
            f"Ask whether the type exists before its {what} is used",
            text(
                f"Without the type, loaders part: the {what} is 0, poison or an error. ",
                code("bpf_core_type_exists"),
                " is 0 for all of them.",
            ),
            snippet,
        )


def _for_refusals(scene: Scene) -> Iterator[Fix]:
    said = why(scene.relocation)
    local = scene.local
    if "ambigu" in said or "multiple candidate" in said:
        yield Fix(
            "tell-apart",
            "Ask for a member that only the meant type has",
            text(
                "Several types of the kernel have this name. A member that only one of them has, "
                "asked for first and through the same struct, decides between them."
            ),
            fix_fields.tell_apart(scene),
        )
    elif scene.relocation.kind is CoreReloKind.TYPE_MATCHES:
        yield Fix(
            "no-type-matches",
            "Ask for less than the whole type",
            text(
                f"{scene.policy.title} does not know type_matches; ",
                code("bpf_core_type_exists"),
                " and ",
                code("bpf_core_field_exists"),
                " of the members that count do.",
            ),
            fix_types.exists(scene),
        )
    elif "<anon>" in scene.relocation.local or (local is not None and not local.root_name):
        yield _named()
    elif "original type" in said or "has size" in said:
        yield from _width(scene)
    elif "missing target BTF info" in said:
        yield from _for_types(scene)
    elif "value too big" in said or "exceeds MaxInt16" in said or "overflows 16 bits" in said:
        yield from _far(scene)
    elif "invalid immediate" in said:
        yield _one_object()
    elif "unsized type" in said or "string table is empty" in said or "module spec" in said:
        yield _newer(scene)


def _far(scene: Scene) -> Iterator[Fix]:
    yield Fix(
        "far-offset",
        "Compute the address, then read",
        text(
            "A load has 16 bits for its offset and the field lies further away. ",
            code("BPF_CORE_READ"),
            " adds the offset to the pointer, with 32 bits.",
        ),
        fix_fields.guard(scene),
    )


def _one_object() -> Fix:
    return Fix(
        "one-object",
        "Compile to one object, or leave the check to libbpf",
        text(
            "A static linker gave the types new ids, but not the instruction that holds one. "
            "libbpf does not compare them; for other loaders include the sources into one file."
        ),
    )


def _newer(scene: Scene) -> Fix:
    return Fix(
        "newer-loader",
        "Load it with a newer version",
        text(f"{scene.policy.title} stumbles here over what later versions pass over."),
    )


def _named() -> Fix:
    return Fix(
        "name-the-type",
        "Give the type a name",
        text(
            "A loader looks types up by name. An access through ",
            code("typedef struct { ... } t"),
            " asks for the struct without a name; write ",
            code("struct t { ... }"),
            ", or take preserve_access_index off if it is no type of the kernel.",
        ),
    )
