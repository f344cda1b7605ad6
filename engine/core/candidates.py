"""Which types of the target may stand for a local type: those that share its essential name."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from engine.btf.decode import Btf, coarse_key
from engine.btf.kinds import ENUM_KINDS, BtfKind, BtfType, TypeId
from engine.btf.split import ModuleFault, ModuleSet
from engine.core.names import essential_name
from engine.core.newer import first_newer
from engine.core.policy import BrokenModule, CandidateKinds, LoaderPolicy, ModuleSearch

_TAGS = frozenset({BtfKind.DECL_TAG, BtfKind.TYPE_TAG})


@dataclass(frozen=True, slots=True)
class Target:
    """What a program is relocated against: a kernel's BTF and those of its modules.

    modules   a ModuleSet, or (name, split BTF on `btf`), in the order in which the kernel
              lists them
    custom    the BTF was given by the user in place of the running kernel's
    attached  by ELF section: the module that its programs attach to
    """

    btf: Btf
    modules: ModuleSet | tuple[tuple[str, Btf], ...] = ()
    custom: bool = False
    attached: Mapping[str, str] = field(default_factory=dict)

    @property
    def module_set(self) -> ModuleSet:
        """The modules, however they were given."""
        found = self.modules
        return found if isinstance(found, ModuleSet) else ModuleSet.of(found)

    def for_section(self, section: str) -> Target:
        """What a loader sees that searches only the module a program attaches to."""
        name = self.attached.get(section)
        return replace(self, modules=self.module_set.only({name} if name else ()))


class Candidate(NamedTuple):
    """A type of the target; `origin` is `vmlinux` or the module that defines it."""

    btf: Btf
    type_id: TypeId
    origin: str


class NameHits(NamedTuple):
    """Candidates, and types that share the name but were refused for their kind."""

    candidates: tuple[Candidate, ...]
    refused: tuple[Candidate, ...]


class UnreadableModule(Exception):
    """A loader looked into the modules and cannot read one. Never leaves `engine.core`.

    position  of the module among all
    note      what the loader prints before its error, if it says more
    """

    def __init__(self, fault: ModuleFault, position: int, note: str = "") -> None:
        super().__init__(fault.module)
        self.fault = fault
        self.position = position
        self.note = note


def find_candidates(local: BtfType, target: Target, policy: LoaderPolicy) -> NameHits:
    """Give the candidates in the order in which the loader tries them.

    Raises UnreadableModule where the loader looks into the modules and refuses one.

    Follows: libbpf src/libbpf.c bpf_core_find_cands, bpf_core_add_cands @ v1.7.0.
    """
    hits = _in_one(local, target.btf, "vmlinux", policy)
    search = policy.modules
    if search is ModuleSearch.NEVER or target.custom:
        return hits
    if search is ModuleSearch.WHEN_VMLINUX_HAS_NO_NAME and hits.candidates:
        return hits
    check_modules(target, policy)
    found, refused = list(hits.candidates), list(hits.refused)
    for name, btf in target.module_set.defining(essential_name(local.name, policy.flavor)):
        more = _in_one(local, btf, name, policy)
        found += more.candidates
        refused += more.refused
    return NameHits(tuple(found), tuple(refused))


def check_modules(target: Target, policy: LoaderPolicy) -> None:
    """Raise UnreadableModule for the first module whose BTF this loader refuses."""
    if target.custom or policy.modules is ModuleSearch.NEVER:
        return
    modules = target.module_set
    refused = {fault.module: fault for fault in modules.faults if _refuses(fault, policy)}
    if not refused and policy.newest_kind >= BtfKind.ENUM64:
        return
    broken = {fault.module for fault in modules.faults if fault.kind == "broken"}
    for position, name in enumerate(modules.names):
        if name in refused:
            raise UnreadableModule(refused[name], position)
        if name not in broken:
            _check_kinds(modules.open(name), name, position, policy)


def _refuses(fault: ModuleFault, policy: LoaderPolicy) -> bool:
    if fault.kind == "empty":
        return policy.empty_modules_refused
    return policy.broken_modules is BrokenModule.REFUSED


def _check_kinds(btf: Btf, name: str, position: int, policy: LoaderPolicy) -> None:
    newer = first_newer(btf, policy.newest_kind)
    if newer is not None:
        fault = ModuleFault(name, "broken", policy.newer_kind_text.format(*newer))
        raise UnreadableModule(fault, position, policy.newer_kind_note.format(*newer))


def _in_one(local: BtfType, btf: Btf, origin: str, policy: LoaderPolicy) -> NameHits:
    rule = policy.flavor
    wanted = essential_name(local.name, rule)
    found: list[Candidate] = []
    refused: list[Candidate] = []
    ids: Iterable[int] = btf.candidate_ids(
        coarse_key(local.name.encode("utf-8", "backslashreplace"))
    )
    if not wanted:
        # A loader that does not refuse empty names takes every anonymous type of the kind.
        ids = _nameless(local.kind, btf)
    for type_id in map(TypeId, ids):
        if essential_name(btf.name(type_id), rule) != wanted:
            continue
        kind = btf.kind(type_id)
        if kind in _TAGS and policy.candidate_kinds is CandidateKinds.ANY:
            continue  # their text is a value, not a name
        fits = _kind_fits(local.kind, kind, policy.candidate_kinds)
        (found if fits else refused).append(Candidate(btf, type_id, origin))
    return NameHits(tuple(found), tuple(refused))


def _nameless(kind: BtfKind, btf: Btf) -> list[int]:
    """Own types of one kind whose name is empty or nothing but a flavor, kept per BTF."""
    key = f"core.nameless.{kind.name}"
    if key not in btf.caches:
        btf.caches[key] = [
            type_id
            for type_id in range(btf.first_id, len(btf))
            if btf.kind(type_id) is kind and btf.name(type_id)[:3] in ("", "___")
        ]
    found: list[int] = btf.caches[key]
    return found


def _kind_fits(local: BtfKind, target: BtfKind, kinds: CandidateKinds) -> bool:
    if kinds is CandidateKinds.ANY or local is target:
        return True
    return kinds is CandidateKinds.SAME_OR_ENUM64 and local in ENUM_KINDS and target in ENUM_KINDS
