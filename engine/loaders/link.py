"""Linking: the programs as BPF_PROG_LOAD receives them, with their subprograms appended.

References to maps and externs stay symbolic: file descriptors and kernel addresses are only
known at load, so those immediates are 0 and `LinkedProgram.references` names what they mean.

Follows: libbpf src/libbpf.c bpf_object__reloc_code, bpf_object__relocate_data @ v1.7.0;
cilium/ebpf linker.go flattenInstructions, asm/instruction.go encodeFunctionReferences @ v0.22.0;
aya-obj src/relocation.rs FunctionLinker @ 0.3.0.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from engine.btf.ext import LineInfo
from engine.btf.kinds import BtfKind, TypeId
from engine.core.candidates import Target
from engine.core.patch import signed32
from engine.core.policy import LinkOrder, LoaderPolicy, Strategy
from engine.core.prepare import PreparedObject
from engine.core.readable import unreadable, unreadable_target
from engine.core.refusal import Refusal
from engine.core.relocate import relocate_functions, relocate_object
from engine.core.result import FunctionResult, LoaderError
from engine.insn.codec import SLOT_BYTES, Insn
from engine.loaders.attach import AttachPoint, attach_point, find_type, for_loader
from engine.loaders.externs import missing_extern, not_found
from engine.loaders.references import (
    CALL,
    PSEUDO_BTF_ID,
    PSEUDO_CALL,
    PSEUDO_FUNC,
    PSEUDO_KFUNC_CALL,
    PSEUDO_MAP_FD,
    PSEUDO_MAP_VALUE,
    Reference,
    ReferenceFinder,
    unknown_extern,
)
from engine.loaders.struct_ops import struct_ops_refusal

_BY_TYPE = frozenset({"TRACING", "LSM", "STRUCT_OPS"})
"""Program types; libbpf src/libbpf.c prog_needs_vmlinux_btf."""
_MISSING_KFUNC = 2_002_000_000
"""Helper number that libbpf calls in place of a missing weak kfunc, plus the extern's number."""


@dataclass(frozen=True, slots=True)
class Piece:
    """One function inside a linked program: slots `start` to `start + slots`."""

    function: FunctionResult
    start: int
    slots: int


@dataclass(frozen=True, slots=True)
class LinkedProgram:
    """One program with everything it calls; `insns` is None when it cannot be linked.

    references  by slot of the linked program
    func_infos  (slot, type id in the object's BTF), line_infos (slot, source line)
    """

    name: str
    section: str
    insns: tuple[Insn, ...] | None
    pieces: tuple[Piece, ...] = ()
    references: tuple[Reference, ...] = ()
    func_infos: tuple[tuple[int, TypeId], ...] = ()
    line_infos: tuple[tuple[int, LineInfo], ...] = ()
    attach: AttachPoint | None = None
    """What its section's name says; None for a name that is not known."""
    error: LoaderError | None = None


@dataclass(frozen=True, slots=True)
class LinkedObject:
    """All programs of an object as one loader hands them to the kernel."""

    loader: str
    programs: tuple[LinkedProgram, ...]
    error: LoaderError | None = None
    failed_function: str = ""


def link_object(prepared: PreparedObject, target: Target, policy: LoaderPolicy) -> LinkedObject:
    """Relocate and link every program of an object.

    Raises what `relocate_object` raises for malformed input.
    """
    linker = _Linker(prepared, for_loader(prepared, target, policy), policy)
    if policy.strategy is Strategy.GROUPED:
        return linker.link_each()
    return linker.link_relocated()


