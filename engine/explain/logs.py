"""A pasted log, whatever it is: found, read, and put into findings."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Final

from engine import limits
from engine.explain.libbpf_log import LibbpfReader
from engine.explain.loader_errors import loader_error
from engine.explain.log_facts import LogFact, LogReport, Source
from engine.explain.log_text import LogText, log_text
from engine.explain.verifier_log import VerifierReader
from engine.explain.words import Text, code, count, text

_BEGIN: Final = re.compile(
    r"prog '([^']{1,200})': (?:-- BEGIN|BPF program load failed|failed to load)"
    r"|\bprogram ([\w.\-]{1,200}): (?:load program|apply CO-RE)"
)
_HINTS: Final[dict[Source, tuple[str, ...]]] = {
    "libbpf": ("libbpf: ", "PROG LOAD LOG"),
    "cilium": ("line(s) omitted", "apply CO-RE relocations", "cilium", "poisoned by CO-RE"),
    "aya": ("aya_obj", "aya::", "aya-obj", "BPF_PROG_LOAD` syscall failed"),
}
_LISTING: Final = re.compile(r"\s*(?:\d+: \([0-9a-f]{2}\) |; )")
_STATE: Final = re.compile(r"\s*(?:\d+: )?(?:R\d+(?:_\w+)?=|from \d+ to \d+|frame\d+: |fp-\d+)")
_TOLD: Final = frozenset({"poison-call", "poison-load", "poison-named"})
"""What makes `bad CO-RE relocation` in the same log superfluous."""


def read_log(source: bytes | Iterable[bytes]) -> LogReport:
    """Read a log, whole or chunk by chunk; never raises for its content."""
    log = log_text(source)
    reading = _Reading()
    for number, line in log.lines:
        if line:
            reading.feed(number, line)
    return reading.report(log)


@dataclass(slots=True)
class _Reading:
    """The readers, each of which takes the lines that it knows."""

    verifier: VerifierReader = field(default_factory=VerifierReader)
    libbpf: LibbpfReader = field(default_factory=LibbpfReader)
    facts: dict[tuple[str, str, int | None, str, str], LogFact] = field(default_factory=dict)
    more: int = 0
    hints: set[Source] = field(default_factory=set)
    open_key: tuple[str, str, int | None, str, str] | None = None
    """The finding of the verifier that lines behind it may add to."""

    def feed(self, number: int, line: str) -> None:
        """Give a line to whoever knows it; most are instructions and states of registers."""
        if _LISTING.match(line):
            fact = self.verifier.feed(number, line)
            if fact is not None:
                self._add(fact)
            return
        if _STATE.match(line) and "invalid" not in line and "read_ok" not in line:
            return
        begin = _BEGIN.search(line) if "prog" in line else None
        if begin is not None:
            self.verifier.begin(begin[1] or begin[2])
        self._hint(line)
        fact = self.libbpf.feed(number, line)
        if fact is None:
            fact = self.verifier.feed(number, line)
            if fact is not None and self.open_key in self.facts and self._goes_on(fact):
                return
        if fact is None:
            fact = loader_error(number, line)
        if fact is not None:
            self._add(fact)

    def _goes_on(self, fact: LogFact) -> bool:
        """Put a finding that a later line completed into the place of the first."""
        key = self.open_key
        if key is None or self.facts[key].line != fact.line or self.facts[key].said != fact.said:
            return False
        self.facts[key] = replace(fact, times=self.facts[key].times)
        return True

    def _hint(self, line: str) -> None:
        for source, words in _HINTS.items():
            if source not in self.hints and any(word in line for word in words):
                self.hints.add(source)

    def _add(self, fact: LogFact) -> None:
        key = (fact.kind, fact.program, fact.insn, fact.asked, fact.said)
        if fact.source == "verifier" or fact.kind == "poison-named":
            self.open_key = key
        if key in self.facts:
            known = self.facts[key]
            self.facts[key] = replace(known, times=known.times + 1)
        elif len(self.facts) < limits.LOG_FACTS:
            self.facts[key] = fact
        else:
            self.more += 1

    def report(self, log: LogText) -> LogReport:
        errors = [fact for fact in self.facts.values() if fact.weight == "error"]
        if any(fact.kind in _TOLD for fact in errors):
            errors = [fact for fact in errors if fact.kind != "poison-told"]
        notes = [fact for fact in self.facts.values() if fact.weight == "note"]
        notes += self.libbpf.end()
        notes = notes[: max(limits.LOG_FACTS - len(errors), 0)]
        facts = (*errors, *notes)
        if self.verifier.by_cilium or any(fact.kind == "poison-load" for fact in facts):
            self.hints.add("cilium")
        sources = tuple(sorted({*self.hints, *(fact.source for fact in facts)}))
        return LogReport(
            facts,
            self._summary(log, errors, notes),
            sources,
            log.total_lines,
            log.cut,
            self.more,
            self.verifier.codes,
        )

    def _summary(self, log: LogText, errors: list[LogFact], notes: list[LogFact]) -> Text:
        cut = ""
        if log.cut:
            cut = (
                f" The log has {count(log.total_bytes, 'byte')}; its middle was left out, "
                "findings there are missing."
            )
        if log.is_binary:
            return text("This is not text: give a log, or an object with the option for objects.")
        if not log.total_bytes:
            return text("The log is empty.")
        if errors:
            first = errors[0]
            others = f" {count(len(errors) - 1, 'more error')} follow." if len(errors) > 1 else ""
            return text(
                first.cause, others.replace("1 more error follow", "1 more error follows"), cut
            )
        counted = self.libbpf.counted()
        if counted:
            return text(counted, " Nothing here says that loading failed.", cut)
        if notes:
            return text(notes[0].cause, cut)
        if self.verifier.codes:
            listed = sum(len(rows) for rows in self.verifier.codes.values())
            said = (
                "ends without a complaint that we know" if self.verifier.finished else "ends early"
            )
            return text(
                f"A verifier log with {count(listed, 'instruction')} that {said}. Nothing in it "
                "points to CO-RE.",
                cut,
            )
        return text(
            "No line of this is known from a verifier, libbpf, cilium/ebpf, aya or bpftool. Give "
            "the loader's debug output, or a verifier log: ",
            code("bpftool -d prog load prog.o /sys/fs/bpf/x"),
            " prints both.",
            cut,
        )
