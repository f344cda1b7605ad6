"""All relocations of one local type at once, as cilium/ebpf does it.

A candidate is scored by how many of the type's relocations it cannot answer; the best one
serves them all. Two that are equally good must give equal values.

Follows: cilium/ebpf btf/core.go CORERelocate, coreCalculateFixups, coreCalculateFixup @ v0.22.0.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from engine.btf.kinds import BtfKind, BtfType, TypeId
from engine.btf.resolve import skip_modifiers_and_typedefs
from engine.core.candidates import Candidate, UnreadableModule, check_modules, find_candidates
from engine.core.fixup import Fixup, apply_fixup, missing
from engine.core.gonames import go_name, go_type
from engine.core.kinds import ENUM_KINDS, EXISTENCE_KINDS, TYPE_KINDS, CoreReloKind
from engine.core.pairtypes import PairTypes
from engine.core.pairwise import CODE, Impossible, PairWalk, Position, find_enumerator, sized
from engine.core.policy import EnumSign, LocalTypeId, MatchRule, ModuleSearch, Signedness
from engine.core.refusal import Refusal
from engine.core.result import LoaderError
from engine.core.spec import AccessSpec, parse_indices, parse_spec
from engine.core.trace import Step, StepKind
from engine.core.values import U32, enum_number
from engine.core.work import Record, Run, finished, written_path
from engine.errors import BtfDecodeError, BtfTypeError

_NAMELESS = frozenset({BtfKind.VOID, BtfKind.DECL_TAG, BtfKind.TYPE_TAG})
"""Kinds whose text is no name."""


@dataclass(slots=True)
class Pending:
    """One record on its way: its indices, its fixup and what was learned."""

    record: Record
    kind: CoreReloKind
    indices: tuple[int, ...]
    root: BtfType
    steps: list[Step] = field(default_factory=list)
    fixup: Fixup | None = None

    def words(self) -> str:
        """The record as cilium/ebpf names it in errors."""
        path = ":".join(map(str, self.indices))
        return (
            f"CORERelocation({self.kind.word}, {go_type(self.root)}[{path}], "
            f"local_id={self.root.id})"
        )


@dataclass(slots=True)
class GroupedRelocator:
    """Relocates one unit (a function, or a linked program) after the other."""

    run: Run

    def relocate(self, records: Sequence[Record]) -> LoaderError | None:
        """Resolve and patch all records of one unit; gives the loader's refusal, if any."""
        pending: list[Pending] = []
        try:
            for record in records:
                pending.append(self._pending(record))
            self._check_modules()
            self._local_ids(pending)
            for type_id in dict.fromkeys(row.root.id for row in pending if row.fixup is None):
                self._group([row for row in pending if row.root.id == type_id])
            for row in pending:
                self._apply(row)
        except (Refusal, BtfTypeError, BtfDecodeError) as error:
            text = error.text if isinstance(error, Refusal) else error.message
            return self._fail(records, pending, f"apply CO-RE relocations: {text}")
        return None

    def _check_modules(self) -> None:
        """The modules are read before anything is looked up in them."""
        try:
            check_modules(self.run.target, self.run.policy)
        except UnreadableModule as unreadable:
            fault = unreadable.fault
            problem = fault.problem
            if fault.kind == "empty":
                problem = "read string section: string table is empty"
            what = f"load BTF for kmod {fault.module}"
            if self.run.policy.modules is ModuleSearch.ATTACHED:
                what = "load kernel module spec"
            raise Refusal(CODE, f"{what}: {problem}") from unreadable

    def _fail(self, records: Sequence[Record], pending: list[Pending], text: str) -> LoaderError:
        known = {id(row.record): row for row in pending}
        for record in records:
            if any(done.number == record.number for done in record.work.relocations):
                continue
            row = known.get(id(record))
            steps = row.steps if row else []
            steps.append(Step(StepKind.FAILURE, text=text))
            finished(record, "failed", self._path(row, record), steps)
        return LoaderError(CODE, text)

    def _pending(self, record: Record) -> Pending:
        root = self.run.local_btf.type(record.relo.type_id)
        if record.kind is None:
            raise Refusal(CODE, f"relocate {go_type(root)}: unknown: not supported")
        if not record.relo.access:
            raise Refusal(CODE, "empty accessor")
        try:
            indices = parse_indices(record.relo.access)
        except Refusal as refusal:
            raise Refusal(CODE, f'accessor "{record.relo.access}" is malformed') from refusal
        row = Pending(record, record.kind, indices, root)
        local = _spec(self.run, record)
        if local is not None:
            row.steps.append(Step(StepKind.LOCAL, spec=local, type_id=root.id))
        return row

    def _local_ids(self, pending: list[Pending]) -> None:
        given: dict[TypeId, int] = {}
        for row in pending:
            if row.kind is not CoreReloKind.TYPE_ID_LOCAL:
                continue
            _plain_access(row)
            new: int = row.root.id
            if self.run.policy.local_type_id is LocalTypeId.GENERATED:
                new = given.setdefault(row.root.id, len(given) + 1)
            row.fixup = Fixup(row.kind, row.root.id, new)

    def _group(self, group: list[Pending]) -> None:
        group = [row for row in group if row.fixup is None]
        root = group[0].root
        if not root.name or root.kind in _NAMELESS:
            raise Refusal(
                CODE, f"relocate unnamed or anonymous type {go_type(root)}: not supported"
            )
        hits = find_candidates(root, self.run.target, self.run.policy)
        best, best_fixups = len(group), None
        chosen: Candidate | None = None
        for candidate in hits.candidates:
            fixups = self._score(group, candidate, root)
            score = sum(fixup.poison or fixup.is_missing for fixup in fixups)
            if score < best:
                best, best_fixups, chosen = score, fixups, candidate
            elif score == best and best_fixups is not None:
                for old, new in zip(best_fixups, fixups, strict=True):
                    if not old.same_as(new):
                        raise Refusal(
                            CODE,
                            f"relocate {go_type(root)}: {old.kind.word}: multiple types match: "
                            "ambiguous relocation",
                        )
        if best_fixups is None or chosen is None:
            self._nothing(group, bool(hits.candidates))
            return
        for row, fixup in zip(group, best_fixups, strict=True):
            row.fixup = fixup
            row.steps.append(
                Step(StepKind.CHOSEN, type_id=chosen.type_id, origin=chosen.origin, value=best)
            )

    def _nothing(self, group: list[Pending], had_candidates: bool) -> None:
        existence = EXISTENCE_KINDS
        if self.run.policy.type_matches is MatchRule.UNSUPPORTED:
            existence -= {CoreReloKind.TYPE_MATCHES}
        for row in group:
            row.fixup = missing(row.kind, existence)
            if had_candidates:
                row.steps.append(Step(StepKind.NO_MATCH))
            else:
                row.steps.append(Step(StepKind.NO_CANDIDATE, text=row.root.name))

    def _score(self, group: list[Pending], candidate: Candidate, root: BtfType) -> list[Fixup]:
        fixups = []
        target = candidate.btf.type(candidate.type_id)
        for row in group:
            place: dict[str, Any] = {"type_id": candidate.type_id, "origin": candidate.origin}
            try:
                fixup = self._calculate(row, candidate)
                row.steps.append(Step(StepKind.MATCHED, value=fixup.target, **place))
            except Impossible as impossible:
                fixup = missing(row.kind, EXISTENCE_KINDS)
                row.steps.append(
                    Step(StepKind.REFUSED, impossible.detail, impossible.rule, **place)
                )
            except Refusal as refusal:
                unnamed = self.run.policy.fixup_named_by_value or self._is_unknown(row.kind)
                kind = "" if unnamed else f"{row.kind.word}: "
                raise Refusal(
                    CODE,
                    f"relocate {go_type(root)}: target {go_type(target)}: {kind}{refusal.text}",
                ) from refusal
            fixups.append(fixup)
        return fixups

    def _is_unknown(self, kind: CoreReloKind) -> bool:
        known = self.run.policy.type_matches is MatchRule.FULL
        return kind is CoreReloKind.TYPE_MATCHES and not known

    def _calculate(self, row: Pending, candidate: Candidate) -> Fixup:
        if row.kind in TYPE_KINDS:
            return self._type_fixup(row, candidate)
        if row.kind in ENUM_KINDS:
            return self._enum_fixup(row, candidate)
        policy = self.run.policy
        if row.kind is CoreReloKind.FIELD_SIGNED and policy.signedness is Signedness.ROOT:
            return self._root_sign(row, candidate)
        target = skip_modifiers_and_typedefs(candidate.btf, candidate.type_id)
        if target.kind is BtfKind.FWD:
            raise Impossible("forward-declaration", target.name)
        walk = PairWalk(
            policy,
            Position(self.run.local_btf, row.root.id),
            Position(candidate.btf, candidate.type_id),
        )
        try:
            found = walk.run(row.indices)
        except Refusal as refusal:
            if not policy.fixup_named_by_value:
                raise
            # this version names the target both where it walks the path and where it scores
            shown = go_type(candidate.btf.type(candidate.type_id))
            raise Refusal(CODE, f"target {shown}: {refusal.text}") from refusal
        return self._field_fixup(row.kind, *found)

    def _root_sign(self, row: Pending, candidate: Candidate) -> Fixup:
        local = skip_modifiers_and_typedefs(self.run.local_btf, row.root.id)
        target = skip_modifiers_and_typedefs(candidate.btf, candidate.type_id)
        if local.is_enum:
            return Fixup(row.kind, 1, 1)
        if local.kind is BtfKind.INT and target.kind is BtfKind.INT:
            return Fixup(row.kind, local.int_encoding & 1, target.int_encoding & 1)
        return Fixup(row.kind, 0, 0, unchecked=True)

    def _type_fixup(self, row: Pending, candidate: Candidate) -> Fixup:
        run, btf = self.run, candidate.btf
        if self._is_unknown(row.kind):
            raise Refusal(CODE, "unknown: not supported")
        _plain_access(row)
        pairs = PairTypes(run.local_btf, btf, run.policy.flavor)
        if row.kind is CoreReloKind.TYPE_MATCHES:
            pairs.match(row.root.id, candidate.type_id)
            return Fixup(row.kind, 1, 1)
        pairs.compatible(row.root.id, candidate.type_id)
        if row.kind is CoreReloKind.TYPE_EXISTS:
            return Fixup(row.kind, 1, 1)
        if row.kind is CoreReloKind.TYPE_ID_TARGET:
            if candidate.origin != "vmlinux":
                raise Impossible("type-of-module", candidate.origin)
            return Fixup(row.kind, row.root.id, candidate.type_id)
        local, target = sized(run.local_btf, row.root.id), sized(btf, candidate.type_id)
        return Fixup(row.kind, local & U32, target & U32)

    def _enum_fixup(self, row: Pending, candidate: Candidate) -> Fixup:
        run = self.run
        local = skip_modifiers_and_typedefs(run.local_btf, row.root.id)
        if not local.is_enum:
            raise Refusal(CODE, f"not an enum: {go_type(row.root)}")
        if len(row.indices) > 1 or row.indices[0] >= len(local.enumerators):
            raise Refusal(CODE, f"invalid index {row.indices[0]} for {go_type(local)}")
        wanted = local.enumerators[row.indices[0]]
        enum = skip_modifiers_and_typedefs(candidate.btf, candidate.type_id)
        found = find_enumerator(enum, wanted.name, run.policy.flavor)
        if row.kind is CoreReloKind.ENUMVAL_EXISTS:
            return Fixup(row.kind, 1, 1)
        sign: EnumSign = run.policy.enum_sign
        return Fixup(
            row.kind,
            enum_number(wanted.value, local, sign),
            enum_number(found.value, enum, sign),
        )

    def _field_fixup(self, kind: CoreReloKind, local: Position, target: Position) -> Fixup:
        bitfield = local.bitfield_size > 0
        if kind is CoreReloKind.FIELD_EXISTS:
            return Fixup(kind, 1, 1)
        if kind is CoreReloKind.FIELD_BYTE_OFFSET:
            return Fixup(kind, local.offset, target.offset, unchecked=bitfield)
        if kind is CoreReloKind.FIELD_BYTE_SIZE:
            sizes = [sized(side.btf, side.type_id) & U32 for side in (local, target)]
            return Fixup(kind, sizes[0], sizes[1], unchecked=bitfield)
        if kind is CoreReloKind.FIELD_SIGNED:
            return _sign(kind, local.underlying, target.underlying)
        if kind is CoreReloKind.FIELD_RSHIFT_U64:
            return Fixup(kind, 0, 64 - target.bits() & U32, unchecked=True)
        if target.btf.byte_order == "little":
            shift = 64 - target.bitfield_offset - target.bits()
        else:
            shift = 64 - sized(target.btf, target.type_id) * 8 + target.bitfield_offset
        return Fixup(kind, 0, shift & U32, unchecked=True)

    def _apply(self, row: Pending) -> None:
        record, fixup = row.record, row.fixup
        if fixup is None:
            return
        insns = record.work.insns
        before = tuple(insns[record.slot : record.slot + 2])
        try:
            lost = apply_fixup(insns, record.slot, fixup, self.run.policy.wide_poison)
        except Refusal as refusal:
            by_value = self.run.policy.fixup_named_by_value
            place = f"apply fixup {fixup}" if by_value else f"fixup for {row.words()}"
            raise Refusal(CODE, f"{place}: {refusal.text}") from refusal
        record.work.lost_slots |= lost
        local = self._path(row, record)
        if fixup.poison:
            row.steps.append(Step(StepKind.POISON))
            finished(record, "poisoned", local, row.steps)
            return
        row.steps.append(Step(StepKind.PATCH))
        same = before == tuple(insns[record.slot : record.slot + 2])
        finished(record, "unchanged" if same else "patched", local, row.steps, fixup.target)

    def _path(self, row: Pending | None, record: Record) -> str:
        if row is not None and row.steps and row.steps[0].spec is not None:
            return written_path(self.run, row.steps[0].spec)
        root = self.run.local_btf.type(record.relo.type_id)
        return f"{root.kind.word} {root.name or '<anon>'} + {record.relo.access}"


