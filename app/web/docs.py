"""/docs: the documentation as pages, and one page for each helper function."""

from __future__ import annotations

from fastapi import APIRouter, Request
from starlette.responses import HTMLResponse

from app.services.docs import doc, docs
from app.views.docs import doc_page, docs_index
from app.web.show import show

router = APIRouter(include_in_schema=False)


@router.get("/docs")
async def index(request: Request) -> HTMLResponse:
    """List all pages."""
    return await show(request, "pages/docs.html", docs_index(docs().values()))


@router.get("/docs/{place:path}")
async def page(request: Request, place: str) -> HTMLResponse:
    """Show one page; 404 with the nearest ones."""
    return await show(request, "pages/doc.html", doc_page(doc(place)))
