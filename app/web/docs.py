"""/docs: the documentation as pages, and one page for each helper function."""

from __future__ import annotations

from functools import partial

from fastapi import APIRouter, Request
from starlette.responses import HTMLResponse

from app.services.analyse import catalog
from app.services.building import in_thread
from app.services.docs import doc, docs
from app.services.helpers import all_helpers, helper
from app.settings import Settings
from app.views.docs import doc_page, docs_index
from app.views.helpers_page import HelperPage, helper_page, helpers_page
from app.web import kernel_pages as pages
from app.web.show import show

router = APIRouter(include_in_schema=False)


@router.get("/docs")
async def index(request: Request) -> HTMLResponse:
    """List all pages."""
    return await show(request, "pages/docs.html", docs_index(docs().values()))


@router.get("/docs/helpers")
async def helpers(request: Request) -> HTMLResponse:
    """List all helpers."""
    found = await in_thread(partial(all_helpers, pages.settings_of(request)))
    page = helpers_page(doc_page(doc("helpers")), found)
    return await show(request, "pages/helpers.html", page)


@router.get("/docs/helpers/{name}")
async def one_helper(request: Request, name: str) -> HTMLResponse:
    """Show one helper; 404 with the nearest ones."""
    page = await in_thread(partial(_helper, pages.settings_of(request), name))
    return await show(request, "pages/helper.html", page)


def _helper(settings: Settings, name: str) -> HelperPage:
    found = helper(settings, name)
    btf = catalog(settings).btf(found.prototype_of) if found.prototype_of else None
    return helper_page(found, btf)


@router.get("/docs/{place:path}")
async def page(request: Request, place: str) -> HTMLResponse:
    """Show one page; 404 with the nearest ones."""
    return await show(request, "pages/doc.html", doc_page(doc(place)))
