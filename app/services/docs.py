"""The documentation as it lies in docs/: pages by their place, read once."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final

from app.errors import AppError

FOLDER: Final = Path(__file__).resolve().parents[2] / "docs"
_TITLE: Final = re.compile(r"^# (.+)$", re.MULTILINE)
_SECTION: Final = {"lint": "Lint rules", "adr": "Decisions"}


@dataclass(frozen=True, slots=True)
class DocFile:
    """One page: `place` is its path below /docs without the ending, `title` is Markdown."""

    place: str
    title: str
    text: str

    @property
    def section(self) -> str:
        """The heading it is listed under."""
        return _SECTION.get(self.place.partition("/")[0], "Guide") if "/" in self.place else "Guide"


@cache
def docs(folder: Path = FOLDER) -> dict[str, DocFile]:
    """All pages by place, in the order of their names; empty where the folder is not installed."""
    found = {}
    for path in sorted(folder.rglob("*.md")):
        place = path.relative_to(folder).with_suffix("").as_posix()
        text = path.read_text(encoding="utf-8")
        title = _TITLE.search(text)
        found[place] = DocFile(place, title[1] if title else place, text)
    return found


def doc(place: str) -> DocFile:
    """Give one page; AppError `not-found` names the nearest ones."""
    from difflib import get_close_matches

    known = docs()
    if place in known:
        return known[place]
    near = get_close_matches(place[:80], known, n=3, cutoff=0.5)
    raise AppError(
        f"There is no page {place[:80]!r} in the documentation",
        code="not-found",
        place=f"/docs/{place[:80]}",
        hint=f"Near: {', '.join(near)}." if near else "All pages are listed at /docs.",
    )
