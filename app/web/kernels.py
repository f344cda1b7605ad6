"""/kernels: the kernels, one of them, and its types."""

from __future__ import annotations

from functools import partial
from typing import Annotated

from fastapi import APIRouter, Query, Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from app.services.building import builders, in_thread
from app.services.headers import header_of
from app.views.type_links import kernel_url
from app.web import kernel_pages as pages
from app.web.htmx import is_partial
from app.web.show import show

router = APIRouter(include_in_schema=False)

Text = Annotated[str, Query(max_length=2000)]
At = Annotated[int, Query(ge=0, le=10_000_000)]


@router.get("/kernels")
async def kernels(request: Request, q: Text = "") -> HTMLResponse:
    """List the kernels."""
    page = await in_thread(partial(pages.kernels_page, pages.settings_of(request), q))
    return await show(request, "pages/kernels.html", page)


@router.get("/kernels/{kernel}")
async def kernel(
    request: Request, kernel: str, q: Text = "", kind: Text = "", at: At = 0
) -> HTMLResponse:
    """Show one kernel, or, for htmx, only what a search in it found."""
    settings = pages.settings_of(request)
    await pages.ready(request, "names", kernel)
    if is_partial(request):
        hits = await in_thread(partial(pages.kernel_search, settings, kernel, q, kind))
        return await show(request, "parts/_hits.html", hits)
    page = await in_thread(partial(pages.kernel_page, settings, kernel, q, kind, at))
    return await show(request, "pages/kernel.html", page)


@router.get("/kernels/{kernel}/health")
async def health(request: Request, kernel: str) -> Response:
    """Look whether a kernel is sound, which takes seconds once; then show it."""
    await pages.ready(request, "health", kernel)
    if not is_partial(request):
        return RedirectResponse(kernel_url(kernel), 303)
    problems = await in_thread(partial(pages.health, pages.settings_of(request), kernel))
    return await show(request, "parts/_health.html", problems)


@router.get("/kernels/{kernel}/types/{name:path}")
async def one_type(request: Request, kernel: str, name: str, at: At = 0) -> HTMLResponse:
    """Show all types of a name."""
    await pages.ready(request, "names", kernel)
    await pages.ready(request, "refs", kernel)
    settings = pages.settings_of(request)
    page = await in_thread(partial(pages.one_type, settings, kernel, name, at))
    return await show(request, "pages/type.html", page)


@router.get("/kernels/{kernel}/ids/{number}")
async def by_number(request: Request, kernel: str, number: int, at: At = 0) -> HTMLResponse:
    """Show one type by its id."""
    await pages.ready(request, "names", kernel)
    await pages.ready(request, "refs", kernel)
    settings = pages.settings_of(request)
    page = await in_thread(partial(pages.type_by_id, settings, kernel, number, at))
    return await show(request, "pages/type.html", page)


@router.get("/kernels/{kernel}/vmlinux.h")
async def header(request: Request, kernel: str, ids: Text) -> Response:
    """Give the smallest vmlinux.h that defines the types with these ids."""
    await pages.ready(request, "names", kernel)  # 404 for a kernel that there is not
    settings = pages.settings_of(request)
    text = await builders(request.app.state).run(header_of, settings, kernel, ids)
    name = f'inline; filename="vmlinux-{kernel}.h"'
    return Response(text, media_type="text/plain", headers={"Content-Disposition": name})
