"""What becomes of a program: one verdict for each program, kernel and loader.

A verdict speaks of CO-RE alone. A program that is `clear` may still be refused for reasons
that have nothing to do with relocation.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final, Literal

from engine.core.prepare import PreparedObject
from engine.core.result import LoaderError
from engine.flow.code import Code, code_of
from engine.flow.jumps import StrayJump, lost_slots, stray_jumps
from engine.flow.verifier import VerifierPolicy, verifier_of
from engine.loaders.link import LinkedObject, LinkedProgram

if TYPE_CHECKING:
    from engine.flow.reach import Complaint, PoisonFact, Reachability
    from engine.flow.structure import Fault

VerdictKind = Literal[
    "clear",
    "poison-unreachable",
    "poison-reachable",
    "refused",
    "jump-broken",
    "silently-different",
    "unknown",
]

RODATA_REMARK: Final = (
    "This holds for .rodata as it stands in the object; a program that sets it before loading "
    "may make the poison reachable."
)
LOADS_REMARK: Final = (
    "That it loads was judged by jumps landing on instructions, registers being written before "
    "they are read, and no number taken for an address; stack that was never written and the "
    "bounds of accesses were not checked."
)
_CALL_TEXT: Final = "invalid func unknown#195896080"
_LOAD_TEXT: Final = "frame pointer is read only"
_TEXT_BYTES: Final = 300


@dataclass(frozen=True, slots=True)
class Verdict:
    """One program of an object under one loader on one kernel.

    headline  one plain sentence
    poisons   every poisoned instruction; slots count from the start of the linked program
    strays    jumps that changed their target; live: those of them that can be taken
    fault     the shape that the kernel refuses before it follows a path
    kernel_text  what the kernel will say, in part, when it refuses
    policy    the verifier that was followed
    """

    kind: VerdictKind
    headline: str
    program: str
    section: str
    loader: str
    kernel: str
    policy: str = ""
    poisons: tuple[PoisonFact, ...] = ()
    strays: tuple[StrayJump, ...] = ()
    live_strays: tuple[StrayJump, ...] = ()
    lost_slots: int = 0
    fault: Fault | None = None
    refusal: LoaderError | None = None
    kernel_text: str = ""
    remarks: tuple[str, ...] = ()
    reach: Reachability | None = None

    @property
    def path(self) -> tuple[int, ...]:
        """The slots that lead to the first poison that can be reached, or nothing."""
        return next((fact.path for fact in self.poisons if fact.path), ())

    def count(self, reachable: Literal["no", "yes", "maybe"]) -> int:
        """How many poisoned instructions have this answer."""
        return sum(fact.reachable == reachable for fact in self.poisons)


def judge_object(
    prepared: PreparedObject, linked: LinkedObject, kernel_release: str
) -> tuple[Verdict, ...]:
    """Judge every program of an object, in the order of its functions."""
    functions = prepared.functions
    entries = functions if len(functions) == 1 else [f for f in functions if f.is_entry]
    programs = {(program.name, program.section): program for program in linked.programs}
    verdicts = []
    for entry in entries:
        program = programs.get((entry.name, entry.section))
        if program is None:
            error = linked.error or LoaderError("link", "the object was not loaded")
            program = LinkedProgram(entry.name, entry.section, None, error=error)
        verdicts.append(judge(prepared, program, linked.loader, kernel_release))
    return tuple(verdicts)


def judge(
    prepared: PreparedObject, program: LinkedProgram, loader: str, kernel_release: str
) -> Verdict:
    """Judge one linked program; `loader` is an id such as `libbpf@1.7.0`.

    The release chooses the verifier; one that is no version gets the strictest. Never raises.
    """
    blank = Verdict("clear", "", program.name, program.section, loader, kernel_release)
    if program.error is not None or program.insns is None:
        error = program.error or LoaderError("", "it gives no reason")
        text = _first_line(error.text)
        return replace(
            blank, kind="refused", headline=f"{loader} refuses it: {text}", refusal=error
        )
    policy = verifier_of(kernel_release)
    blank = replace(blank, policy=policy.name)
    code = code_of(prepared, program, loader, kernel_release)
    lost = lost_slots(program)
    if not code.poisons:
        return replace(
            blank,
            headline="Nothing is poisoned: CO-RE gives the kernel no reason to refuse it.",
        )
    from engine.flow.reach import explore  # late: a program without poison needs none of it

    reach = explore(code, policy)
    judged = replace(blank, poisons=reach.poisons, lost_slots=lost, reach=reach)
    if not lost:
        return _by_poison(judged, code, policy)
    strays = stray_jumps(program)
    live = tuple(jump for jump in strays if (jump.slot, jump.actual) in reach.taken)
    judged = replace(judged, strays=strays, live_strays=live)
    return _by_jumps(judged, code, policy, reach)


def _first_line(text: str) -> str:
    line = text.strip().splitlines()[0] if text.strip() else "it gives no reason"
    return line if len(line) <= _TEXT_BYTES else line[: _TEXT_BYTES - 1] + "…"


def _by_poison(verdict: Verdict, code: Code, policy: VerifierPolicy) -> Verdict:
    reached = [fact for fact in verdict.poisons if fact.reachable == "yes"]
    if reached:
        return replace(
            verdict,
            kind="poison-reachable",
            headline=_reached_headline(reached),
            kernel_text=_poison_text(code, reached[0]),
        )
    unsure = [fact for fact in verdict.poisons if fact.reachable == "maybe"]
    if unsure:
        return replace(
            verdict,
            kind="unknown",
            headline=f"{_name(unsure[0])} may be reached: {unsure[0].why}.",
        )
    from engine.flow.reach import explore  # late: see `judge`

    remarks = verdict.remarks
    constants = verdict.reach is not None and verdict.reach.uses_rodata
    if constants and explore(code, policy, frozen=False).worst != "no":
        remarks = (*remarks, RODATA_REMARK)
    number = len(verdict.poisons)
    what = "1 instruction is" if number == 1 else f"{number} instructions are"
    none = "it cannot be reached" if number == 1 else "none of them can be reached"
    return replace(
        verdict,
        kind="poison-unreachable",
        headline=f"{what} poisoned, and {none}.",
        remarks=remarks,
    )


def _by_jumps(verdict: Verdict, code: Code, policy: VerifierPolicy, reach: Reachability) -> Verdict:
    from engine.flow.structure import structural_fault  # late: see `judge`

    fault = structural_fault(code)
    if fault is not None:
        return replace(
            verdict,
            kind="jump-broken",
            headline=f"{_lost(verdict)}, and the kernel refuses what is left: {fault.text}.",
            fault=fault,
            kernel_text=fault.text,
        )
    if not verdict.live_strays:
        judged = _by_poison(verdict, code, policy)
        if judged.kind == "poison-unreachable":
            headline = judged.headline[:-1] + "; every jump that can run lands where it should."
            return replace(judged, headline=headline)
        return judged
    refused = _refusing(reach.complaints)
    if refused is not None:
        return replace(
            verdict,
            kind="jump-broken",
            headline=f"{_lost(verdict)}, a jump goes astray, and the kernel refuses it: "
            f"{refused.text}.",
            kernel_text=refused.text,
        )
    judged = _by_poison(verdict, code, policy)
    if judged.kind != "poison-unreachable":
        return judged
    if reach.complaints:
        return replace(
            verdict,
            kind="unknown",
            headline="A jump goes astray; whether the kernel refuses it cannot be told: "
            "the values behind it are not known.",
        )
    return replace(
        judged,
        kind="silently-different",
        remarks=(*judged.remarks, LOADS_REMARK),
        headline=f"It loads but computes something else: {_astray(verdict.live_strays[0])}.",
    )


def _refusing(complaints: tuple[Complaint, ...]) -> Complaint | None:
    return next((complaint for complaint in complaints if complaint.sure), None)


def _lost(verdict: Verdict) -> str:
    number = verdict.lost_slots
    return "The loader lost 1 slot" if number == 1 else f"The loader lost {number} slots"


def _astray(jump: StrayJump) -> str:
    way = f"the jump in slot {jump.slot} lands in slot {jump.actual}, not in {jump.intended}"
    if jump.skipped:
        return f"{way}, and skips {_slots(jump.skipped)}"
    return f"{way}, and repeats {_slots(jump.repeated)}"


def _slots(slots: tuple[int, ...]) -> str:
    if len(slots) == 1:
        return f"slot {slots[0]}"
    return f"slots {slots[0]} to {slots[-1]}"


def _name(fact: PoisonFact) -> str:
    row = fact.relocation
    if row is None:
        return f"The poison in slot {fact.slot}"
    line = f", line {fact.line.line_number}" if fact.line is not None else ""
    return f"The poison for {row.local} ({row.kind_word}{line})"


def _reached_headline(reached: list[PoisonFact]) -> str:
    first = f"{_name(reached[0])} is reached, so the kernel refuses it."
    if len(reached) == 1:
        return first
    return f"{first[:-1]}; {len(reached)} poisoned instructions are reached in all."


def _poison_text(code: Code, fact: PoisonFact) -> str:
    return _LOAD_TEXT if code.insns[fact.slot].is_ld_imm64 else _CALL_TEXT