@dataclass(slots=True)
class _Linker:
    prepared: PreparedObject
    target: Target
    policy: LoaderPolicy
    finder: ReferenceFinder = field(init=False)

    def __post_init__(self) -> None:
        self.finder = ReferenceFinder(self.prepared)

    def _entries(self) -> list[int]:
        """Programs are what stands outside .text; to some, a lone function there is one, too."""
        functions = self.prepared.functions
        if len(functions) == 1 and self.policy.lone_text_is_program:
            return [0]
        return [number for number, function in enumerate(functions) if function.is_entry]

    def link_relocated(self) -> LinkedObject:
        """Functions are relocated once, then linked into each program that calls them."""
        result = relocate_object(self.prepared, self.target, self.policy)
        failed = next((f.name for f in result.functions if f.error is not None), "")
        if result.error is None or failed:  # externs are looked up before code is relocated
            refused = self._refused()
            if refused is not None:
                return LinkedObject(self.policy.id, (), refused)
        if result.error is not None:
            return LinkedObject(self.policy.id, (), result.error, failed)
        programs = []
        for entry in self._entries():
            program = self._link(entry, self._order(entry), result.functions)
            programs.append(program)
            if program.error is not None and self.policy.errors_stop_object:
                if not self.policy.names_error_function:
                    return LinkedObject(self.policy.id, (), program.error)
                return LinkedObject(self.policy.id, (program,), program.error, program.name)
        return LinkedObject(self.policy.id, tuple(programs))

    def _refused(self) -> LoaderError | None:
        """What stops the object although it could be relocated."""
        unknown = unknown_extern(self.prepared, self.finder.externs, self.policy)
        if unknown is not None:
            return LoaderError("EINVAL", f"extern (kcfg) '{unknown}': unrecognized virtual extern")
        missing = missing_extern(self.prepared, self.finder.externs, self.target, self.policy)
        if missing:
            return LoaderError("EINVAL", missing)
        unread = unreadable_target(self.target, self.policy)
        if unread is not None:
            return unread if self._attaches_by_type() else None
        return struct_ops_refusal(self.prepared, self.target, self.policy)

    def _attaches_by_type(self) -> bool:
        """Say whether a program attaches to something that the kernel's BTF describes."""
        points = (
            attach_point(self.prepared.functions[entry].section, self.target)
            for entry in self._entries()
        )
        return any(point is not None and point.program_type in _BY_TYPE for point in points)

    def link_each(self) -> LinkedObject:
        """Each program is linked first and then relocated as a whole."""
        unread = unreadable(self.prepared, self.target, self.policy)
        if unread is not None:
            return LinkedObject(self.policy.id, (), unread)
        programs = []
        for entry in self._entries():
            order = self._order(entry)
            if len(set(order)) < len(order):
                programs.append(self._doubled(entry))
                continue
            results, error = relocate_functions(self.prepared, order, self.target, self.policy)
            function = self.prepared.functions[entry]
            if error is not None:
                programs.append(LinkedProgram(function.name, function.section, None, error=error))
                continue
            programs.append(self._link(entry, order, results))
        return LinkedObject(self.policy.id, tuple(programs))

    def _doubled(self, entry: int) -> LinkedProgram:
        """A program that its own subprograms call is appended to itself once more.

        Follows: cilium/ebpf linker.go flattenInstructions, asm/instruction.go
        encodeFunctionReferences @ v0.22.0.
        """
        function = self.prepared.functions[entry]
        error = LoaderError("link", f"duplicate symbol {function.name}")
        return LinkedProgram(function.name, function.section, None, error=error)

    def _order(self, entry: int) -> list[int]:
        """Function numbers in the order in which the loader appends them.

        Breadth-first, a program that is called comes a second time.
        """
        if self.policy.link_order is LinkOrder.DEPTH_FIRST:
            return self._depth_first(entry)
        order, pending = [entry], self._callees(entry)
        linked: set[int] = set()
        for callee in pending:
            if callee in linked:
                continue
            linked.add(callee)
            order.append(callee)
            pending += self._callees(callee)
        return order

    def _callees(self, number: int) -> list[int]:
        """Callees by name, each once."""
        names = {
            reference.name: reference.callee
            for reference in self.finder.of(number)
            if reference.callee is not None
        }
        return [names[name] for name in sorted(names)]

    def _depth_first(self, entry: int) -> list[int]:
        order = [entry]
        first = 1 if self.policy.entry_linked_again else 0
        stack = [iter(self._references(entry))]
        while stack:
            reference = next(stack[-1], None)
            if reference is None:
                stack.pop()
            elif reference.callee is not None and reference.callee not in order[first:]:
                order.append(reference.callee)
                stack.append(iter(self._references(reference.callee)))
        return order

    def _references(self, number: int) -> tuple[Reference, ...]:
        """References of a function as the loader sees them.

        One that knows no externs takes the call of an extern for one to where it stands.
        Follows: aya-obj src/relocation.rs FunctionLinker::relocate @ aya-obj-v0.3.0.
        """
        found = self.finder.of(number)
        if self.policy.resolves_externs:
            return found
        function = self.prepared.functions[number]
        starts_with_call = function.insns[0].code == CALL
        return tuple(
            Reference(0, "function", function.name, callee=number)
            if starts_with_call and reference.slot == 0 and reference.callee is None
            else reference
            for reference in found
        )

    def _link(
        self, entry: int, order: Sequence[int], results: Sequence[FunctionResult]
    ) -> LinkedProgram:
        function = self.prepared.functions[entry]
        pieces: list[Piece] = []
        at = 0
        for number in order:
            result = results[number]
            slots = len(result.after or ())
            pieces.append(Piece(result, at, slots))
            at += slots
        insns = [insn for piece in pieces for insn in piece.function.after or ()]
        callees = dict(zip(order, pieces, strict=True))
        references: list[Reference] = []
        try:
            for number, piece in zip(order, pieces, strict=True):
                self._resolve(number, piece, callees, insns, references)
        except Refusal as refusal:
            error = LoaderError(refusal.code, refusal.text)
            return LinkedProgram(function.name, function.section, None, error=error)
        infos = [self._infos(number, piece) for number, piece in zip(order, pieces, strict=True)]
        return LinkedProgram(
            function.name,
            function.section,
            tuple(insns),
            tuple(pieces),
            tuple(references),
            tuple(row for functions, _ in infos for row in functions),
            tuple(row for _, lines in infos for row in lines),
            attach_point(function.section, self.target),
        )

    def _resolve(
        self,
        number: int,
        piece: Piece,
        pieces: dict[int, Piece],
        insns: list[Insn],
        references: list[Reference],
    ) -> None:
        before = piece.function.before
        for reference in self._references(number):
            place = piece.function.slot_map[reference.slot]
            if place is None:
                continue
            slot = piece.start + place
            insn = insns[slot]
            if insn.code != before[reference.slot].code:
                continue  # poison took its place
            if insn.code == CALL and insn.src == 0 and reference.kind == "function":
                continue
            if not self.policy.resolves_externs and reference.kind in ("kconfig", "ksym"):
                continue
            if reference.kind == "undeclared" and insn.is_ld_imm64:
                continue
            if not self.policy.resolves_externs and reference.kind in ("kfunc", "undeclared"):
                raise self._no_function_there(number, reference)
            references.append(replace(reference, slot=slot))
            if reference.kind == "function" and reference.callee is not None:
                self._call(insns, slot, pieces[reference.callee])
            else:
                self._data(insns, slot, reference)

    def _call(self, insns: list[Insn], slot: int, callee: Piece) -> None:
        if self.policy.calls_text_only and callee.function.section != ".text":
            raise Refusal(
                "RELOC",
                f"bad call relo against '{callee.function.name}' in section "
                f"'{callee.function.section}'",
            )
        if self.policy.poison_drops_metadata and _poisoned_first(callee.function):
            raise Refusal(
                "link",
                f"call at insn {slot}: symbol {callee.function.name!r}: unsatisfied program "
                "reference",
            )
        distance = callee.start - slot - 1
        insn = insns[slot]
        if insn.is_ld_imm64:
            insns[slot] = insn._replace(src=PSEUDO_FUNC, imm=distance)
        else:
            insns[slot] = insn._replace(src=PSEUDO_CALL, imm=distance)

    def _data(self, insns: list[Insn], slot: int, reference: Reference) -> None:
        insn = insns[slot]
        if reference.kind == "map":
            insns[slot] = insn._replace(src=PSEUDO_MAP_FD, imm=0)
        elif reference.kind in ("global", "kconfig"):
            insns[slot] = insn._replace(src=PSEUDO_MAP_VALUE, imm=0)
            insns[slot + 1] = insns[slot + 1]._replace(imm=signed32(reference.offset))
        elif reference.kind == "ksym":
            found = self._kernel_id(reference, BtfKind.VAR) if reference.typed else None
            if found is not None:
                insns[slot] = insn._replace(src=PSEUDO_BTF_ID, imm=found)
        elif reference.kind == "kfunc":
            found = self._kernel_id(reference, BtfKind.FUNC)
            if found is not None:
                insns[slot] = insn._replace(src=PSEUDO_KFUNC_CALL, imm=found)
            else:
                insns[slot] = insn._replace(src=0, imm=_MISSING_KFUNC)
        else:
            raise Refusal("link", f"invalid relo against '{reference.name}' for insns[{slot}]")

    def _kernel_id(self, reference: Reference, kind: BtfKind) -> int | None:
        """Find an extern in the kernel; None for a weak one that is not there."""
        found, _ = find_type(reference.name, kind, self.target)
        if found is not None:
            return found
        if reference.weak:
            return None
        raise Refusal("ESRCH", not_found(reference.name, kind))

    def _no_function_there(self, number: int, reference: Reference) -> Refusal:
        function = self.prepared.functions[number]
        at = function.offset + reference.slot * SLOT_BYTES
        words = f"function {at:#x} not found while relocating `{function.name}`"
        return Refusal("relocate_calls", f"error relocating `{function.name}`: {words}")

    def _infos(
        self, number: int, piece: Piece
    ) -> tuple[list[tuple[int, TypeId]], list[tuple[int, LineInfo]]]:
        """Function and line records of one piece, counted from the start of the program."""
        function = self.prepared.functions[number]
        ext, slot_map = self.prepared.ext, piece.function.slot_map
        dropped = self._dropped(piece.function)
        functions, lines = [], []
        for info in ext.func_infos.get(function.section, ()):
            if info.insn_off == function.offset and 0 not in dropped:
                functions.append((piece.start, info.type_id))
        for line in ext.line_infos.get(function.section, ()):
            if not function.offset <= line.insn_off < function.end:
                continue
            slot = (line.insn_off - function.offset) // SLOT_BYTES
            place = slot_map[slot]
            if place is not None and slot not in dropped:
                lines.append((piece.start + place, line))
        return functions, lines

    def _dropped(self, result: FunctionResult) -> frozenset[int]:
        """Slots before relocation whose records the loader forgets."""
        if not self.policy.poison_drops_metadata:
            return frozenset()
        return frozenset(row.slot for row in result.relocations if row.outcome == "poisoned")


def _poisoned_first(result: FunctionResult) -> bool:
    return any(row.slot == 0 and row.outcome == "poisoned" for row in result.relocations)
