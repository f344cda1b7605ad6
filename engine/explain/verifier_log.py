"""Reading what the kernel's verifier says, at log levels 1 and 2, in the form of any version.

    ; if (bpf_core_enum_value_exists(...)) { @ types.h:81     the source line, since 6.8 with place
    187: (85) call unknown#195896080                          number, opcode, instruction
    invalid func unknown#195896080                            the complaint
    processed 177 insns (limit 1000000) ...                   the end

Since 7.3 a report follows the complaint: `Verification failed: ...`, then `Reason:`, `At:` with
instructions around the place, and `Suggestion:`. The instructions there are context only.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from typing import Final

from engine.explain.log_facts import LogFact, SourceLine, said
from engine.explain.verifier_texts import Complaint, complaint_of
from engine.explain.words import code, printable, text

_INSN: Final = re.compile(r"\s*(\d+): \(([0-9a-f]{2})\) (.*)")
_SOURCE: Final = re.compile(r"\s*; (.*?)(?: @ (\S*?):(\d+)(?::\d+)?)?$")
_POISONED_LINE: Final = "instruction poisoned by CO-RE"
_REPLACED: Final = re.compile(r"\s*(\d+): <invalid CO-RE relocation>")
_UNRESOLVED: Final = re.compile(r"failed to resolve CO-RE relocation (<.*)")
SPEC: Final = re.compile(r"<(\w+)> \[\d+\] (.*)")
_ENUM_SPEC: Final = re.compile(r"(.*::\S+) = .*")
_FIELD_SPEC: Final = re.compile(r"(.*?) \([\d:]* @ offset [\d.]+\)")
_HEADLINE: Final = re.compile(r"\s*Verification failed: (.*)")
_AT: Final = re.compile(r"\s*(?:\S+ @ (\S+?):(\d+)(?::\d+)?|insn (\d+))\s*$")
_MARKED: Final = re.compile(r">>> (\d+) \| \([0-9a-f]{2}\) (.*)")
_SECTIONS: Final = ("Reason:", "At:", "Causal path:", "Suggestion:")
_LISTED: Final = 8192
"""Instructions kept to tell programs apart."""


def spec_words(spec: str) -> tuple[str, str]:
    """Kind and path of a relocation as libbpf prints it, without ids, offsets and values."""
    match = SPEC.match(spec)
    if match is None:
        return "", spec.strip()
    kind, path = match[1], match[2].strip()
    for form in (_ENUM_SPEC, _FIELD_SPEC):
        shorter = form.match(path)
        if shorter is not None:
            path = shorter[1]
            break
    # The leading enum64 is still an enum in C.
    return kind, path.replace("enum64 ", "enum ", 1)


@dataclass(slots=True)
class VerifierReader:
    """Takes the lines of a log one by one; findings come out of `feed`."""

    program: str = ""
    codes: dict[str, dict[int, int]] = field(default_factory=dict)
    insn: int | None = None
    insn_text: str = ""
    source: SourceLine | None = None
    poisoned: SourceLine | None = None
    section: str = ""
    last: LogFact | None = None
    replaced: int | None = None
    finished: bool = False
    """Whether the verifier's last line was seen."""
    by_cilium: bool = False
    """Whether cilium/ebpf's comment on a poisoned instruction was seen."""

    def feed(self, number: int, line: str) -> LogFact | None:
        """Read one line; gives a finding, or one that replaces the last one (same `line`)."""
        if self.section or "Verification failed: " in line:
            report = self._report(number, line)
            if report is not None or self.section:
                return report
        match = _INSN.match(line)
        if match is not None:
            self._see(int(match[1]), int(match[2], 16), match[3])
            # Pasting may have joined the instruction and the complaint.
            return self._complain(number, line) if " invalid func " in line else None
        if line.lstrip().startswith("; "):
            self._see_source(line)
            return None
        if line.startswith("processed "):
            self.finished = True
            return None
        return self._complain(number, line)

    def begin(self, program: str) -> None:
        """A loader says whose log follows."""
        self.program = program
        self.insn, self.insn_text, self.source, self.poisoned = None, "", None, None

    def _see(self, number: int, opcode: int, rest: str) -> None:
        self.insn, self.insn_text = number, rest.partition(" ;")[0].strip()
        listed = self.codes.setdefault(self.program, {})
        if len(listed) < _LISTED:
            listed[number] = opcode

    def _see_source(self, line: str) -> None:
        match = _SOURCE.match(line)
        if match is None:
            return
        found = SourceLine(
            printable(match[1].strip()), printable(match[2] or ""), int(match[3] or 0)
        )
        if found.text.startswith(_POISONED_LINE):
            self.by_cilium = True
            # cilium/ebpf puts this in place of the line, which may follow behind a colon.
            old = found.text.removeprefix(_POISONED_LINE).removeprefix(":").strip()
            self.poisoned = SourceLine(old, found.file, found.number) if old else self.source
        else:
            self.source, self.poisoned = found, None

    def _complain(self, number: int, line: str) -> LogFact | None:
        match = _REPLACED.match(line)
        if match is not None:
            self.replaced = int(match[1])
            return None
        match = _UNRESOLVED.search(line)
        if match is not None:
            return self._keep(self._unresolved(number, line, match[1]))
        complaint = complaint_of(line, self.insn_text)
        if complaint is None:
            return None
        return self._keep(self._fact(number, line, complaint))

    def _keep(self, fact: LogFact) -> LogFact:
        self.last = fact
        return fact

    def _fact(self, number: int, line: str, complaint: Complaint) -> LogFact:
        insn = complaint.insn if complaint.insn is not None else self.insn
        own = complaint.insn is None or complaint.insn == self.insn
        return LogFact(
            complaint.kind,
            "verifier",
            "error",
            number,
            said(line),
            complaint.cause,
            complaint.fix,
            program=self.program,
            insn=insn,
            source_line=(self.poisoned or self.source) if own else None,
            needs=complaint.needs,
        )

    def _unresolved(self, number: int, line: str, spec: str) -> LogFact:
        kind, asked = spec_words(spec)
        insn, self.replaced = self.replaced, None
        return LogFact(
            "poison-named",
            "libbpf",
            "error",
            number,
            said(line),
            text(
                "The kernel has no ",
                code(asked),
                ": libbpf replaced the instruction, and the verifier came to it.",
            ),
            text("Ask whether it exists before it is used, or read what took its place."),
            program=self.program,
            insn=insn if insn is not None else self.insn,
            kind_word=kind,
            asked=asked,
            source_line=self.source,
            needs=text(
                "With the object and the kernel, the name that it has now can be looked up."
            ),
        )

    def _report(self, number: int, line: str) -> LogFact | None:
        """Follow one of the reports that kernels from 7.3 on write."""
        headline = _HEADLINE.match(line)
        if headline is not None:
            self.section = "headline"
            if self.last is not None:
                return None
            cause = text("The verifier reports: ", code(headline[1].strip()), ".")
            return self._keep(
                LogFact("verifier-report", "verifier", "error", number, said(line), cause,
                        program=self.program)
            )  # fmt: skip
        stripped = line.strip()
        if stripped in _SECTIONS:
            self.section = stripped
            return None
        if stripped.startswith("processed ") and " insns" in stripped:
            self.section, self.finished = "", True
            return None
        return self._detail(stripped)

    def _detail(self, line: str) -> LogFact | None:
        if self.last is None or not line:
            return None
        if self.section == "At:":
            marked, at = _MARKED.search(line), _AT.match(line)
            if marked is not None and self.last.insn is None:
                return self._keep(replace(self.last, insn=int(marked[1])))
            if at is not None and at[3] and self.last.insn is None:
                return self._keep(replace(self.last, insn=int(at[3])))
            if at is not None and at[1] and self.last.source_line is None:
                place = SourceLine("", printable(at[1]), int(at[2]))
                return self._keep(replace(self.last, source_line=place))
        if self.section == "Reason:" and self.last.kind == "verifier-report":
            return self._keep(replace(self.last, cause=text(self.last.cause, " ", printable(line))))
        if self.section == "Suggestion:" and self.last.kind == "verifier-report":
            return self._keep(
                replace(self.last, fix=text(self.last.fix, " " * bool(self.last.fix), line))
            )
        return None
