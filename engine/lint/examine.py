"""Every program of an object on every kernel under every loader: verdicts and findings."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from engine.core.policy import LoaderPolicy
from engine.core.prepare import PreparedObject
from engine.core.result import LoaderError
from engine.flow.verdict import Verdict, judge_object
from engine.lint.allow import Allowances
from engine.lint.guards import find_guards, keeps_slots
from engine.lint.rule import SEVERITIES, Finding
from engine.lint.rules import RULES
from engine.lint.scene import Kernel, Scene, Study
from engine.loaders import all_policies
from engine.loaders.attach import for_loader
from engine.loaders.link import LinkedProgram, link_object

_NAMES: Final = tuple(rule.id for rule in RULES)


@dataclass(frozen=True, slots=True)
class Report:
    """One program on one kernel under one loader.

    findings  the worst first; allowed  how many more a comment in the source allows
    """

    program: str
    section: str
    kernel: str
    loader: str
    verdict: Verdict
    findings: tuple[Finding, ...]
    allowed: int = 0


def examine(
    prepared: PreparedObject,
    kernels: Sequence[Kernel],
    policies: Sequence[LoaderPolicy],
    *,
    sources: Mapping[str, str] | None = None,
) -> tuple[Report, ...]:
    """Judge and lint; reports are ordered by kernel, then loader, then program.

    `sources` are C files by name, for comments that allow a finding. Raises what
    `engine.loaders.link.link_object` raises: ByteOrderMismatch, and errors of a damaged object.
    """
    studies: dict[tuple[str, str], Study] = {}
    scenes: list[Scene] = []
    for kernel in kernels:
        for policy in policies:
            for scene in _scenes(prepared, kernel, policy):
                study = studies.setdefault((scene.program.name, scene.program.section), Study())
                scene.study = study
                study.scenes.append(scene)
                scenes.append(scene)
    for study in studies.values():
        _find_guards(prepared, study)
    allowances = Allowances.read(prepared, sources or {})
    notes = tuple(allowances.unknown(scenes[0].program.name, _NAMES)) if scenes else ()
    return tuple(
        _report(scene, allowances, notes if scene.study is scenes[0].study else ())
        for scene in scenes
    )


def _scenes(prepared: PreparedObject, kernel: Kernel, policy: LoaderPolicy) -> Iterator[Scene]:
    linked = link_object(prepared, kernel.target, policy)
    programs = {(program.name, program.section): program for program in linked.programs}
    own = replace(kernel, target=for_loader(prepared, kernel.target, policy))
    for verdict in judge_object(prepared, linked, kernel.release):
        program = programs.get((verdict.program, verdict.section))
        if program is None:
            error = linked.error or LoaderError("link", "the object was not loaded")
            program = LinkedProgram(verdict.program, verdict.section, None, error=error)
        yield Scene(prepared, own, policy, program, verdict)


def _find_guards(prepared: PreparedObject, study: Study) -> None:
    """Read the guards from the first kernel and loader that keep all slots of the program."""
    for scene in study.scenes:
        if keeps_slots(scene.program):
            study.guards = find_guards(prepared, scene.program, scene.policy.id)
            return
    for scene in study.scenes[:1]:
        linked = link_object(prepared, scene.kernel.target, all_policies()[0])
        for program in linked.programs:
            if program.name == scene.program.name and keeps_slots(program):
                study.guards = find_guards(prepared, program, linked.loader)


def _report(scene: Scene, allowances: Allowances, notes: tuple[Finding, ...]) -> Report:
    found: dict[Finding, None] = {}
    for rule in RULES:
        found.update(dict.fromkeys(rule.check(scene)))
    kept = [finding for finding in found if not allowances.cover(finding)]
    kept += notes
    kept.sort(key=lambda finding: SEVERITIES.index(finding.severity))
    return Report(
        scene.program.name,
        scene.program.section,
        scene.kernel.id,
        scene.policy.id,
        scene.verdict,
        tuple(kept),
        len(found) + len(notes) - len(kept),
    )
