"""What the pages about kernels and types show, put together from the services."""

from __future__ import annotations

from typing import cast

from starlette.requests import Request

from app.errors import AppError
from app.services import building, choices, typeindex
from app.services.analyse import catalog
from app.services.kernels import list_kernels
from app.services.kerneltypes import ids_to_show, no_type, opened, pointing
from app.services.typesearch import Hit, counted, listed, lookup, read_query, search
from app.settings import Settings
from app.views import hits as hit_views
from app.views import kernels_page as views
from app.views.type_links import cut, history_url, type_url
from app.views.type_page import TypePage, places, type_page
from engine.btf.decode import Btf
from engine.errors import EngineError

HITS = 60
"""Names that one search shows."""


def settings_of(request: Request) -> Settings:
    """Give the server's settings."""
    return cast("Settings", request.app.state.settings)


async def ready(request: Request, what: typeindex.What, *kernels: str) -> None:
    """Have what the page needs built, by the workers, where it is missing."""
    await building.ready(request.app.state, what, *kernels)


def kernels_page(settings: Settings, query: str) -> views.KernelsPage:
    """List the kernels."""
    problems = list_kernels(catalog(settings)).problems
    return views.kernels_page(
        choices.kernels(settings), typeindex.known_health(settings), query, problems
    )


def kernel_page(
    settings: Settings, kernel: str, query: str, kind: str, at: int
) -> views.KernelPage:
    """Show one kernel: a search in it, or a page of all names of a kind."""
    known = choices.kernel(settings, kernel)
    names = typeindex.kernel_names(settings, kernel)
    btf = catalog(settings).btf(kernel)
    numbers = counted(names)
    kind = kind if numbers.get(kind) else ""
    answer = search(names, read_query(query, kind), HITS)
    listing = None
    if kind and not query.strip():
        at = at if 0 <= at < numbers[kind] else 0
        rows, total = listed(names, kind, at, views.PAGE)
        listing = views.listing(kind, hit_views.kernel_lines(rows, kernel, btf), at, total)
    problems = typeindex.known_health(settings).get(kernel)
    return views.KernelPage(
        views.kernel_line(known, problems),
        known.source,
        known.sha256,
        views.Health(kernel, problems),
        views.kind_menu(numbers, kind),
        kind,
        hit_views.kernel_hits(answer, query[:200], kernel, btf),
        listing,
        views.others(kernel, choices.kernels(settings)),
        catalog(settings).modules(kernel) if known.modules else (),
    )


def health(settings: Settings, kernel: str) -> views.Health:
    """Say what is wrong with a kernel that was looked at."""
    return views.Health(kernel, typeindex.health(settings, kernel))


def kernel_search(settings: Settings, kernel: str, query: str, kind: str) -> hit_views.Hits:
    """Answer a search in one kernel."""
    answer = search(typeindex.kernel_names(settings, kernel), read_query(query, kind), HITS)
    return hit_views.kernel_hits(answer, query[:200], kernel, catalog(settings).btf(kernel))


def one_type(settings: Settings, kernel: str, name: str, at: int) -> TypePage:
    """Show all types of a name in one kernel."""
    names = typeindex.kernel_names(settings, kernel)
    btf = catalog(settings).btf(kernel)
    ids = ids_to_show(btf, name)
    if not ids:
        raise no_type(names, name, f"in {kernel}")
    return _page(settings, kernel, name, btf, ids, at)


def type_by_id(settings: Settings, kernel: str, type_id: int, at: int) -> TypePage:
    """Show one type by its number, for those without a name that an address can hold."""
    btf = catalog(settings).btf(kernel)
    try:
        name = btf.name(type_id) if type_id else ""
        btf.type(type_id)
    except EngineError as error:
        raise AppError(
            f"There is no type [{type_id}] in {kernel}",
            code="type-unknown",
            status=404,
            place=f"in {kernel}",
            hint=f"Its types are numbered from 1 to {len(btf) - 1:,}.",
        ) from error
    return _page(settings, kernel, name, btf, (type_id,), at)


def _page(
    settings: Settings, kernel: str, name: str, btf: Btf, ids: tuple[int, ...], at: int
) -> TypePage:
    found = [opened(btf, type_id) for type_id in ids[:20]]
    pointers, more = pointing(btf, typeindex.references(settings, kernel), ids)
    return type_page(
        btf,
        kernel,
        name,
        found,
        places(kernel, pointers, more, at),
        _elsewhere(settings, kernel, name),
        history_url(name),
    )


def _elsewhere(settings: Settings, kernel: str, name: str) -> list[hit_views.Line]:
    """The same name in other kernels, where the index of all kernels is there already."""
    if not name or typeindex.missing(settings, "all-names"):
        return []
    kernels = typeindex.all_kernels(settings)
    mask = 0
    for hit in lookup(typeindex.all_names(settings), name):
        mask |= hit.kernels if hit.group != 1 else 0
    return [
        hit_views.Line(cut(other), type_url(other, name, 0), "", "")
        for bit, other in enumerate(kernels)
        if mask >> bit & 1 and other != kernel and history_url(name)
    ]


def all_search(settings: Settings, query: str, kind: str) -> hit_views.Hits:
    """Answer a search over all kernels."""
    kernels = typeindex.all_kernels(settings)
    answer = search(typeindex.all_names(settings), read_query(query, kind), HITS)
    known = catalog(settings)
    used = {hit_views.newest(hit, kernels) for hit in answer.hits if hit.group == 1}
    btfs = {kernel: known.btf(kernel) for kernel in used}
    return hit_views.all_hits(answer, query[:200], kernels, btfs)


def exact_hits(settings: Settings, name: str) -> tuple[Hit, ...]:
    """Give what all kernels have under exactly this name."""
    return lookup(typeindex.all_names(settings), name)


def enum_url(settings: Settings, name: str) -> str:
    """Give the page of the enum for a name that only an enumerator has, else nothing."""
    hits = exact_hits(settings, name)
    if not hits or any(hit.group != 1 for hit in hits):
        return ""
    kernel = hit_views.newest(hits[0], typeindex.all_kernels(settings))
    return type_url(kernel, catalog(settings).btf(kernel).name(hits[0].id), hits[0].id, name)
