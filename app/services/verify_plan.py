"""Prepares a verification: chooses guests, relocates against their own types, plans the loads.

It runs in a worker, or in the process of the command line; it starts no guest.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from app.errors import AppError
from app.sandbox.vm import protocol
from app.services.analyse import catalog, compile_source, read_object
from app.services.check import check_source, unknown_id
from app.services.gate import ALL, choose_loaders
from app.services.verdicts import verdicts_of
from app.services.verification import (
    Ask,
    GuestKernel,
    Judge,
    Place,
    Planned,
    SlotSource,
    Subject,
    VerifyRequest,
    VerifyResult,
)
from app.services.verify_real import real_asks
from app.services.verify_request import guest_request, run_problem
from app.services.vm_loaders import real_loaders
from engine.core.candidates import Target
from engine.errors import KernelUnknown
from engine.loaders.link import LinkedProgram, link_object
from engine.loaders.loadplan import Guest, LoadPlan, ProgramPlan, plan_object

if TYPE_CHECKING:
    from app.services.compile import CompileResult
    from app.services.verdicts import ProgramVerdict
    from app.settings import Settings
    from engine.core.policy import LoaderPolicy
    from engine.core.prepare import PreparedObject
    from engine.insn.codec import Insn
    from engine.kernels.catalog import Catalog

TOGETHER: Final = 12
"""Programs that share a clone."""
SLOTS_TOGETHER: Final = 12_000
"""Slots that they may have together, so that all are verified within one deadline."""
MISSING_HINT: Final = "coreplay vm add 6.1 adds one; ./run vm installs what it takes."


def choose_guests(
    words: Sequence[str], guests: Sequence[GuestKernel], known: Catalog
) -> tuple[Judge, ...]:
    """Turn ids of guests, series, ids of the catalog or `all` into the guests that judge.

    Raises AppError `guest-missing` where none is installed, or none of a series, and
    `kernel-unknown` for what is no kernel at all.
    """
    if not guests:
        raise AppError(
            "No guest kernel is installed, so the real verifier cannot be asked",
            code="guest-missing",
            place="kernels",
            hint=MISSING_HINT,
        )
    found: dict[str, Judge] = {}
    for word in words or (ALL,):
        for judge in _judges(word, guests, known):
            found.setdefault(judge.guest.id, judge)
    return tuple(found.values())


def _judges(word: str, guests: Sequence[GuestKernel], known: Catalog) -> Iterator[Judge]:
    if word == ALL:
        yield from (Judge(guest.id, guest) for guest in guests)
        return
    exact = [guest for guest in guests if word in (guest.id, guest.release, guest.catalog)]
    series = [guest for guest in guests if guest.series == word]
    if exact or series:
        yield Judge(word, (exact or series)[-1])
        return
    asked, wanted = _series(word, guests, known)
    of_series = [guest for guest in guests if guest.series == wanted]
    if not of_series:
        raise AppError(
            f"No guest kernel of {wanted} is installed to judge for {asked}",
            code="guest-missing",
            place="kernels",
            hint=f"coreplay vm add {wanted} adds one. There are: "
            f"{', '.join(guest.id for guest in guests)}.",
        )
    guest = of_series[-1]
    yield Judge(
        asked,
        guest,
        f"{asked} was chosen; the kernel that judges is {guest.id}, another build of {wanted}. "
        "The program was relocated against the types of the one that judges.",
    )


def _series(word: str, guests: Sequence[GuestKernel], known: Catalog) -> tuple[str, str]:
    """The catalog's name for a word, and the series of that kernel."""
    try:
        snapshot = known.resolve(word)
    except KernelUnknown:
        first, _, second = word.partition(".")
        if first.isdecimal() and second.isdecimal():
            return word, word
        names = [guest.id for guest in guests]
        raise unknown_id("kernel", word, names, place="kernels") from None
    return snapshot.id, snapshot.series


def plan_verification(
    request: VerifyRequest, guests: Sequence[GuestKernel], settings: Settings
) -> Planned:
    """Compile, relocate, link and plan; raises AppError or EngineError for what is wrong."""
    known = catalog(settings)
    judges = choose_guests(request.program.kernels, guests, known)
    policies = choose_loaders(request.program.loaders)
    _check(request, settings, len(judges), len(policies))
    compiled = None
    data = request.program.object
    if data is None:
        check_source(request.program, settings)
        compiled = _compiled(request, judges, known)
        data = compiled.object
    prepared = read_object(data or b"")
    _check_programs(request, prepared)
    runs = [
        _Run(request, prepared, judge, policy, known) for judge in judges for policy in policies
    ]
    asks = [ask for run in runs for ask in run.asks()]
    settled = [result for run in runs for result in run.settled]
    order = [subject.place for run in runs for subject in run.subjects]
    if request.real:
        subjects = [subject for run in runs for subject in run.subjects]
        binaries = {loader.id: loader.path for loader in real_loaders(settings).values()}
        for row in real_asks(subjects, binaries, data or b""):
            if isinstance(row, Ask):
                asks.append(row)
            else:
                settled.append(row)
        order = [place for one in order for place in (one, _by_the_loader(one))]
    return Planned(tuple(asks), tuple(settled), tuple(order), compiled)


def _by_the_loader(place: Place) -> Place:
    guest, loader, _, section, program = place
    return guest, loader, "real", section, program


