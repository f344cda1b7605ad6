"""C lines as the page names them: number, colour, and the key that links all views."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from app.views.highlight import Coloured, highlight
from engine.btf.ext import LineInfo

COLOURS: Final = 9
"""Line colours in the style sheet (`--line-1` ...); the number is always shown as well."""


@dataclass(frozen=True, slots=True)
class LineRef:
    """A place in C; `number` 0 means that the object has no line for this slot."""

    number: int
    file: str
    text: str
    colour: int
    key: str
    in_editor: bool

    @property
    def runs(self) -> tuple[Coloured, ...]:
        """The text in colours."""
        return highlight(self.text)


NO_LINE: Final = LineRef(0, "", "", 0, "", in_editor=False)


class SourceLines:
    """Gives every line of a program its colour, in the order in which lines first appear.

    `main` is the name of the file in the editor; it is empty when an object was given.
    """

    def __init__(self, main: str) -> None:
        self.main = main
        self._refs: dict[tuple[str, int], LineRef] = {}

    def ref(self, line: LineInfo | None) -> LineRef:
        """Give the reference of a line; the same line always gives the same one."""
        if line is None or line.line_number == 0:
            return NO_LINE
        file = line.file_name.rpartition("/")[2]
        place = (line.file_name, line.line_number)
        if place not in self._refs:
            in_editor = bool(self.main) and file == self.main
            number = len(self._refs)
            self._refs[place] = LineRef(
                number=line.line_number,
                file=file,
                text=line.line.strip(),
                colour=number % COLOURS + 1,
                key=f"l{line.line_number}" if in_editor else f"x{number}",
                in_editor=in_editor,
            )
        return self._refs[place]
