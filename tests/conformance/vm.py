"""`./run conformance --vm`: the engine's verdicts against those of real kernels in guests.

Every object is relocated as each loader does it, against the types of the guest that judges, and
loaded there. The engine's `clear`, `poison-unreachable` and `silently-different` stand against
"loads", its `poison-reachable` and `jump-broken` against "refused". What no kernel is asked
(a loader refuses, a type the guest cannot take) and what the engine leaves `unknown` is counted
apart.
"""

from __future__ import annotations

import asyncio
import re
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from app.errors import AppError
from app.services.analysis import AnalysisRequest
from app.services.guests import opened_guests
from app.services.verification import GuestKernel, Planned, VerifyRequest, VerifyResult
from app.services.verify import Guests, verify
from app.services.verify_answer import errno_name
from app.services.verify_plan import plan_verification
from app.settings import load_settings
from app.views.verify_text import STATISTICS, agrees
from tests.conformance.jobs import GOLDEN
from tests.support import guarded, libbpf_tools
from tests.support.clang import compile_c
from tests.support.gallery import GALLERY, SIDES, cases
from tests.support.guarded_c import as_c

LOADERS: Final = ("libbpf@1.7.0", "cilium@0.13.0", "cilium@0.22.0", "aya@0.14.0")
SAMPLE: Final = 7
"""One in so many objects of tests/golden is asked about, unless all are wanted."""
GUARDED: Final = 40
"""Made-up programs of one run."""
POISON_WORDS: Final = ("unknown#195896080", "frame pointer is read only")
PATIENCE: Final = 30.0
"""Seconds for one clone: this is no race, and the machine may be busy."""
_AT_ONCE: Final = 3
_SHOWN: Final = 12


@dataclass(frozen=True)
class Subject:
    """One object of a set."""

    name: str
    data: bytes = field(repr=False)


@dataclass
class Tally:
    """What came of one set."""

    agree: int = 0
    unknown: int = 0
    loads: int = 0
    not_asked: Counter[str] = field(default_factory=Counter)
    wrong: list[tuple[str, VerifyResult]] = field(default_factory=list)

    def add(self, name: str, result: VerifyResult) -> None:
        if result.code:
            words = "" if result.code == "loader-refused" else f": {result.log}"
            self.not_asked[result.code + words] += 1
            return
        self.loads += result.loaded is True
        fits = agrees(result)
        if fits is None:
            self.unknown += 1
        elif fits:
            self.agree += 1
        else:
            self.wrong.append((name, result))

    @property
    def judged(self) -> int:
        return self.agree + len(self.wrong)

    @property
    def unsound(self) -> list[tuple[str, VerifyResult]]:
        """Refusals for CO-RE's sake of what the engine holds harmless."""
        return [row for row in self.wrong if reason_of(row[1]) == "poison"]


def reason_of(result: VerifyResult) -> str:
    """Why engine and kernel part; see MEANINGS."""
    if result.loaded:
        return "imprecise"
    tail = "\n".join(result.log.splitlines()[-40:])
    if any(words in tail for words in POISON_WORDS):
        return "poison"
    if explanation(result):
        return "explained"
    return "stray" if result.subject.verdict == "silently-different" else "other"


EXPLAINED: Final = (
    (
        re.compile(r"The address of function \S+ cannot be found"),
        "types have the function, the running kernel inlined it: the tool chooses between "
        "programs at run time",
    ),
    (
        re.compile(r"doesn't have \d+-th argument|dereference of modified ctx ptr"),
        "the program asks LINUX_KERNEL_VERSION, and this point release took over the arguments "
        "of a newer tracepoint; the tool chooses between programs at run time",
    ),
)
"""Refusals that have nothing to do with CO-RE, by the verifier's words. All were proven: the real
libbpf's bytes are the engine's, and are refused with the same words."""
_FORGOTTEN: Final = (
    "until 6.12 the verifier forgets a pointer on the stack whose slot a helper gets"
)
_LOADED_BACK: Final = re.compile(r"r(\d+) = \*\(u64 \*\)\(r10 (-\d+)\)[^\n]*=(?:scalar|inv)")
_NO_POINTER: Final = re.compile(r"R(\d+) invalid mem access '(?:scalar|inv)'")


def explanation(result: VerifyResult) -> str:
    """Say why the kernel refuses what CO-RE gives it no reason to refuse; empty: not known."""
    known = next((words for said, words in EXPLAINED if said.search(result.log)), "")
    return known or (_FORGOTTEN if _forgotten(result.log) else "")


def _forgotten(log: str) -> bool:
    """Whether the register that is no pointer was loaded from where a pointer had been kept."""
    refused = _NO_POINTER.search(log)
    loads = [row for row in _LOADED_BACK.findall(log) if refused and row[0] == refused[1]]
    return bool(loads) and bool(re.search(rf"fp{loads[-1][1]}(?:_\w+)?=(?:\w+_)?ptr_", log))


def last_words(result: VerifyResult) -> str:
    """The line of the log that says why; statistics and reports left out."""
    lines = [line.strip() for line in result.log.splitlines()]
    said = [line for line in lines if line and not line.startswith(STATISTICS)]
    ends = [n for n, line in enumerate(said) if line.startswith("Verification failed:")]
    return ((said[: ends[0]] if ends else said) or ["nothing"])[-1][:140]


