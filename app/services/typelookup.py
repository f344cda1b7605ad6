"""Types by name: over all kernels, and which kinds a name has."""

from __future__ import annotations

from app.services import typeindex
from app.services.analyse import catalog
from app.services.kerneltypes import no_type
from app.services.types import Step, history, kind_word, named
from app.services.typesearch import KINDS, Hit, lookup
from app.settings import Settings
from engine.btf.kinds import BtfKind


def kinds_named(settings: Settings, name: str) -> tuple[str, ...]:
    """Give the kinds that a name has in any kernel; enumerators and sections do not count."""
    kinds = [
        kind_word(kind)
        for hit in lookup(typeindex.all_names(settings), name)
        if hit.group != 1
        for kind in BtfKind
        if hit.kinds >> kind & 1
    ]
    return tuple(word for word in dict.fromkeys(kinds) if word in {*KINDS, "int", "float"})


def timeline(
    settings: Settings, name: str, kind: str
) -> tuple[str, tuple[str, ...], tuple[Step, ...]]:
    """Follow a name over all kernels; give the kind that is shown, all kinds, and the steps.

    Raises AppError `type-unknown` with status 404 and the nearest names.
    """
    kinds = tuple(word for word in kinds_named(settings, name) if word != "datasec")
    if kind not in kinds:
        kind = kinds[0] if kinds else ""
    steps = history(catalog(settings), lambda btf: named(btf, name, kind)) if kinds else ()
    if not any(step.types for step in steps):
        raise no_type(typeindex.all_names(settings), name, "in any kernel")
    return kind, kinds, steps


def kernels_of(settings: Settings, hit: Hit) -> list[str]:
    """Give the ids of the kernels that have a name."""
    kernels = typeindex.all_kernels(settings)
    return [kernel for bit, kernel in enumerate(kernels) if hit.kernels >> bit & 1]