def _check(request: VerifyRequest, settings: Settings, kernels: int, loaders: int) -> None:
    bounds = (
        ("kernel", kernels, settings.kernels_per_request),
        ("loader", loaders, settings.loaders_per_request),
    )
    for what, chosen, limit in bounds:
        if chosen > limit:
            raise AppError(
                f"{chosen} {what}s were chosen; {limit} are the limit",
                code="too-many-runs",
                place=f"{what}s",
            )
    if request.program.object is not None and len(request.program.object) > settings.object_bytes:
        raise AppError(
            f"The object has {len(request.program.object)} bytes; {settings.object_bytes} are the "
            "limit",
            code="object-too-large",
            place="object",
        )


def _compiled(request: VerifyRequest, judges: Sequence[Judge], known: Catalog) -> CompileResult:
    first = judges[0].guest.catalog
    asked = replace(request.program, kernels=(first,), byte_order="little")
    return compile_source(asked, known.btf)


def _check_programs(request: VerifyRequest, prepared: PreparedObject) -> None:
    names = [function.name for function in prepared.functions]
    for name in request.programs:
        if name not in names:
            raise unknown_id("program", name, names, place="programs")


class _Run:
    """One loader for one guest."""

    def __init__(
        self,
        request: VerifyRequest,
        prepared: PreparedObject,
        judge: Judge,
        policy: LoaderPolicy,
        known: Catalog,
    ) -> None:
        self.request = request
        self.settled: list[VerifyResult] = []
        guest = judge.guest
        target = Target(known.btf(guest.catalog))
        linked = link_object(prepared, target, policy)
        facts = Guest(guest.release, guest.version_code, options=guest.options)
        self.plan = plan_object(prepared, linked, target, policy, facts)
        verdicts = {
            (verdict.section, verdict.program): verdict
            for verdict in verdicts_of(prepared, linked, guest.release)
        }
        programs = {(program.section, program.name): program for program in linked.programs}
        self._wanted = [
            program
            for program in self.plan.programs
            if not request.programs or program.name in request.programs
        ]
        self.subjects = [
            _subject(program, judge, self.plan, verdicts, programs) for program in self._wanted
        ]

    def asks(self) -> Iterator[Ask]:
        """Requests for the programs that go to the guest; the others are settled."""
        group: list[tuple[ProgramPlan, Subject]] = []
        slots = 0
        for program, subject in zip(self._wanted, self.subjects, strict=True):
            settled = _settled(program, subject)
            if settled is not None:
                self.settled.append(settled)
                continue
            size = len(program.insns) // 8
            if group and (len(group) >= self._together or slots + size > SLOTS_TOGETHER):
                yield self._ask(group)
                group, slots = [], 0
            group.append((program, subject))
            slots += size
        if group:
            yield self._ask(group)

    @property
    def _together(self) -> int:
        """Programs with a log go alone: their logs are large and take long."""
        return min(1 if self.request.log_level else TOGETHER, protocol.PROGRAMS)

    def _ask(self, group: Sequence[tuple[ProgramPlan, Subject]]) -> Ask:
        programs = [program for program, _ in group]
        data = self.request.input
        request = guest_request(self.plan, programs, self.request.log_level, data)
        problems = {}
        if data is not None:
            problems = {n: run_problem(program, data) for n, program in enumerate(programs)}
        errors = {n: problem for n, problem in problems.items() if problem}
        return Ask(tuple(subject for _, subject in group), request, errors)


def _settled(program: ProgramPlan, subject: Subject) -> VerifyResult | None:
    if program.refusal is not None:
        words = f"{subject.loader} refuses: {program.refusal.text}"
        return VerifyResult(subject, loaded=False, code="loader-refused", log=words)
    if program.unsupported:
        return VerifyResult(subject, code="not-supported", log=f"Not asked: {program.unsupported}.")
    return None


def _subject(
    program: ProgramPlan,
    judge: Judge,
    plan: LoadPlan,
    verdicts: dict[tuple[str, str], ProgramVerdict],
    programs: dict[tuple[str, str], LinkedProgram],
) -> Subject:
    place = program.section, program.name
    verdict, linked = verdicts.get(place), programs.get(place)
    return Subject(
        program.name,
        program.section,
        plan.loader,
        judge,
        verdict.kind if verdict else "unknown",
        verdict.headline if verdict else "",
        program.insns,
        tuple(_sources(linked)) if linked is not None and linked.insns is not None else (),
        plan.remarks,
    )


def _sources(linked: LinkedProgram) -> Iterator[SlotSource]:
    """Source lines and relocations by slot of the linked program."""
    lines = dict(linked.line_infos)
    insns: Sequence[Insn] = linked.insns or ()
    for piece in linked.pieces:
        rows = {
            piece.start + place: row
            for row in piece.function.relocations
            if (place := piece.function.slot_map[row.slot]) is not None
        }
        places = {after: slot for slot, after in enumerate(piece.function.slot_map)}
        shift: int | None = 0
        for slot in range(piece.start, min(piece.start + piece.slots, len(insns))):
            line, row = lines.get(slot), rows.get(slot)
            before, was = places.get(slot - piece.start), shift
            shift = None if before is None else slot - piece.start - before
            if line is None and row is None and slot != piece.start and shift == was:
                continue
            yield SlotSource(
                slot,
                piece.function.name,
                line.file_name if line else "",
                line.line_number if line else 0,
                line.line.strip() if line else "",
                row.number if row else None,
                row.local if row else "",
                row.outcome if row else "",
                before,
            )
