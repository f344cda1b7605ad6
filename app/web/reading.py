"""What a form or a query asks for, as values: choices, source, object."""

from __future__ import annotations

import base64
import binascii
import hashlib
from dataclasses import dataclass, replace
from typing import Final, Literal, cast

from starlette.datastructures import FormData, UploadFile
from starlette.requests import Request

from app.learn.example import example_of, examples, normalise
from app.services.analysis import AnalysisRequest
from app.views.choices import DEFAULT_EXAMPLE, Choices, read_choices
from app.views.page import MAIN, choices_of

ELF_MAGIC: Final = b"\x7fELF"
KEPT_BYTES: Final = 512 << 10
"""Largest object that a page without scripts carries along, so that it can be asked again."""


@dataclass(frozen=True, slots=True)
class Asked:
    """The choices, the text in the editor, and the object that goes before it."""

    choices: Choices
    source: str
    object: bytes | None = None

    @property
    def main(self) -> str:
        """The name of the file in the editor."""
        example = examples().get(self.choices.example)
        return example.file if example else MAIN

    @property
    def kept(self) -> str:
        """The object in base64 if a page can carry it."""
        if self.object is None or len(self.object) > KEPT_BYTES:
            return ""
        return base64.b64encode(self.object).decode()

    def request(self) -> AnalysisRequest:
        """Give what the analysis takes."""
        chosen = self.choices
        return AnalysisRequest(
            files={} if self.object is not None else {self.main: self.source},
            object=self.object,
            object_name=chosen.object if self.object is not None else "",
            kernels=chosen.kernels,
            loaders=chosen.loaders,
            clang=chosen.clang,
            cpu=chosen.cpu,
            byte_order=cast("Literal['auto', 'little', 'big']", chosen.order),
            opt=chosen.opt,
        )


def read_query(request: Request) -> Asked:
    """Read an address; an example that does not exist counts as none."""
    items = request.query_params.multi_items()
    chosen = read_choices(items)
    example = examples().get(chosen.example)
    if example is None:
        return Asked(replace(chosen, example=""), "")
    return Asked(read_choices(items, choices_of(example)), example.source)


def start() -> Asked:
    """Give the start page's own example with its choices."""
    example = examples()[DEFAULT_EXAMPLE]
    return Asked(choices_of(example), example.source)


async def read_form(request: Request) -> Asked:
    """Read the posted form; text in place of an object counts as source.

    What the example and the draft are called follows from the text, not from the form.
    """
    limit = request.app.state.settings.body_bytes
    async with request.form(max_part_size=limit) as form:
        fields = [(name, text) for name, text in form.multi_items() if isinstance(text, str)]
        name, data = await _object(form)
    chosen = read_choices(fields)
    source = normalise(dict(fields).get("source", "")) + "\n"
    if data is not None and not data.startswith(ELF_MAGIC) and name.endswith((".c", ".h")):
        source, data = normalise(data.decode("utf-8", "replace")) + "\n", None
    if data is not None:
        return Asked(replace(chosen, example="", draft="", object=name or "object"), source, data)
    example = example_of(source)
    return Asked(
        replace(
            chosen,
            object="",
            example=example.id if example else "",
            draft="" if example else draft_id(source),
        ),
        source,
    )


def draft_id(source: str) -> str:
    """Name a source text by its content: 12 hex digits."""
    return hashlib.sha256(source.encode("utf-8", "replace")).hexdigest()[:12]


async def _object(form: FormData) -> tuple[str, bytes | None]:
    """Give the uploaded object, or the one that the page carried along."""
    upload = form.get("object")
    if isinstance(upload, UploadFile) and upload.filename:
        return upload.filename.rpartition("/")[2][:200], await upload.read()
    kept = form.get("kept")
    if isinstance(kept, str) and kept:
        try:
            return str(form.get("kept_name") or ""), base64.b64decode(kept, validate=True)
        except (binascii.Error, ValueError):
            return "", None
    return "", None
