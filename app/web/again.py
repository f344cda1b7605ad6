"""Pages about one part of a result: read as the result is, and asked for again in the same way.

Where an example is shown the address says everything. Where the source is the reader's own, the
page carries what was posted, and its links are buttons that post it again; what changes stands
in the query of either.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from app.errors import AppError
from app.services.analysis import Analysis
from app.views.choices import Choices
from app.views.failure import Failure, failure
from app.web.htmx import is_partial
from app.web.pages import absent_page
from app.web.reading import Asked, read_form, read_query
from app.web.show import show
from app.web.templating import respond

_TURNED = ("show", "prog")
"""Choices that a link changes; a form holds them as they were."""


@dataclass(frozen=True, slots=True)
class Frame:
    """What pages of a part have in common: the choices, and the fields that post them again."""

    choices: Choices
    fields: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    form: str = "again"
    failure: Failure | None = None

    @property
    def title(self) -> str:
        """What the page is of: the example, the object, or the source."""
        return self.choices.example or self.choices.object or "your source"


async def read(request: Request) -> Asked:
    """Read the address, or the form and the query of the address it was posted to."""
    if request.method == "GET":
        return read_query(request)
    asked = await read_form(request)
    query = request.query_params
    changes = {name: query[name].strip()[:200] for name in _TURNED if name in query}
    return replace(asked, choices=replace(asked.choices, **changes))  # type: ignore[arg-type]


def number(request: Request, name: str) -> int | None:
    """Give a number of the query; None where there is none."""
    text = request.query_params.get(name, "")
    return int(text) if text.isdecimal() and len(text) < 10 else None


def frame(request: Request, asked: Asked) -> Frame:
    """Give the frame; a part that is put into the result posts the result's own form."""
    form = "run-form" if is_partial(request) else "again"
    return Frame(asked.choices, () if asked.choices.example else _fields(asked), form)


def _fields(asked: Asked) -> tuple[tuple[str, str], ...]:
    own = {"example", "draft", "object"}
    fields = [(name, text) for name, text in asked.choices.pairs() if name not in own]
    if asked.object is not None:
        return (*fields, ("kept", asked.kept), ("kept_name", asked.choices.object))
    fields += [("main", asked.main), ("source", asked.source)]
    for name, text in asked.others:
        fields += [("file", name), ("text", text)]
    return tuple(fields)


async def absent(request: Request, asked: Asked) -> Response | None:
    """Give the page that asks for the source where an address has none."""
    if asked.source or asked.object is not None:
        return None
    return await respond(request, await absent_page(request, asked))


def object_of(asked: Asked, analysis: Analysis) -> bytes:
    """Give the object that was analysed."""
    data = analysis.compile.object if analysis.compile else asked.object
    return data or b""


async def show_part(request: Request, name: str, page: object) -> HTMLResponse:
    """Render `pages/NAME.html`, or `parts/_NAME.html` where htmx or a script asks for a part."""
    template = f"parts/_{name}.html" if is_partial(request) else f"pages/{name}.html"
    return await show(request, template, page)


async def refused(request: Request, asked: Asked, error: AppError) -> HTMLResponse:
    """Render an error in the same frame; a compiler's remarks among it, but no editor."""
    page = replace(frame(request, asked), failure=failure(error))
    template = "parts/_failure.html" if is_partial(request) else "pages/refused.html"
    return await show(request, template, page, status=error.status)


def with_query(path: str, choices: Choices, more: Sequence[tuple[str, str]]) -> str:
    """Give an address with the choices and more: `/matrix?example=...&differs=1`."""
    query = [choices.query(), urlencode(more, safe="@")]
    return f"{path}?{'&'.join(part for part in query if part)}"
