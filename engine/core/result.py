"""What comes out of a relocation run, as values that cross process borders."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

from engine.btf.ext import LineInfo
from engine.core.kinds import CoreReloKind
from engine.core.trace import Step
from engine.insn.codec import Insn

OutcomeWord = Literal["patched", "unchanged", "poisoned", "failed", "skipped"]


@dataclass(frozen=True, slots=True)
class LoaderError:
    """The loader's own refusal: `code` as it would report it, `text` in its own words."""

    code: str
    text: str


class Relocation(NamedTuple):
    """One CO-RE record and what became of it.

    slot, slots   where its instruction starts in the function before relocation, and whether
                  it takes one slot or two
    orig, new     the value that the compiler wrote there and the one that the target gives, as the
                  unsigned 64-bit number that loaders print; None when there is none
    """

    number: int
    """Position among the records of its ELF section: libbpf's `relo #N`."""
    slot: int
    slots: int
    kind: CoreReloKind
    access: str
    local: str
    """What is asked for: `enum cgroup_subsys_id::cpuset_cgrp_id`, `struct task_struct.pid`."""
    orig: int | None
    new: int | None
    outcome: OutcomeWord
    line: LineInfo | None
    trace: tuple[Step, ...] = ()

    @property
    def kind_word(self) -> str:
        """The kind as loaders print it: `enumval_value`."""
        return self.kind.word


@dataclass(frozen=True, slots=True)
class FunctionResult:
    """One function before and after; `after` is None when the loader refused.

    `slot_map` gives, per slot before, its slot after; None for a slot that the loader lost.
    """

    name: str
    section: str
    offset: int
    before: tuple[Insn, ...]
    after: tuple[Insn, ...] | None
    slot_map: tuple[int | None, ...]
    relocations: tuple[Relocation, ...]
    lines: Sequence[LineInfo | None]
    """Per slot before: the source line in force there."""
    error: LoaderError | None = None


@dataclass(frozen=True, slots=True)
class ObjectResult:
    """All functions of an object under one loader; `error` is set when it refused the object."""

    loader: str
    functions: tuple[FunctionResult, ...]
    error: LoaderError | None = None
