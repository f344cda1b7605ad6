"""What a card tells that is not written down: which kernels have a helper."""

from __future__ import annotations

from functools import lru_cache

from app.errors import AppError
from app.services.analyse import catalog
from app.settings import Settings
from engine.btf.kinds import BtfKind
from engine.errors import EngineError
from engine.insn.helpers import HELPERS

PREFIX = "BPF_FUNC_"


def helper_number(name: str) -> int:
    """Give the number of a helper by its C name, `bpf_map_lookup_elem`; AppError if unknown."""
    for number, known in HELPERS.items():
        if known == name:
            return number
    raise AppError(f"There is no helper {name[:80]!r}", code="not-found", place="helper")


def kernels_with(
    settings: Settings, number: int, kernels: tuple[str, ...]
) -> list[tuple[str, bool | None]]:
    """Say of each kernel whether its own list has the helper; None where it has no list.

    Opens kernels, so it blocks. A kernel that does not exist is left out.
    """
    found: list[tuple[str, bool | None]] = []
    for kernel in kernels:
        try:
            numbers = _helpers_of(settings, kernel)
        except EngineError:
            continue
        found.append((kernel, number in numbers if numbers else None))
    return found


@lru_cache(maxsize=64)
def _helpers_of(settings: Settings, kernel: str) -> frozenset[int]:
    """Read `enum bpf_func_id` of a kernel; empty if its BTF has none."""
    btf = catalog(settings).btf(kernel)
    for type_id in btf.ids_named("bpf_func_id"):
        if btf.kind(type_id) is BtfKind.ENUM:
            listed = btf.type(type_id).enumerators
            return frozenset(one.value for one in listed if one.name.startswith(PREFIX))
    return frozenset()
