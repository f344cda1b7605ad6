"""Reading libbpf's debug output: what it found for each relocation, and what it did.

    prog 'P': relo #3: <byte_off> [7] struct inode.i_atime (0:15 @ offset 88)
    prog 'P': relo #3: non-matching candidate #0 <byte_off> [912] struct inode (0 @ offset 0)
    prog 'P': relo #3: no matching targets found
    prog 'P': relo #3: substituting insn #42 w/ invalid insn

Follows: libbpf src/relo_core.c, src/libbpf.c @ v1.7.0; the older form of the first line is that
of libbpf before 0.8.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from typing import Final

from engine.explain.log_facts import LogFact, said
from engine.explain.verifier_log import spec_words
from engine.explain.words import Text, code, count, text

_RELO: Final = re.compile(r"prog '([^']{1,200})': relo #(\d{1,9}): (.*)")
_OLD_SPEC: Final = re.compile(r"kind <(\w+)> \(\d+\), spec is (.*)")
_PATCHED: Final = re.compile(r"patched insn #(\d{1,9}) \([\w/]+\) \w+ (\d+) -> (\d+)")
_REPLACED: Final = re.compile(r"substituting insn #(\d{1,9}) w/ invalid insn")
_SECTION: Final = re.compile(r"sec '[^']*': found \d+ CO-RE relocations")
_FOUND: Final = re.compile(r"CO-RE relocating \[\d+\] .*: found target candidate")
_EXISTENCE: Final = ("field_exists", "type_exists", "enumval_exists", "type_matches")

_REFUSALS: Final[tuple[tuple[str, str, str], ...]] = (
    (
        "field offset ambiguity",
        "ambiguous",
        "Several types of the kernel have this name and hold the field at different places.",
    ),
    (
        "relocation decision ambiguity",
        "ambiguous",
        "Several types of the kernel have this name and give different answers.",
    ),
    (
        "accesses field incorrectly",
        "resized",
        "The field has another size on this kernel, and a signed number cannot be read through "
        "another width: libbpf poisons the instruction.",
    ),
    (
        "unexpected insn",
        "unexpected-value",
        "The instruction does not hold what the compiler is expected to have written there.",
    ),
    (
        "value too big",
        "far-offset",
        "The field lies further from the start of its struct than a load can reach.",
    ),
    (
        "can't be satisfied for bitfield",
        "wide-bitfield",
        "No load of 8 bytes covers the bitfield.",
    ),
    (
        "can't be applied to array access",
        "array-element",
        "Only place and size can be asked of an array's element.",
    ),
    (
        "target candidate search failed",
        "no-search",
        "The type has no name to look for, or a module's BTF could not be read.",
    ),
    (
        "unrecognized CO-RE relocation",
        "unknown-kind",
        "This version of libbpf does not know the question that a newer compiler wrote.",
    ),
    (
        "captures type",
        "odd-path",
        "The record's path leads through something that is neither a struct nor an array.",
    ),
    (
        "trying to relocate unrecognized insn",
        "odd-instruction",
        "The record points to an instruction that holds no value to replace.",
    ),
)
_FIXES: Final = {
    "ambiguous": text(
        "Ask first, and through the same struct, for a member that only the meant type has."
    ),
    "resized": text("Read it with ", code("BPF_CORE_READ_BITFIELD_PROBED"), ", for any width."),
    "far-offset": text("Read it with ", code("BPF_CORE_READ"), ", which computes the address."),
    "no-search": text("Give the struct a name, or take preserve_access_index off."),
    "unknown-kind": text("Load it with a newer libbpf."),
    "unexpected-value": text(
        "Compile without a tool that rewrites the object behind the compiler; an unsigned "
        "enumerator from 2,147,483,648 on cannot be loaded with libbpf."
    ),
}


@dataclass(slots=True)
class _Relocation:
    """What was said of one relocation so far."""

    program: str
    number: int
    line: int
    spec: str = ""
    refused: int = 0
    missing: bool = False
    poisoned: int | None = None
    value: int | None = None


@dataclass(slots=True)
class LibbpfReader:
    """Takes the lines one by one; refusals come out of `feed`, the rest out of `end`."""

    rows: dict[tuple[str, int], _Relocation] = field(default_factory=dict)
    seen: int = 0
    program: str = ""

    def feed(self, number: int, line: str) -> LogFact | None:
        """Read one line; gives a finding for a refusal."""
        match = _RELO.search(line) if "relo #" in line else None
        if match is None:
            if "CO-RE relo" not in line:
                return None
            if _SECTION.search(line) or _FOUND.search(line):
                self.seen += 1
            return None
        self.seen += 1
        self.program = match[1]
        key = (match[1], int(match[2]))
        row = self.rows.get(key)
        if row is None:
            row = self.rows[key] = _Relocation(*key, line=number)
        return self._learn(row, number, line, match[3])

    def _learn(self, row: _Relocation, number: int, line: str, rest: str) -> LogFact | None:
        old = _OLD_SPEC.match(rest)
        if old is not None:
            row.spec = f"<{old[1]}> {old[2]}"
        elif rest.startswith("<") and not row.spec:
            row.spec = rest
        elif rest.startswith("non-matching candidate"):
            row.refused += 1
        elif rest.startswith("no matching targets found"):
            row.missing = True
        elif (patched := _PATCHED.match(rest)) is not None:
            row.value = int(patched[3])
        elif (replaced := _REPLACED.match(rest)) is not None:
            row.poisoned = int(replaced[1])
        else:
            return self._refusal(row, number, line, rest)
        return None

    def _refusal(self, row: _Relocation, number: int, line: str, rest: str) -> LogFact | None:
        for words, kind, cause in _REFUSALS:
            if words in rest:
                kind_word, asked = spec_words(row.spec)
                about: Text = text(" It asks for ", code(asked), ".") if asked else ()
                fact = LogFact(
                    kind,
                    "libbpf",
                    "error",
                    number,
                    said(line),
                    text(cause, about),
                    _FIXES.get(kind, ()),
                    program=row.program,
                    relocation=row.number,
                    kind_word=kind_word,
                    asked=asked,
                )
                return fact if asked else replace(fact, needs=_NEEDS)
        return None

    def end(self) -> list[LogFact]:
        """What came of the relocations that found nothing, in the order of the log."""
        missing = [row for row in self.rows.values() if row.missing]
        return [_missing(row) for row in missing]

    def counted(self) -> Text:
        """How many relocations were read, and how many of them found nothing."""
        if not self.rows:
            return ()
        missing = [row for row in self.rows.values() if row.missing]
        said_so = text(f"libbpf worked on {count(len(self.rows), 'relocation')}")
        if not missing:
            return text(said_so, "; each found what it asked for.")
        poisoned = sum(row.poisoned is not None for row in missing)
        return text(
            said_so,
            f"; {len(missing)} found nothing: {len(missing) - poisoned} answered 0, which is what "
            f"guards are for, and {poisoned} became poison, which does harm only where it can be "
            "reached.",
        )


_NEEDS: Final = text("libbpf's debug output, or the object, tells what the relocation asks for.")


def _missing(row: _Relocation) -> LogFact:
    kind_word, asked = spec_words(row.spec)
    name = code(asked) if asked else code(f"relocation {row.number}")
    if row.poisoned is not None:
        cause = text("The kernel does not have ", name, ", and the instruction became poison.")
        fix = text("Nothing to do where it stands behind a guard; else ask before it is used.")
        kind = "no-target-poisoned"
    elif kind_word in _EXISTENCE:
        cause = text("The kernel does not have ", name, ", and the program is told so: 0.")
        fix = text("Nothing to do: this is how a guard works.")
        kind = "no-target-guard"
    else:
        cause = text("The kernel does not have ", name, f", and the answer is {row.value or 0}.")
        fix = text("Ask with ", code("bpf_core_type_exists"), " before the 0 is used.")
        kind = "no-target-zero"
    if row.refused:
        cause = text(cause, " A type of that name is there, but not what is asked of it.")
    else:
        cause = text(cause, " No type of that name is there.")
    return LogFact(
        kind,
        "libbpf",
        "note",
        row.line,
        said(f"prog '{row.program}': relo #{row.number}: {row.spec}"),
        cause,
        fix,
        program=row.program,
        insn=row.poisoned,
        relocation=row.number,
        kind_word=kind_word,
        asked=asked,
    )
