"""What a form or a query asks for, as values: choices, source, object."""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
from collections.abc import Sequence
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
    """The choices, the files in the editor, and the object that goes before them.

    `source` is the text of the file that is compiled and `named` what the form calls it;
    `others` are the files that it may include, by name.
    """

    choices: Choices
    source: str
    object: bytes | None = None
    named: str = ""
    others: tuple[tuple[str, str], ...] = ()
    auto: bool = False
    """Sent because someone stopped typing: no step in the history of its own."""

    @property
    def main(self) -> str:
        """The name of the file that is compiled."""
        example = examples().get(self.choices.example)
        return example.file if example else self.named or MAIN

    @property
    def files(self) -> dict[str, str]:
        """All files by name, the one that is compiled first; none where an object is shown."""
        return {} if self.object is not None else {self.main: self.source, **dict(self.others)}

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
            files=self.files,
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
    named, others = _names(fields)
    auto = dict(fields).get("auto") == "1"
    if data is not None and not data.startswith(ELF_MAGIC) and name.endswith((".c", ".h")):
        source, data = normalise(data.decode("utf-8", "replace")) + "\n", None
    if data is not None:
        chosen = replace(chosen, example="", draft="", object=name or "object")
        return Asked(chosen, source, data, named, others, auto)
    example = None if others else example_of(source)
    if example is not None and named in ("", MAIN, example.file):
        chosen = replace(chosen, object="", example=example.id, draft="")
        return Asked(chosen, source, auto=auto)
    chosen = replace(chosen, object="", example="", draft=draft_id(source, named, others))
    return Asked(chosen, source, None, named, others, auto)


def _names(fields: Sequence[tuple[str, str]]) -> tuple[str, tuple[tuple[str, str], ...]]:
    """Read the name of the main file, and the others: `file` and `text` in turns."""
    names = [text.strip() for name, text in fields if name == "file"]
    texts = [normalise(text) + "\n" for name, text in fields if name == "text"]
    named = dict(fields).get("main", "").strip()
    found = dict(zip(names, texts, strict=False))
    return named, tuple((name, found[name]) for name in found if name not in ("", named))


def draft_id(source: str, main: str = "", others: Sequence[tuple[str, str]] = ()) -> str:
    """Name source by its content, and by names where they are not the usual: 12 hex digits."""
    text = source
    if others or main not in ("", MAIN):
        text = json.dumps([main, source, *others])
    return hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()[:12]


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
