"""The programs of the start page's menu: C files beside a table of titles and choices."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Final

FOLDER: Final = Path(__file__).resolve().parent / "examples"


@dataclass(frozen=True, slots=True)
class Example:
    """One program; `choices` are the form fields that it wants to differ from the defaults."""

    id: str
    title: str
    about: str
    source: str
    choices: Mapping[str, Any]

    @property
    def file(self) -> str:
        """The name that the compiler sees."""
        return f"{self.id}.bpf.c"


@cache
def examples() -> Mapping[str, Example]:
    """Give all examples by id, in the order of the menu."""
    table = tomllib.loads((FOLDER / "index.toml").read_text(encoding="utf-8"))
    return {
        entry["id"]: Example(
            id=entry["id"],
            title=entry["title"],
            about=entry["about"],
            source=(FOLDER / f"{entry['id']}.bpf.c").read_text(encoding="utf-8"),
            choices=entry.get("choices", {}),
        )
        for entry in table["example"]
    }


def example_of(source: str) -> Example | None:
    """Find the example whose text this is; line ends and space at the end don't count."""
    wanted = normalise(source)
    return next((e for e in examples().values() if normalise(e.source) == wanted), None)


def normalise(source: str) -> str:
    """Undo what a form does to a text: CR LF becomes LF."""
    return source.replace("\r\n", "\n").rstrip()
