"""Refuses a request that cannot be answered, before a worker is troubled with it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from app.errors import AppError
from app.services.analysis import AnalysisRequest
from app.settings import Settings


def check_request(
    request: AnalysisRequest,
    settings: Settings,
    *,
    kernels: Sequence[str],
    loaders: Sequence[str],
) -> None:
    """Raise AppError, with the field as its place, for the first thing that is wrong.

    `kernels` and `loaders` are the ids that exist.
    """
    if request.object is None:
        check_source(request, settings)
    elif len(request.object) > settings.object_bytes:
        raise AppError(
            f"The object has {len(request.object)} bytes; {settings.object_bytes} are the limit",
            code="object-too-large",
            place="object",
        )
    _check_ids("kernel", request.kernels, kernels, settings.kernels_per_request)
    _check_ids("loader", request.loaders, loaders, settings.loaders_per_request)


def check_source(request: AnalysisRequest, settings: Settings) -> None:
    """Check the files of a request; their names are checked by who compiles them."""
    if not request.main or not any(text.strip() for text in request.files.values()):
        raise AppError(
            "There is no C source and no object",
            code="source-missing",
            place="files",
            hint="Give a file named *.c with a BPF program, or a compiled object.",
        )
    size = sum(_utf8_size(name, text) for name, text in request.files.items())
    if size > settings.source_bytes:
        raise AppError(
            f"The source is {size} bytes long; {settings.source_bytes} are the limit",
            code="source-too-large",
            place="files",
            hint="Compile it yourself and send the object.",
        )


def _utf8_size(name: str, text: str) -> int:
    try:
        return len(text.encode())
    except UnicodeEncodeError as problem:
        raise AppError(
            "The source is not text: half of a surrogate pair stands alone",
            code="bad-request",
            place=f"{name}, character {problem.start}",
        ) from None


def _check_ids(what: str, chosen: Sequence[str], known: Iterable[str], limit: int) -> None:
    if not chosen:
        raise AppError(f"No {what} was chosen", code=f"{what}-missing", place=f"{what}s")
    if len(chosen) > limit:
        raise AppError(
            f"{len(chosen)} {what}s were chosen; {limit} are the limit",
            code="too-many-runs",
            place=f"{what}s",
        )
    names = list(known)
    for number, name in enumerate(chosen):
        if name not in names:
            raise unknown_id(what, name, names, place=f"{what}s[{number}]")
        if name in chosen[:number]:
            raise AppError(
                f"The {what} {name} was chosen twice",
                code="bad-request",
                place=f"{what}s[{number}]",
            )


def unknown_id(what: str, name: str, known: Sequence[str], *, place: str) -> AppError:
    """Make the error for a kernel or loader that does not exist, with the nearest that do."""
    from difflib import get_close_matches  # late: only for a mistake

    near = get_close_matches(name, known, n=3, cutoff=0.3) or list(known)[:3]
    return AppError(
        f"There is no {what} {name[:120]!r}",
        code=f"{what}-unknown",
        place=place,
        hint=f"Near: {', '.join(near)}." if near else "",
    )
