"""The helpers: all of them, and one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from app.services.helpers import Helper
from app.views.docs import DocPage
from app.views.type_links import type_url
from app.views.type_page import Piece, linked
from engine.btf.decode import Btf


@dataclass(frozen=True, slots=True)
class Row:
    """One helper of the list; `since` says which kernels have it."""

    number: int | None
    name: str
    since: str


@dataclass(frozen=True, slots=True)
class HelpersPage:
    """The view model of /docs/helpers."""

    doc: DocPage
    rows: tuple[Row, ...]


@dataclass(frozen=True, slots=True)
class HelperPage:
    """The view model of /docs/helpers/<name>."""

    name: str
    number: int | None
    prototype: tuple[Piece, ...]
    prototype_of: str
    kernels: tuple[tuple[str, str, str], ...]


def helpers_page(doc: DocPage, helpers: Sequence[Helper]) -> HelpersPage:
    """List all helpers."""
    return HelpersPage(doc, tuple(Row(h.number, h.name, _since(h)) for h in helpers))


def _since(helper: Helper) -> str:
    having = [kernel for kernel, number in helper.kernels if number is not None]
    if len(having) == len(helper.kernels):
        return "all kernels at hand"
    if not having:
        return "none at hand"
    return f"{len(having)} of {len(helper.kernels)} kernels, the first {having[0]}"


def helper_page(helper: Helper, btf: Btf | None) -> HelperPage:
    """Show one helper; `btf` is of the kernel whose types its prototype has."""
    kernels = tuple(
        (
            kernel,
            type_url(kernel, "bpf_func_id", 0, "BPF_FUNC_" + helper.name.removeprefix("bpf_")),
            f"number {number}" if number is not None else "missing",
        )
        for kernel, number in helper.kernels
    )
    pieces = linked(btf, helper.prototype_of, helper.prototype) if btf is not None else ()
    return HelperPage(helper.name, helper.number, pieces, helper.prototype_of, kernels)
