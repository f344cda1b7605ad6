"""Helper functions as the kernels' own BTF tells of them: numbers, kernels, types."""

from __future__ import annotations

from dataclasses import dataclass
from difflib import get_close_matches
from typing import Final

from app.errors import AppError
from app.services.analyse import catalog
from app.settings import Settings
from engine.btf.decode import Btf
from engine.btf.kinds import BtfKind, BtfType, Param
from engine.errors import EngineError
from engine.explain.c_pieces import Pieces, declared_function
from engine.insn.helpers import HELPERS

_PREFIX: Final = "BPF_FUNC_"
_CACHE: Final = __name__


@dataclass(frozen=True, slots=True)
class Helper:
    """One helper; `kernels` has (id, number) of each kernel, None where it is missing.

    prototype  with the types of the newest kernel that tells them, and that kernel
    """

    name: str
    number: int | None
    kernels: tuple[tuple[str, int | None], ...]
    prototype: Pieces = ()
    prototype_of: str = ""


def numbers_in(btf: Btf) -> dict[str, int]:
    """Give the number of each helper of a kernel by its C name."""
    found = btf.caches.get(_CACHE)
    if not isinstance(found, dict):
        found = btf.caches[_CACHE] = _numbers(btf)
    return found


def _numbers(btf: Btf) -> dict[str, int]:
    rows: dict[str, int] = {}
    for type_id in btf.ids_named("bpf_func_id"):
        for row in btf.type(type_id).enumerators:
            if row.name.startswith(_PREFIX):
                rows["bpf_" + row.name.removeprefix(_PREFIX)] = row.value
    return rows


def all_helpers(settings: Settings) -> tuple[Helper, ...]:
    """List the helpers of all kernels by number."""
    known = catalog(settings)
    tables = [(s.id, numbers_in(known.btf(s.id))) for s in known.snapshots()]
    names = {name: number for _, table in tables for name, number in table.items()}
    names |= {name: number for number, name in HELPERS.items()}
    return tuple(
        Helper(name, number, tuple((kernel, table.get(name)) for kernel, table in tables))
        for name, number in sorted(names.items(), key=lambda row: (row[1], row[0]))
        if name not in ("bpf_unspec", "bpf___BPF_FUNC_MAX_ID")
    )


def helper(settings: Settings, name: str) -> Helper:
    """Give one helper; AppError `not-found` names the nearest ones."""
    known = catalog(settings)
    tables = [(s.id, known.btf(s.id)) for s in known.snapshots()]
    kernels = tuple((kernel, numbers_in(btf).get(name)) for kernel, btf in tables)
    number = next((n for n, known_name in HELPERS.items() if known_name == name), None)
    if number is None:
        number = next((n for _, n in reversed(kernels) if n is not None), None)
    if number is None:
        raise _unknown(name, [btf for _, btf in tables])
    for kernel, btf in reversed(tables):
        try:
            pieces = _prototype(btf, name)
        except EngineError:
            continue
        if pieces:
            return Helper(name, number, kernels, pieces, kernel)
    return Helper(name, number, kernels)


def _unknown(name: str, kernels: list[Btf]) -> AppError:
    names = set(HELPERS.values()).union(*(numbers_in(btf) for btf in kernels))
    near = get_close_matches(name[:100], sorted(names), n=3, cutoff=0.6)
    return AppError(
        f"No kernel at hand has a helper {name[:100]!r}",
        code="not-found",
        place=f"/docs/helpers/{name[:100]}",
        hint=f"Near: {', '.join(near)}." if near else "All helpers are listed at /docs/helpers.",
    )


def _prototype(btf: Btf, name: str) -> Pieces:
    """The prototype that `BPF_CALL_N(name, ...)` of Linux include/linux/filter.h leaves in the BTF.

    The types are in `typedef u64 (*btf_NAME)(...)`, the names of the arguments in the function.
    """
    for type_id in btf.ids_named(f"btf_{name}"):
        pointer = btf.type(btf.type(type_id).type_id)
        proto = btf.type(pointer.type_id)
        if proto.kind is BtfKind.FUNC_PROTO:
            return declared_function(btf, name, proto, _names(btf, name, proto))
    return ()


def _names(btf: Btf, name: str, proto: BtfType) -> tuple[Param, ...]:
    """The parameters with the names that the function itself has."""
    for type_id in btf.ids_named(name):
        if btf.kind(type_id) is BtfKind.FUNC:
            own = btf.type(btf.type(type_id).type_id).params
            return tuple(
                Param(own[n].name if n < len(own) else "", param.type_id)
                for n, param in enumerate(proto.params)
            )
    return proto.params
