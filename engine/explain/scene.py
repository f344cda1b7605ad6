"""What the sentences about one relocation look at."""

from __future__ import annotations

from dataclasses import dataclass

from engine.btf.decode import Btf
from engine.btf.kinds import BtfType
from engine.btf.resolve import skip_modifiers_and_typedefs
from engine.core.candidates import Target
from engine.core.kinds import CoreReloKind
from engine.core.match import match_spec
from engine.core.policy import LoaderPolicy
from engine.core.prepare import PreparedObject
from engine.core.result import FunctionResult, Relocation
from engine.core.spec import Accessor, AccessSpec
from engine.core.trace import Step, StepKind
from engine.errors import EngineError


@dataclass(frozen=True, slots=True)
class Scene:
    """A relocation with both sides and the loader."""

    relocation: Relocation
    prepared: PreparedObject
    target: Target
    policy: LoaderPolicy
    function: FunctionResult | None = None

    @property
    def local(self) -> AccessSpec | None:
        """The path in the program's own types; None where the loader could not read it."""
        for step in self.relocation.trace:
            if step.kind is StepKind.LOCAL:
                return step.spec
        return None

    @property
    def local_btf(self) -> Btf:
        """The program's types; only asked for where there is a local path."""
        btf = self.prepared.btf
        assert btf is not None, "a relocation comes from BTF"  # noqa: S101
        return btf

    @property
    def searches(self) -> bool:
        """Whether the target is searched at all."""
        return self.relocation.kind is not CoreReloKind.TYPE_ID_LOCAL

    def btf_of(self, step: Step) -> Btf | None:
        """The BTF that a step's candidate comes from."""
        if step.origin in ("", "vmlinux"):
            return self.target.btf
        try:
            return self.target.module_set.open(step.origin)
        except (EngineError, KeyError):
            return None

    def steps(self, *kinds: StepKind) -> tuple[Step, ...]:
        """The steps of these kinds, in order."""
        return tuple(step for step in self.relocation.trace if step.kind in kinds)

    def spec_in(self, step: Step) -> AccessSpec | None:
        """The path in a candidate that matched; worked out where the trace does not hold it."""
        if step.spec is not None or step.type_id is None:
            return step.spec
        local, btf = self.local, self.btf_of(step)
        if local is None or btf is None:
            return None
        found = match_spec(local, self.local_btf, btf, step.type_id, self.policy)
        return found.spec if found.matched else None

    def taken(self) -> tuple[Btf, AccessSpec] | None:
        """The candidate that gave the value, with the path in it."""
        chosen = {step.type_id for step in self.steps(StepKind.CHOSEN)}
        for step in self.steps(StepKind.MATCHED):
            if chosen and step.type_id not in chosen:
                continue
            btf, spec = self.btf_of(step), self.spec_in(step)
            if btf is not None and spec is not None:
                return btf, spec
        return None

    def partial(self, step: Step) -> AccessSpec | None:
        """How far the path of a refused candidate went; worked out where the trace lacks it."""
        btf, local = self.btf_of(step), self.local
        if step.spec is not None or btf is None or local is None or step.type_id is None:
            return step.spec
        return match_spec(local, self.local_btf, btf, step.type_id, self.policy).spec

    def holder(self, step: Step) -> tuple[Btf, BtfType] | None:
        """The type of the target in which the search of a refused candidate ended."""
        btf, spec = self.btf_of(step), self.partial(step)
        if btf is None or step.type_id is None:
            return None
        try:
            type_id: int = step.type_id
            if spec is not None and len(spec.accessors) > 1:
                last = spec.accessors[-1]
                type_id = last.member_type_id if last.name is not None else last.type_id
            return btf, skip_modifiers_and_typedefs(btf, type_id)
        except EngineError:
            return None

    def wanted(self, step: Step) -> Accessor | None:
        """The step of the local path at which a candidate was refused."""
        local, spec = self.local, self.partial(step)
        reached = len(spec.accessors) if spec is not None else 0
        if local is None or not 0 < reached < len(local.accessors):
            return None
        return local.accessors[reached]
