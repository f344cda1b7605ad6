"""One relocation at a time, as libbpf, the kernel and aya do it.

Every candidate is matched on its own; all that match must lead to the same value. With
pruning, what matched once is all that later relocations of the same type may choose from.

Follows: libbpf src/relo_core.c bpf_core_calc_relo_insn, src/libbpf.c bpf_object__relocate_core
@ v1.7.0.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from engine import limits
from engine.btf.kinds import VOID, BtfType, TypeId
from engine.core.candidates import Candidate, NameHits, UnreadableModule, find_candidates
from engine.core.debuglog import candidate_line, spec_text
from engine.core.kinds import CoreReloKind
from engine.core.match import match_spec
from engine.core.patch import patch_insn
from engine.core.policy import MatchRule, Wording
from engine.core.refusal import Refusal, as_refusal
from engine.core.result import LoaderError, OutcomeWord
from engine.core.spec import AccessSpec, parse_spec
from engine.core.trace import Step, StepKind
from engine.core.values import RelocValue, compute
from engine.core.wording import conflict, told
from engine.core.work import Record, Run, errno_number, finished, written_path
from engine.errors import BtfDecodeError, BtfTypeError
from engine.insn.codec import SLOT_BYTES


@dataclass(slots=True)
class SequentialRelocator:
    """Keeps the candidate lists of one object, which pruning makes order-dependent."""

    run: Run
    cache: dict[TypeId, list[Candidate]] = field(default_factory=dict)
    hits: dict[TypeId, NameHits] = field(default_factory=dict)

    def relocate(self, record: Record) -> LoaderError | None:
        """Resolve one record and patch its instruction; gives the loader's refusal, if any."""
        steps: list[Step] = []
        program = f"prog '{record.work.function.name}': "
        prefix = f"{program}relo #{record.number}: "
        stage, local = "failed to relocate", None
        try:
            local, value = self._resolve(record, steps, prefix)
            stage = f"failed to patch insn #{record.slot}"
            self._patch(record, local, value, steps, prefix)
            return None
        except (Refusal, BtfTypeError, BtfDecodeError) as error:
            refusal = as_refusal(error)
            if refusal.text:
                self.run.warn((prefix if refusal.names_relo else program) + refusal.text)
            self.run.warn(f"{prefix}{stage}: {self.run.errno(refusal.code)}")
            steps.append(Step(StepKind.FAILURE, text=str(refusal)))
            finished(record, "failed", _describe(self.run, record, local), steps)
            code = self.run.policy.refusal_code or refusal.code
            if self.run.policy.wording is Wording.SENTENCE:
                section = record.work.function.section
                return LoaderError(code, told(refusal, section, record.number, record.slot))
            return LoaderError(code, "\n".join(self.run.warnings))

    def _patch(
        self,
        record: Record,
        local: AccessSpec,
        value: RelocValue,
        steps: list[Step],
        prefix: str,
    ) -> None:
        run, work = self.run, record.work
        before = tuple(work.insns[record.slot : record.slot + 2])
        patch = patch_insn(
            work.insns,
            record.slot,
            value,
            run.policy,
            warn=lambda text: run.warn(prefix + text),
            note=lambda text: run.note(prefix + text),
        )
        after = tuple(work.insns[record.slot : record.slot + 2])
        if patch.poisoned:
            steps.append(Step(StepKind.POISON, text="" if value.poison else "resize"))
            finished(record, "poisoned", written_path(self.run, local), steps)
            return
        steps.append(Step(StepKind.PATCH, text=patch.field))
        outcome: OutcomeWord = "unchanged" if before == after else "patched"
        finished(record, outcome, written_path(self.run, local), steps, value.new)

    def _resolve(
        self, record: Record, steps: list[Step], prefix: str
    ) -> tuple[AccessSpec, RelocValue]:
        run, relo = self.run, record.relo
        root = run.local_btf.type(relo.type_id)
        if record.kind is not CoreReloKind.TYPE_ID_LOCAL:
            self._candidates(record, steps)
        local = self._local(record)
        steps.insert(0, Step(StepKind.LOCAL, spec=local, type_id=root.id))
        if run.debug is not None:
            run.note(prefix + spec_text(local, run.local_btf, run.policy.enum_sign))
        if local.kind is CoreReloKind.TYPE_ID_LOCAL:
            return local, RelocValue(root.id, root.id, validate=False)
        return local, self._choose(record, local, steps, prefix)

    def _local(self, record: Record) -> AccessSpec:
        run, relo = self.run, record.relo
        try:
            kind = record.kind
            known = run.policy.type_matches is not MatchRule.UNSUPPORTED
            if kind is None or (kind is CoreReloKind.TYPE_MATCHES and not known):
                raise Refusal("EINVAL", reason=f"relocation kind {relo.kind} is not known")
            key = (relo.type_id, relo.access, kind, run.policy.flexible_arrays)
            specs: dict[tuple[object, ...], AccessSpec]
            specs = run.local_btf.caches.setdefault("core.specs", {})
            if key not in specs:
                specs[key] = parse_spec(run.local_btf, relo, kind, run.policy.flexible_arrays)
            return specs[key]
        except (Refusal, BtfTypeError) as error:
            refusal = as_refusal(error)
            if refusal.text:
                run.warn(f"prog '{record.work.function.name}': {refusal.text}")
            root = run.local_btf.type(relo.type_id)
            raise Refusal(
                "EINVAL",
                f"parsing [{root.id}] {root.kind.word} {root.name or '<anon>'} + {relo.access} "
                f"failed: {errno_number(refusal.code)}",
                sentence=refusal.sentence,
            ) from refusal

    def _candidates(self, record: Record, steps: list[Step]) -> None:
        """Fill the candidate list of the record's type, once per object."""
        run, type_id = self.run, record.relo.type_id
        root = run.local_btf.type(type_id)
        if type_id not in self.cache:
            nameless = not root.name or root.id == VOID
            if nameless and run.policy.refuses_anonymous_roots:
                raise _search_failed(root)
            hits = self._found(root)
            self.hits[type_id] = hits
            self.cache[type_id] = list(hits.candidates)
            if run.debug is not None:
                for candidate in hits.candidates:
                    run.note(candidate_line(root, candidate))
        hits = self.hits[type_id]
        for refused in hits.refused:
            steps.append(
                Step(
                    StepKind.OTHER_KIND,
                    type_id=refused.type_id,
                    origin=refused.origin,
                    text=refused.btf.kind(refused.type_id).word,
                )
            )
        pruned = len(hits.candidates) - len(self.cache[type_id])
        if pruned:
            steps.append(Step(StepKind.PRUNED, value=pruned))

    def _found(self, root: BtfType) -> NameHits:
        """Search for candidates; a module that cannot be read ends the search.

        vmlinux is the kernel's first BTF object, modules follow.
        """
        try:
            return find_candidates(root, self.run.target, self.run.policy)
        except UnreadableModule as unreadable:
            if unreadable.note:
                self.run.note(unreadable.note)
            self.run.warn(
                f"failed to load module [{unreadable.fault.module}]'s BTF object "
                f"#{unreadable.position + 2}: {self.run.errno('EINVAL')}"
            )
            raise _search_failed(root) from unreadable

    def _choose(
        self, record: Record, local: AccessSpec, steps: list[Step], prefix: str
    ) -> RelocValue:
        run = self.run
        candidates = self.cache[record.relo.type_id]
        kept: list[Candidate] = []
        chosen: tuple[RelocValue, AccessSpec] | None = None
        others: list[str] = []
        for number, candidate in enumerate(candidates):
            found = self._match_one(record, local, candidate, number, steps, prefix)
            if found is None:
                continue
            if chosen is None:
                chosen = found
            elif not self._agree(chosen, found):
                others.append(candidate.btf.name(candidate.type_id))
            kept.append(candidate)
        if others:
            raise Refusal(
                "EINVAL",
                reason="ambiguous: the candidates disagree",
                sentence=conflict(local.root_name, others),
            )
        if chosen is not None:
            if run.policy.pruning:
                self.cache[record.relo.type_id] = kept
            return chosen[0]
        run.note(prefix + "no matching targets found")
        if candidates:
            steps.append(Step(StepKind.NO_MATCH))
        else:
            steps.append(Step(StepKind.NO_CANDIDATE, text=local.root_name))
        number = record.relo.insn_off // SLOT_BYTES
        value = compute(local, None, run.local_btf, run.target.btf, run.policy, number)
        if value.poison and run.policy.missing_values_refused:
            raise Refusal("EINVAL", f"no value for {local.path}")
        return value

    def _match_one(
        self,
        record: Record,
        local: AccessSpec,
        candidate: Candidate,
        number: int,
        steps: list[Step],
        prefix: str,
    ) -> tuple[RelocValue, AccessSpec] | None:
        run = self.run
        btf, type_id, origin = candidate
        match = match_spec(local, run.local_btf, btf, type_id, run.policy, run.warn)
        if match.refusal is not None:
            code = match.refusal.code
            told = spec_text(match.spec, btf, run.policy.enum_sign)
            raise Refusal(
                code, f"error matching candidate #{number} {told}: {errno_number(code)}"
            ) from match.refusal
        if run.debug is not None:
            word = "matching" if match.matched else "non-matching"
            told = spec_text(match.spec, btf, run.policy.enum_sign)
            run.note(f"{prefix}{word} candidate #{number} {told}")
        if not match.matched and number >= limits.TRACED_CANDIDATES:
            return None
        if not match.matched:
            steps.append(
                Step(
                    StepKind.REFUSED,
                    match.detail,
                    match.rule,
                    type_id,
                    origin,
                    spec=match.spec,
                )
            )
            return None
        insn_number = record.relo.insn_off // SLOT_BYTES
        value = compute(local, match.spec, run.local_btf, btf, run.policy, insn_number)
        steps.append(
            Step(
                StepKind.MATCHED,
                type_id=type_id,
                origin=origin,
                value=None if value.poison else value.new,
                spec=match.spec,
            )
        )
        return value, match.spec

    def _agree(
        self, first: tuple[RelocValue, AccessSpec], later: tuple[RelocValue, AccessSpec]
    ) -> bool:
        """Tell whether two candidates lead to the same value; some loaders stop at the first."""
        (reference, reference_spec), (value, spec) = first, later
        lines = self.run.policy.wording is Wording.LINES
        if spec.bit_offset != reference_spec.bit_offset:
            if lines:
                raise Refusal(
                    "EINVAL",
                    f"field offset ambiguity: {spec.bit_offset} != {reference_spec.bit_offset}",
                )
            return False
        if self.run.policy.new_value_errors_poison and (value.poison or reference.poison):
            return True
        agree = value.poison == reference.poison and value.new == reference.new
        if lines and not agree:
            raise Refusal(
                "EINVAL",
                f"relocation decision ambiguity: {_word(value)} {value.new} != "
                f"{_word(reference)} {reference.new}",
            )
        return agree


def _search_failed(root: BtfType) -> Refusal:
    return Refusal(
        "EINVAL",
        f"target candidate search failed for [{root.id}] {root.kind.word} {root.name}: "
        f"{errno_number('EINVAL')}",
    )


def _word(value: RelocValue) -> str:
    return "failure" if value.poison else "success"


def _describe(run: Run, record: Record, local: AccessSpec | None) -> str:
    if local is not None:
        return local.path
    try:
        root = run.local_btf.type(record.relo.type_id)
    except BtfTypeError:
        return f"type [{record.relo.type_id}] + {record.relo.access}"
    return f"{root.kind.word} {root.name or '<anon>'} + {record.relo.access}"
