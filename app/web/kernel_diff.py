"""/kernels/<a>/diff/<b>: the types that two kernels differ in, and one type on both."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import Annotated

from fastapi import APIRouter, Query, Request
from starlette.responses import HTMLResponse

from app.services import typeindex
from app.services.analyse import catalog
from app.services.building import builders, in_thread
from app.services.kerneltypes import ids_to_show, no_type, opened
from app.services.types import compare_named
from app.services.typesearch import hit_at
from app.settings import Settings
from app.views import diff_page as views
from app.views.prose import count
from app.views.type_page import block
from app.web import kernel_pages as pages
from app.web.htmx import is_partial
from app.web.show import show

router = APIRouter(include_in_schema=False)

Text = Annotated[str, Query(max_length=200)]
At = Annotated[int, Query(ge=0, le=10_000_000)]
_STEPS = {
    "names": "Sorting the names of {}.",
    "prints": "Reading every type of {}; this takes some seconds.",
    "difference": "Putting both side by side.",
}


@router.get("/kernels/{before}/diff/{after}")
async def difference(
    request: Request,
    before: str,
    after: str,
    q: Text = "",
    kind: Text = "",
    change: Text = "",
    at: At = 0,
) -> HTMLResponse:
    """List what differs; while that is worked out, say how far it is."""
    settings, asked = pages.settings_of(request), views.Asked(q, kind, change, at)
    await pages.ready(request, "names", before)
    await pages.ready(request, "names", after)
    step = await typeindex.begin(builders(request.app.state), settings, (before, after))
    page = views.frame(before, after, asked)
    if step is not None:
        page = replace(page, progress=_STEPS[step[0]].format(step[1][0]))
    else:
        page = await in_thread(partial(_filled, settings, page))
    return await show(
        request,
        "parts/_kernel_diff.html" if is_partial(request) else "pages/kernel_diff.html",
        page,
    )


def _filled(settings: Settings, page: views.DiffPage) -> views.DiffPage:
    names = typeindex.differing(settings, page.before, page.after)
    found = views.selected(names, page.asked)
    at = page.asked.at if page.asked.at < len(found) else 0
    end = at + views.PAGE
    hits = [hit_at(names, *row) for row in found[at:end]]
    shown = f": {at + 1:,} to {at + len(hits):,}" if len(hits) < len(found) else ""
    return replace(
        page,
        counts=views.counts(names, page.before, page.after),
        lines=views.diff_lines(hits, page.before, page.after),
        summary=f"{count(len(found), 'name')}{shown}" if found else "Nothing differs here.",
        pager=(max(0, at - views.PAGE) if at else None, end if end < len(found) else None),
    )


@router.get("/kernels/{before}/diff/{after}/types/{name:path}")
async def one_type(request: Request, before: str, after: str, name: str) -> HTMLResponse:
    """Show a type on both kernels, side by side."""
    await pages.ready(request, "names", before)
    await pages.ready(request, "names", after)
    settings = pages.settings_of(request)
    page = await in_thread(partial(_one_type, settings, before, after, name))
    return await show(request, "pages/type_diff.html", page)


def _one_type(settings: Settings, before: str, after: str, name: str) -> views.TypeDiffPage:
    known = catalog(settings)
    sides = [(kernel, known.btf(kernel)) for kernel in (before, after)]
    diffs = compare_named(sides[0][1], sides[1][1], name)
    if not diffs:
        names = typeindex.kernel_names(settings, after)
        raise no_type(names, name, f"in {before} or {after}")
    used: set[str] = set()
    left, right = (
        [block(btf, kernel, opened(btf, one), used) for one in ids_to_show(btf, name)[:20]]
        for kernel, btf in sides
    )
    return views.type_diff_page(before, after, name, diffs, (left, right))
