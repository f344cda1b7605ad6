"""`// coreplay: allow RULE` in C: findings that their author has looked at.

The comment stands on the line that the finding is about, or alone on the line before it. The
lines that an object brings along hold the former; for the latter the source has to be given.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Final

from engine.core.prepare import PreparedObject
from engine.lint.rule import Finding

_COMMENT: Final = re.compile(
    r"(?://|/\*).*?\bcoreplay:\s*allow\s+([a-z0-9_-]+(?:\s*,\s*[a-z0-9_-]+)*)"
)
ALL: Final = "all"
_LINE_BYTES: Final = 4096

_Place = tuple[str, int]
"""Name of a file without its folders, number of a line."""


def allowed_in(text: str) -> frozenset[str]:
    """The rules that a line of C allows; `all` is one of them."""
    found = _COMMENT.search(text[:_LINE_BYTES])
    if found is None:
        return frozenset()
    return frozenset(re.split(r"\s*,\s*", found[1].replace("_", "-")))


@dataclass(frozen=True, slots=True)
class Allowances:
    """All comments of a program, by the lines that they speak of."""

    rules: Mapping[_Place, frozenset[str]]

    @classmethod
    def read(cls, prepared: PreparedObject, sources: Mapping[str, str]) -> Allowances:
        """Collect them from the lines in an object and from its C files by name."""
        found: dict[_Place, frozenset[str]] = {}
        for infos in prepared.ext.line_infos.values():
            for info in infos:
                if "coreplay:" in info.line:
                    _add(found, _file(info.file_name), info.line_number, allowed_in(info.line))
        for name, text in sources.items():
            if "coreplay:" in text:
                _read_source(found, _file(name), text)
        return cls(found)

    def cover(self, finding: Finding) -> bool:
        """Whether a finding was looked at and allowed."""
        if not self.rules:
            return False
        rules = self.rules.get((_file(finding.file), finding.line), frozenset())
        return finding.rule in rules or ALL in rules


def _read_source(found: dict[_Place, frozenset[str]], file: str, text: str) -> None:
    for number, line in enumerate(text.split("\n"), start=1):
        rules = allowed_in(line)
        if not rules:
            continue
        _add(found, file, number, rules)
        if line.lstrip().startswith(("//", "/*")):
            _add(found, file, number + 1, rules)


def _add(found: dict[_Place, frozenset[str]], file: str, line: int, rules: frozenset[str]) -> None:
    if rules:
        found[file, line] = found.get((file, line), frozenset()) | rules


def _file(name: str) -> str:
    return PurePosixPath(name).name
