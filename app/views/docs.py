"""A page of the documentation: Markdown to HTML, with an anchor at each heading.

Raw HTML in the Markdown is shown as text, so what comes out holds only tags that the renderer
writes itself; that is why it may be marked as safe.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from itertools import groupby
from typing import Final
from urllib.parse import urlsplit

from markdown_it import MarkdownIt
from markdown_it.token import Token
from markupsafe import Markup

from app.services.docs import DocFile

_DROPPED: Final = re.compile(r"[^\w\- ]")
_TICKS: Final = re.compile(r"`([^`]*)`")


@dataclass(frozen=True, slots=True)
class Heading:
    """An entry of the list of contents; `level` is 2 or 3."""

    anchor: str
    text: str
    level: int


@dataclass(frozen=True, slots=True)
class DocPage:
    """The view model of one page."""

    title: str
    html: Markup
    contents: tuple[Heading, ...]


@dataclass(frozen=True, slots=True)
class DocsIndex:
    """The view model of /docs: sections with (place, title)."""

    sections: tuple[tuple[str, tuple[tuple[str, str], ...]], ...]


def docs_index(pages: Iterable[DocFile]) -> DocsIndex:
    """List all pages, the guide first."""
    rows = sorted(pages, key=lambda page: (page.section != "Guide", page.section, page.place))
    return DocsIndex(
        tuple(
            (section, tuple((page.place, _TICKS.sub(r"\1", page.title)) for page in group))
            for section, group in groupby(rows, key=lambda page: page.section)
        )
    )


@lru_cache(maxsize=64)
def doc_page(page: DocFile) -> DocPage:
    """Render a page; links to other pages lead to where those are served."""
    tokens = _parser().parse(page.text)
    contents = tuple(_anchor_headings(tokens))
    for token in tokens:
        _open_tables(token)
        for child in token.children or ():
            _lead(child, page.place)
    html = _parser().renderer.render(tokens, _parser().options, {})
    shown = tuple(heading for heading in contents if heading.level in (2, 3))
    return DocPage(_TICKS.sub(r"\1", page.title), Markup(html), shown)  # noqa: S704


def slug(text: str) -> str:
    """Give the anchor of a heading, as GitHub makes it: `The jail` is `the-jail`."""
    return _DROPPED.sub("", text.lower()).replace(" ", "-")


@cache
def _parser() -> MarkdownIt:
    return MarkdownIt("commonmark", {"html": False}).enable("table")


def _anchor_headings(tokens: Sequence[Token]) -> Iterable[Heading]:
    taken: dict[str, int] = {}
    for number, token in enumerate(tokens):
        if token.type != "heading_open":
            continue
        text = "".join(child.content for child in tokens[number + 1].children or ())
        anchor = slug(text)
        again = taken[anchor] = taken.get(anchor, -1) + 1
        anchor = f"{anchor}-{again}" if again else anchor
        token.attrSet("id", anchor)
        yield Heading(anchor, text, int(token.tag[1:]))


def _open_tables(token: Token) -> None:
    """Give wide blocks the keyboard, for they scroll on a narrow screen."""
    if token.type in ("fence", "code_block"):
        token.attrSet("tabindex", "0")


def _lead(token: Token, place: str) -> None:
    """Turn a link to another file of docs/ into its address; one to other files leads nowhere."""
    if token.type == "link_open":
        target = str(token.attrGet("href") or "")
        parts = urlsplit(target)
        if parts.scheme or target.startswith(("#", "/")):
            return
        path = posixpath.normpath(posixpath.join(posixpath.dirname(place), parts.path))
        if path.endswith(".md") and not path.startswith(".."):
            fragment = f"#{parts.fragment}" if parts.fragment else ""
            token.attrSet("href", f"/docs/{path.removesuffix('.md')}{fragment}")
        else:
            token.attrs.clear()  # an <a> without href is plain text
    elif token.type == "image":
        source = str(token.attrGet("src") or "")
        path = posixpath.normpath(posixpath.join(posixpath.dirname(place), source))
        token.attrSet("src", f"/docs/{path}")
