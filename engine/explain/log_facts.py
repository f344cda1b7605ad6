"""What a log says, one finding at a time."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from engine.explain.words import Text, printable

if TYPE_CHECKING:
    from engine.btf.ext import LineInfo
    from engine.core.result import Relocation
    from engine.explain.fixes import Fix
    from engine.explain.story import Story

Source = Literal["verifier", "libbpf", "cilium", "aya", "bpftool", "kernel"]
Weight = Literal["error", "note"]

LONGEST_SAID = 400


@dataclass(frozen=True, slots=True)
class SourceLine:
    """A line of C that the verifier printed; file and number are empty in old logs."""

    text: str
    file: str = ""
    number: int = 0


@dataclass(frozen=True, slots=True)
class LogPlace:
    """Where in the object a finding lies; slots count from the start of the function as compiled.

    sure        False when several programs of the object fit
    relocation  what is wrong there; its outcome speaks of a kernel only when one was given
    story, fixes  only when a kernel was given
    """

    program: str
    function: str
    slot: int | None
    sure: bool
    line: LineInfo | None = None
    relocation: Relocation | None = None
    words: Text = ()
    story: Story | None = None
    fixes: tuple[Fix, ...] = ()


@dataclass(frozen=True, slots=True)
class LogFact:
    """One finding.

    kind        stable id; see docs/logs.md
    said        the line of the log, shortened
    cause, fix  a sentence or two each
    asked       what the relocation asks for, when the log names it: `struct inode.i_atime`
    insn        number of the instruction in the program as it was loaded
    relocation  libbpf's number in its section
    needs       what more would be needed to say where it comes from; empty when it is known
    """

    kind: str
    source: Source
    weight: Weight
    line: int
    said: str
    cause: Text
    fix: Text = ()
    program: str = ""
    insn: int | None = None
    relocation: int | None = None
    kind_word: str = ""
    asked: str = ""
    source_line: SourceLine | None = None
    needs: Text = ()
    times: int = 1
    place: LogPlace | None = None


@dataclass(frozen=True, slots=True)
class LogReport:
    """All findings, errors first; `summary` is one sentence, also where there are none.

    codes  by program, the opcode of each instruction that the log lists: tells programs apart
    """

    facts: tuple[LogFact, ...]
    summary: Text
    sources: tuple[Source, ...]
    lines: int
    cut: bool
    more: int = 0
    """Findings beyond the limit."""
    codes: Mapping[str, Mapping[int, int]] = field(default_factory=dict)

    @property
    def errors(self) -> tuple[LogFact, ...]:
        """The findings that say why something failed."""
        return tuple(fact for fact in self.facts if fact.weight == "error")


def said(line: str) -> str:
    """A line of the log as it is kept in a finding."""
    line = line.strip()
    return printable(line if len(line) <= LONGEST_SAID else line[: LONGEST_SAID - 3] + "...", 2000)
