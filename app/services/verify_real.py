"""Real loaders in the guest: they relocate for themselves, and the guest sees what they load.

Their instructions are compared with the engine's. File descriptors and addresses are only known
at load, so the immediates of 16-byte loads that name something are left out of that.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

from app.errors import AppError
from app.sandbox.vm.protocol import (
    CommandAnswer,
    GuestAnswer,
    GuestCommand,
    GuestFile,
    GuestRequest,
    LoadSeen,
)
from app.services.verification import Ask, Place, Subject, VerifyResult
from engine.insn.codec import LD_IMM64, SLOT_BYTES
from engine.loaders.loadplan_maps import kernel_name

SECONDS: Final = 30.0
"""Two are usual: a loader reads a kernel's types while its instructions are emulated."""
_LOADER, _OBJECT = "/loader", "/object.o"
_NAMED: Final = 14
"""Programs that are named on a command line; more are not, and all are loaded."""


def real_asks(
    subjects: Sequence[Subject], binaries: Mapping[str, Path], data: bytes
) -> Iterator[Ask | VerifyResult]:
    """Give one clone's work for each guest and loader, and results where there is no loader.

    `data` is the object, `binaries` the loaders that were built, by id.
    """
    groups: dict[tuple[str, str], list[Subject]] = {}
    for subject in subjects:
        key = subject.judge.guest.id, subject.loader
        groups.setdefault(key, []).append(replace(subject, by="real", remarks=()))
    for (_, loader), group in groups.items():
        path = binaries.get(loader)
        if path is None:
            yield from (_not_built(subject) for subject in group)
        else:
            yield Ask(tuple(group), _request(path, group, data), seconds=SECONDS)


def _not_built(subject: Subject) -> VerifyResult:
    words = f"Not asked: {subject.loader} was not built; coreplay vm loaders add {subject.loader}."
    return VerifyResult(subject, code="loader-not-built", log=words)


def _request(path: Path, group: Sequence[Subject], data: bytes) -> GuestRequest:
    try:
        binary = path.read_bytes()
    except OSError as problem:
        raise AppError(
            f"The loader cannot be read: {problem.strerror}",
            code="loader-not-built",
            place=str(path),
        ) from None
    guest = group[0].judge.guest
    config = "".join(f"{name}={value}\n" for name, value in guest.options.items())
    names = [subject.program for subject in group]
    return GuestRequest(
        command=GuestCommand(
            argv=(_LOADER, _OBJECT, *(names if len(names) <= _NAMED else ())),
            files=(
                GuestFile(_LOADER, binary, executable=True),
                GuestFile(_OBJECT, data),
                GuestFile(f"/boot/config-{guest.release}", config.encode()),
            ),
        )
    )


def real_results(ask: Ask, answer: GuestAnswer) -> Iterator[VerifyResult]:
    """Give the results of one clone in which a loader ran."""
    seen = answer.command
    if seen is None:
        yield from (
            VerifyResult(s, code="guest-failed", log="It did not run.") for s in ask.subjects
        )
        return
    said = _said(seen)
    loads_of = _matched(ask.subjects, seen.loads)
    for subject in ask.subjects:
        loads = loads_of[subject.place]
        words = said.get(subject.program) or said.get("")
        yield _result(subject, loads, words, seen)


def _matched(
    subjects: Sequence[Subject], loads: Sequence[LoadSeen]
) -> Mapping[Place, Sequence[LoadSeen]]:
    """Tell whose load each one is; the kernel's names are short, so several may share one.

    Loads of the engine's very bytes belong to that program; what is left goes by order, the same
    bytes again being another try.
    """
    found: dict[Place, list[LoadSeen]] = {subject.place: [] for subject in subjects}
    left = [(load.name, masked(load.instructions), load) for load in loads]
    for subject in subjects:
        key = kernel_name(subject.program).encode(), masked(subject.insns)
        found[subject.place] = [load for name, insns, load in left if (name, insns) == key]
    taken = {id(load) for rows in found.values() for load in rows}
    left = [row for row in left if id(row[2]) not in taken]
    for subject in sorted(subjects, key=lambda subject: subject.program):
        wanted = kernel_name(subject.program).encode()
        mine = [row for row in left if row[0] == wanted] if not found[subject.place] else []
        tries = [row for row in mine if row[1] == mine[0][1]]
        found[subject.place] += [row[2] for row in tries]
        left = [row for row in left if row not in tries]
    return found


def _said(seen: CommandAnswer) -> dict[str, str]:
    """What the loader said of each program; of the object as a whole under the empty name."""
    found = {}
    for line in seen.output.decode("utf-8", "replace").splitlines():
        sign, _, rest = line.partition("\t")
        name, _, words = rest.partition("\t")
        if sign in ("-", "!"):
            found[name] = words
    return found


def _result(
    subject: Subject, loads: Sequence[LoadSeen], words: str | None, seen: CommandAnswer
) -> VerifyResult:
    if not loads:
        if words is None:
            output = seen.output.decode("utf-8", "replace")[-2000:]
            return VerifyResult(
                subject,
                code="guest-failed",
                log=f"It ended ({seen.status:#x}) without a word of it. {output}",
            )
        return VerifyResult(subject, loaded=False, code="loader-refused", log=words)
    last = next((load for load in loads if not load.errno), loads[-1])
    log = last.log.decode("utf-8", "replace")
    return VerifyResult(
        subject,
        loaded=not last.errno,
        errno=last.errno,
        log=log or words or "",
        same_bytes=masked(last.instructions) == masked(subject.insns) if subject.insns else None,
    )


def masked(insns: bytes) -> bytes:
    """Blank what only a load can know: immediates of 16-byte loads with a source register."""
    found = bytearray(insns)
    at = 0
    while at + SLOT_BYTES <= len(found):
        wide = found[at] == LD_IMM64
        if wide and found[at + 1] >> 4:
            found[at + 4 : at + 8] = bytes(4)
            found[at + 12 : at + 16] = bytes(4)
        at += 2 * SLOT_BYTES if wide else SLOT_BYTES
    return bytes(found)


__all__ = ["masked", "real_asks", "real_results"]
