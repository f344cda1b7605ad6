"""`// coreplay: allow RULE` in C: findings that their author has looked at.

The comment stands on the line that the finding is about, or alone on the line before it. The
lines that an object brings along hold the former; for the latter the source has to be given.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import PurePosixPath
from typing import Final

from engine.core.prepare import PreparedObject
from engine.lint.rule import Finding

_COMMENT: Final = re.compile(
    r"(?://|/\*).*?\bcoreplay:\s*allow\s+([a-z0-9_-]+(?:\s*,\s*[a-z0-9_-]+)*)"
)
ALL: Final = "all"
UNKNOWN_RULE: Final = "unknown-rule"
"""What such a note is filed under; it is no rule, and nothing allows it."""
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
    comments: frozenset[tuple[str, int, str]] = frozenset()
    """Each rule that a comment names, with the file and line of the comment."""

    @classmethod
    def read(cls, prepared: PreparedObject, sources: Mapping[str, str]) -> Allowances:
        """Collect them from the lines in an object and from its C files by name."""
        found: dict[_Place, frozenset[str]] = {}
        named: set[tuple[str, int, str]] = set()
        for infos in prepared.ext.line_infos.values():
            for info in infos:
                if "coreplay:" in info.line:
                    rules = allowed_in(info.line)
                    _add(found, _file(info.file_name), info.line_number, rules)
                    named |= {(info.file_name, info.line_number, rule) for rule in rules}
        for name, text in sources.items():
            if "coreplay:" in text:
                named |= _read_source(found, name, text)
        return cls(found, frozenset(named))

    def cover(self, finding: Finding) -> bool:
        """Whether a finding was looked at and allowed."""
        if not self.rules:
            return False
        rules = self.rules.get((_file(finding.file), finding.line), frozenset())
        return finding.rule in rules or ALL in rules

    def unknown(self, program: str, known: Collection[str]) -> Iterator[Finding]:
        """A note for each name that is no rule, once for a line however its file is called."""
        said = set()
        for name, line, rule in sorted(self.comments):
            place = _file(name), line, rule
            if rule == ALL or rule in known or place in said:
                continue
            said.add(place)
            near = get_close_matches(rule, known, 1)
            hint = f"Perhaps {near[0]} was meant." if near else "docs/lint.md lists the rules."
            text = f"a comment allows {rule}, and there is no such rule"
            yield Finding(UNKNOWN_RULE, "note", program, text, line=line, file=name, hint=hint)


def _read_source(
    found: dict[_Place, frozenset[str]], name: str, text: str
) -> set[tuple[str, int, str]]:
    named = set()
    file = _file(name)
    for number, line in enumerate(text.split("\n"), start=1):
        rules = allowed_in(line)
        if not rules:
            continue
        named |= {(name, number, rule) for rule in rules}
        _add(found, file, number, rules)
        if line.lstrip().startswith(("//", "/*")):
            _add(found, file, number + 1, rules)
    return named


def _add(found: dict[_Place, frozenset[str]], file: str, line: int, rules: frozenset[str]) -> None:
    if rules:
        found[file, line] = found.get((file, line), frozenset()) | rules


def _file(name: str) -> str:
    return PurePosixPath(name).name