def _spec(run: Run, record: Record) -> AccessSpec | None:
    """The path for a reader, found once per object; cilium/ebpf itself does not build one."""
    relo, kind = record.relo, record.kind or CoreReloKind(0)
    known: dict[object, AccessSpec | None] = run.local_btf.caches.setdefault("core.shown", {})
    key = (relo.type_id, relo.access, kind)
    if key not in known:
        try:
            known[key] = parse_spec(run.local_btf, relo, kind)
        except (Refusal, BtfTypeError):
            known[key] = None
    return known[key]


def _plain_access(row: Pending) -> None:
    if row.indices != (0,):
        path = ":".join(map(str, row.indices))
        raise Refusal(CODE, f"unexpected accessor {path}")


def _sign(kind: CoreReloKind, local: BtfType, target: BtfType) -> Fixup:
    if local.is_enum:
        if not target.is_enum:
            raise Refusal(CODE, f"target isn't *Enum but *btf.{go_name(target.kind)}")
        return Fixup(kind, int(local.kind_flag), int(target.kind_flag))
    if local.kind is BtfKind.INT:
        if target.kind is not BtfKind.INT:
            raise Refusal(CODE, f"target isn't *Int but *btf.{go_name(target.kind)}")
        return Fixup(kind, local.int_encoding & 1, target.int_encoding & 1)
    raise Refusal(CODE, f"type *btf.{go_name(local.kind)}: no signedness")
