"""Types: search in one kernel and in all, one type with its layout, its timeline, two kernels."""

from __future__ import annotations

from functools import partial
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from pydantic import BaseModel, Field

from app.api.models import ErrorOut
from app.services import typeindex
from app.services.analyse import catalog
from app.services.building import in_thread, ready
from app.services.kerneltypes import no_type
from app.services.typelookup import kernels_of, timeline
from app.services.types import named
from app.services.typesearch import read_query, search
from app.settings import Settings
from app.views.types_json import history_json, shape_json
from app.views.typesearch_json import answer_json
from engine.explain.type_layout import layout_as_c

router = APIRouter(tags=["types"])

Search = Annotated[str, Query(max_length=2000, description="Words that must all be in the name.")]
Kind = Annotated[
    str,
    Query(
        max_length=20,
        description="struct, union, enum, typedef, enumerator, func, var, number, fwd or datasec.",
    ),
]
Limit = Annotated[int, Query(ge=1, le=500)]
_MISSING: dict[int | str, dict[str, Any]] = {
    404: {"model": ErrorOut, "description": "No such kernel or type; the hint names the nearest."},
    422: {"model": ErrorOut, "description": "A parameter makes no sense."},
}


class HitOut(BaseModel):
    """One name that was found."""

    name: str
    kinds: list[str] = Field(examples=[["struct"]])
    id: int = Field(description="Of a type of this name, or of the enumerator's enum.")
    kernels: list[str] = Field(description="The kernels that have it.")


class HitsOut(BaseModel):
    """What a search found, best first."""

    hits: list[HitOut]
    more: bool = Field(description="There are others than these.")
    near: list[str] = Field(description="What may have been meant, where nothing was found.")


@router.get("/types", summary="Search all kernels", responses={422: _MISSING[422]})
async def search_all(
    request: Request, search: Search = "", kind: Kind = "", limit: Limit = 60
) -> HitsOut:
    """Search the names of all kernels."""
    settings = await ready(request.app.state, "all-names")
    return HitsOut(**await in_thread(partial(_all, settings, search, kind, limit)))


def _all(settings: Settings, text: str, kind: str, limit: int) -> dict[str, Any]:
    answer = search(typeindex.all_names(settings), read_query(text, kind), limit)
    return answer_json(answer, partial(kernels_of, settings))


@router.get("/types/{name:path}", summary="A type over all kernels", responses=_MISSING)
async def over_time(request: Request, name: str, kind: Kind = "") -> list[dict[str, Any]]:
    """Follow a type from kernel to kernel, as `coreplay btf history --json` does."""
    settings = await ready(request.app.state, "all-names")
    _, _, steps = await in_thread(partial(timeline, settings, name, kind))
    return history_json(steps)


@router.get("/kernels/{kernel}/types", summary="Search one kernel", responses=_MISSING)
async def search_kernel(
    request: Request, kernel: str, search: Search = "", kind: Kind = "", limit: Limit = 60
) -> HitsOut:
    """Search the names of one kernel."""
    settings = await ready(request.app.state, "names", kernel)
    return HitsOut(**await in_thread(partial(_one, settings, kernel, search, kind, limit)))


def _one(settings: Settings, kernel: str, text: str, kind: str, limit: int) -> dict[str, Any]:
    answer = search(typeindex.kernel_names(settings, kernel), read_query(text, kind), limit)
    return answer_json(answer, lambda _: [kernel])


@router.get("/kernels/{kernel}/types/{name:path}", summary="One type", responses=_MISSING)
async def one(request: Request, kernel: str, name: str) -> list[dict[str, Any]]:
    """Give all types of a name, as `coreplay btf show --json` does."""
    settings = await ready(request.app.state, "names", kernel)
    return await in_thread(partial(_shapes, settings, kernel, name))


def _shapes(settings: Settings, kernel: str, name: str) -> list[dict[str, Any]]:
    btf = catalog(settings).btf(kernel)
    found = named(btf, name)
    if not found:
        raise no_type(typeindex.kernel_names(settings, kernel), name, f"in {kernel}")
    return [shape_json(shape, layout_as_c(btf, shape.id)) for shape in found]
