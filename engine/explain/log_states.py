"""Registers in a verifier's log: what each line says of them, and which of them it changed.

    0: R1=ctx(id=0,off=0,imm=0) R10=fp0                  until 5.15 the whole state, before
    3: (b4) w3 = 3                   ; R3_w=3             since 5.16 what was touched, behind
    from 5 to 7: frame1: R1=1 R10=fp0                    another path begins with all it knows

`Follows: Linux kernel/bpf/log.c print_verifier_state, print_insn_state`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Literal

LineKind = Literal[
    "insn", "state", "source", "trace", "listing", "said", "report", "count", "empty"
]

_INSN: Final = re.compile(r"(\d{1,9}): \(([0-9a-f]{2})\) ")
_STATE: Final = re.compile(r"(\d{1,9}): ?(?=(?:frame\d|R\d|fp-))")
_FROM: Final = re.compile(r"from \d+ to (\d{1,9})(?: \([^)]*\))?: ?")
_FRAME: Final = re.compile(r"\s*frame(\d{1,3})")
_VALUE: Final = re.compile(
    r"(?<!\S)(R1?\d|fp-\d{1,4}|refs|cb|async_cb)(?:_[a-zA-Z]{1,4})?="
    r"([^\s(]{0,200}(?:\((?:[^()]|\([^()]{0,99}\)){0,400}+\))?[^\s(]{0,200})"
)
_TRACE: Final = (
    *("last_idx ", "regs=", "mark_precise", "parent already had ", "parent didn't have "),
    *("propagating ", "stacksafe"),
)
_LISTING: Final = re.compile(
    r"(?:subprog|topo_order|func)(?:#|\[)\d|stack use/def |Live regs |"
    r"\s+(?:\d+ +)?\d+: (?:\([0-9a-f]{2}\)|[.\d]{4})"
)
_COUNT: Final = ("processed ", "verification time", "stack depth", "insns_")
_HEADLINE: Final = "Verification failed:"
_CALL: Final = "85"
_CLOBBERED: Final = ("R1", "R2", "R3", "R4", "R5")
_CALLS: Final = frozenset({"caller:", "callee:", "returning from callee:"})
MOST: Final = 200
"""Registers and stack slots that one line may speak of, and a frame may hold."""

State = Mapping[int, Mapping[str, str]]


@dataclass(frozen=True, slots=True)
class Register:
    """What a line says of one register or stack slot.

    text  as the log has it, `R3_w=0`
    was   what was known of it before on this path; None: nothing
    """

    name: str
    value: str
    text: str
    was: str | None
    changed: bool


@dataclass(frozen=True, slots=True)
class LogRow:
    """One line: its kind, the instruction it is about, registers behind `head`."""

    kind: LineKind
    text: str
    insn: int | None = None
    head: str = ""
    registers: tuple[Register, ...] = ()


@dataclass(slots=True)
class StateReader:
    """Takes the lines of a log one by one, and keeps what is known of each frame."""

    frames: dict[int, dict[str, str]] = field(default_factory=dict)
    frame: int = 0
    insn: int | None = None
    _whole: bool = True
    """Whether states are whole ones: so it is until one stands behind an instruction."""
    _report: bool = False
    _expects: bool = False

    def copy(self) -> StateReader:
        """Give a reader that goes on from here."""
        frames = {number: dict(known) for number, known in self.frames.items()}
        return StateReader(frames, self.frame, self.insn, self._whole, self._report, self._expects)

    @property
    def known(self) -> Mapping[str, str]:
        """What is known of the registers of the frame that runs."""
        return self.frames.get(self.frame, {})

    def feed(self, line: str) -> LogRow:
        """Read one line; never raises for its content."""
        if self._report or line.startswith(_HEADLINE):
            self._report = not line.startswith("processed ")
            return LogRow("report" if self._report else "count", line)
        expects, self._expects = self._expects, False
        if line.startswith(_TRACE):
            return LogRow("trace", line)
        match = _INSN.match(line)
        if match is not None:
            return self._instruction(line, int(match[1]), match[2])
        match = _STATE.match(line)
        if match is not None:
            return self._state(line, match.end(), int(match[1]), whole=self._whole)
        match = _FROM.match(line)
        if match is not None:
            self.insn = int(match[1])
            if "=" not in line:
                return LogRow("state", line, self.insn)
            return self._state(line, match.end(), self.insn, whole=True)
        return self._other(line, expects)

    def _other(self, line: str, expects: bool) -> LogRow:
        bare = line.strip()
        if not bare:
            return LogRow("empty", line)
        if bare in _CALLS or bare.startswith("to caller at "):
            self._expects = True
            return LogRow("said", line)
        if line.startswith((" R", " frame", "frame", "R")) and _VALUE.search(line):
            if expects:
                return self._state(line, 0, None, whole=True)
            # Indented it speaks of an earlier state, to which precision is traced back.
            return LogRow("trace" if line.startswith(" ") else "said", line)
        if bare.startswith("; "):
            return LogRow("source", line)
        if line.startswith(_COUNT):
            return LogRow("count", line)
        return LogRow("listing" if _LISTING.match(line) else "said", line)

    def _instruction(self, line: str, insn: int, opcode: str) -> LogRow:
        self.insn = insn
        code, found, rest = line.partition(" ; ")
        if opcode == _CALL and "call pc" not in code:
            for name in _CLOBBERED:
                self.frames.get(self.frame, {}).pop(name, None)
        if not found or not _VALUE.search(rest):
            return LogRow("insn", line, insn, line)
        self._whole = False
        start = len(code) + len(found)
        return LogRow("insn", line, insn, code.rstrip(), self._registers(line, start, whole=False))

    def _state(self, line: str, start: int, insn: int | None, *, whole: bool) -> LogRow:
        registers = self._registers(line, start, whole=whole)
        return LogRow("state", line, insn, line[:start].rstrip(), registers)

    def _registers(self, line: str, start: int, *, whole: bool) -> tuple[Register, ...]:
        """Take in what stands behind `start`."""
        frame = _FRAME.match(line, start)
        self.frame = int(frame[1]) if frame else 0
        for number in [number for number in self.frames if number > self.frame]:
            del self.frames[number]
        before = self.frames.get(self.frame, {})
        after = {} if whole else before
        found: list[Register] = []
        for match in _VALUE.finditer(line, start):
            if len(found) >= MOST:
                break
            name, value = match[1], match[2]
            was = before.get(name)
            found.append(Register(name, value, match[0], was, was != value))
            if name in after or len(after) < MOST:
                after[name] = value
        self.frames[self.frame] = after
        return tuple(found)


__all__ = ["LineKind", "LogRow", "Register", "State", "StateReader"]