def subject_sets(chosen: Sequence[str], *, everything: bool) -> Iterator[tuple[str, list[Subject]]]:
    """Give the sets by name; those that need something that is not here are empty."""
    makers = {
        "golden": lambda: list(golden(everything=everything)),
        "gallery": lambda: list(gallery()),
        "guarded": lambda: list(generated(GUARDED * (5 if everything else 1))),
        "libbpf-tools": lambda: [Subject(*row) for row in libbpf_tools.objects().items()],
    }
    for name, make in makers.items():
        if not chosen or name in chosen:
            yield name, make()


def golden(*, everything: bool) -> Iterator[Subject]:
    """Little-endian objects of tests/golden; clang's versions and processors take turns."""
    paths = sorted((GOLDEN / "objects").glob("*.el.o"))
    for path in paths if everything else paths[::SAMPLE]:
        yield Subject(path.name, path.read_bytes())


def gallery() -> Iterator[Subject]:
    for case in cases():
        for side in SIDES:
            yield Subject(f"{case.slug}/{side}", (GALLERY / case.slug / f"{side}.o").read_bytes())


def generated(count: int) -> Iterator[Subject]:
    """Guarded programs that are made up; the seed is in the name."""
    with tempfile.TemporaryDirectory() as folder:
        for seed in range(count):
            source = as_c(guarded.draw(seed))
            yield Subject(f"guarded seed {seed}", compile_c(source, Path(folder)))


async def judge_set(
    subjects: Sequence[Subject], guests: Guests, kernels: Sequence[str], loaders: Sequence[str]
) -> Tally:
    """Ask all guests about all objects of a set."""
    settings = load_settings(kernels_per_request=64, loaders_per_request=64)
    tally = Tally()
    bound = asyncio.Semaphore(_AT_ONCE)

    async def plan(request: VerifyRequest, known: Sequence[GuestKernel]) -> Planned:
        return await asyncio.to_thread(plan_verification, request, known, settings)

    async def one(subject: Subject) -> None:
        program = AnalysisRequest(
            object=subject.data, kernels=tuple(kernels), loaders=tuple(loaders)
        )
        request = VerifyRequest(program, seconds=PATIENCE)
        async with bound:
            try:
                results = await verify(request, guests, plan)
            except AppError as error:
                tally.not_asked[f"{error.code}: {error.message}"] += 1
                return
        for result in results:
            tally.add(subject.name, result)

    await asyncio.gather(*(one(subject) for subject in subjects))
    return tally


def report(name: str, subjects: int, tally: Tally, *, full: bool) -> None:
    """Print the agreement of one set and each disagreement with its reason."""
    share = 100 * tally.agree / tally.judged if tally.judged else 100
    print(
        f"{name}: {subjects} objects, {tally.judged} verdicts of both, agreement "
        f"{tally.agree}/{tally.judged} ({share:.2f} %), {tally.loads} loads"
    )
    reasons = Counter(reason_of(result) for _, result in tally.wrong)
    for reason, many in reasons.most_common():
        print(f"  {many} disagree: {MEANINGS[reason]}")
    whys = Counter(filter(None, (explanation(result) for _, result in tally.wrong)))
    for words, many in whys.most_common():
        print(f"  {many} explained: {words}")
    for row, result in tally.wrong if full else tally.wrong[:_SHOWN]:
        subject = result.subject
        said = "loads" if result.loaded else f"{errno_name(result.errno or 0)} {last_words(result)}"
        print(
            f"    {row} {subject.program} {subject.loader} {subject.judge.guest.id}: "
            f"{subject.verdict}, {said}"
        )
    if not full and len(tally.wrong) > _SHOWN:
        print(f"    and {len(tally.wrong) - _SHOWN} more; --all lists them")
    if tally.unknown:
        print(f"  {tally.unknown} left open by the engine (unknown)")
    for words, many in tally.not_asked.most_common(None if full else 6):
        print(f"  {many} not asked: {words}")


MEANINGS: Final = {
    "poison": "the kernel reaches poison that the engine holds unreachable: UNSOUND",
    "stray": "a stray jump that the engine holds harmless in shape breaks a rule about registers",
    "imprecise": "the kernel loads what the engine expects to be refused",
    "explained": "the kernel refuses for a known reason outside CO-RE",
    "other": "the kernel refuses for a reason outside CO-RE",
}


def main(
    kernels: Sequence[str], loaders: Sequence[str], sets: Sequence[str], *, everything: bool
) -> int:
    """Print the report; 1 where the engine is unsound somewhere, 2 where no guest is installed."""
    return asyncio.run(_main(kernels, loaders, sets, everything=everything))


async def _main(
    kernels: Sequence[str], loaders: Sequence[str], sets: Sequence[str], *, everything: bool
) -> int:
    unsound = 0
    async with opened_guests(load_settings()) as guests:
        installed = guests.installed()
        if not installed:
            print("no guest kernel is installed: coreplay vm add 6.1")
            return 2
        print(f"guests: {', '.join(guest.id for guest in installed)}", flush=True)
        for name, subjects in subject_sets(sets, everything=everything):
            tally = await judge_set(subjects, guests, kernels or ["all"], loaders or LOADERS)
            report(name, len(subjects), tally, full=everything)
            unsound += len(tally.unsound)
    return 1 if unsound else 0
