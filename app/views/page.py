"""The start page with whatever stands in its result pane."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from app.learn.example import Example
from app.views.choices import Choices
from app.views.compare import CompareMenu
from app.views.failure import Failure
from app.views.menu import Menu
from app.views.result import Result

MAIN = "main.bpf.c"
"""The name of the file in the editor, for source that is no example."""


@dataclass(frozen=True, slots=True)
class Page:
    """The view model of the page; `part` is the template of the result pane."""

    choices: Choices
    menu: Menu | None
    examples: tuple[Example, ...]
    main: str
    source: str
    part: str
    others: tuple[tuple[str, str], ...] = ()
    """The files beside `main`, by name."""
    start: Example | None = None
    result: Result | None = None
    failure: Failure | None = None
    absent_title: str = ""
    absent_text: str = ""
    kept: str = field(default="", repr=False)
    """The uploaded object in base64, for a form that is sent again without scripts."""
    note: str = ""
    compare: CompareMenu | None = None

    @property
    def answered(self) -> bool:
        """True when the result pane holds an answer."""
        return self.result is not None or self.failure is not None

    @property
    def title(self) -> str:
        """The document's title."""
        if self.result is None:
            return "coreplay"
        return f"{', '.join(_outcomes(self.result))} · coreplay"


def _outcomes(result: Result) -> Iterable[str]:
    return (f"{head.name}: {head.word}" for head in result.headlines)


def choices_of(example: Example) -> Choices:
    """Give the choices with which an example is opened."""
    asked: dict[str, Any] = {
        name: tuple(value) if isinstance(value, list) else value
        for name, value in example.choices.items()
    }
    return Choices(example=example.id, **asked)
