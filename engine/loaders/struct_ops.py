"""What libbpf refuses of struct_ops maps: structs of functions that the kernel does not have so.

Each variable in .struct_ops becomes a map. Its struct is looked up in the kernel, and its members
in that one, before anything is relocated.

Follows: libbpf src/libbpf.c find_struct_ops_kern_types, bpf_map__init_kern_struct_ops @ v1.7.0,
@ v1.5.0, @ v1.1.2.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from engine.btf.decode import Btf
from engine.btf.kinds import BtfKind, BtfType, Member
from engine.btf.resolve import size_of, skip_modifiers_and_typedefs
from engine.core.candidates import Target
from engine.core.names import essential_name
from engine.core.policy import LoaderPolicy, StructOpsRules
from engine.core.prepare import PreparedObject
from engine.core.refusal import Refusal
from engine.core.result import LoaderError
from engine.elf.object import Section
from engine.errors import BtfTypeError
from engine.loaders.attach import find_type

_VALUE = "bpf_struct_ops_"
"""The kernel's map values are structs of this prefix, with the struct itself as a member."""

_NOT_FOUND = "struct_ops init_kern: struct {} is not found in kernel BTF"
_PROGRAM_TYPE = 27
"""BPF_PROG_TYPE_STRUCT_OPS: Linux include/uapi/linux/bpf.h."""


def struct_ops_refusal(
    prepared: PreparedObject, target: Target, policy: LoaderPolicy
) -> LoaderError | None:
    """Say why the object is refused for one of its struct_ops maps; None where it is not."""
    rules = policy.struct_ops
    if rules is None or prepared.btf is None:
        return None
    check = _Check(prepared, prepared.btf, target, policy, rules)
    try:
        for section in prepared.obj.sections:
            if section.name in rules.sections:
                check.section(section)
    except Refusal as refusal:
        return LoaderError(refusal.code, refusal.text)
    return None


@dataclass(slots=True)
class _Check:
    prepared: PreparedObject
    btf: Btf
    target: Target
    policy: LoaderPolicy
    rules: StructOpsRules
    used: dict[str, tuple[int, int]] = field(default_factory=dict)
    """Programs, each with the kernel's struct and the position of the member that it is for."""

    def section(self, section: Section) -> None:
        """Check each variable of a section; libbpf knows them by the section's BTF."""
        programs = dict(self._programs(section))
        for type_id in self.btf.ids_named(section.name):
            declared = self.btf.type(type_id)
            for row in declared.variables if declared.kind is BtfKind.DATASEC else ():
                variable = self.btf.type(row.type_id)
                struct = skip_modifiers_and_typedefs(self.btf, variable.type_id)
                if struct.kind is BtfKind.STRUCT:
                    start = self._start(variable.name, section, row.offset)
                    data = section.data[start : start + struct.size]
                    own = {at - start: name for at, name in programs.items()}
                    self._map(variable.name, struct, data, own)

    def _start(self, variable: str, section: Section, declared: int) -> int:
        """Where a variable stands: clang leaves that to the symbols, a linker fills it in."""
        found = (s for s in self.prepared.obj.symbols if s.name == variable)
        return next((s.value for s in found if s.section == section.index), declared)

    def _programs(self, section: Section) -> Iterator[tuple[int, str]]:
        """The programs whose addresses a section holds, by place."""
        obj = self.prepared.obj
        for relocation in obj.relocations.get(section.index, ()):
            symbol = obj.symbols[relocation.symbol]
            if symbol.is_defined and obj.sections[symbol.section].is_code:
                yield relocation.offset, symbol.name

    def _map(self, name: str, struct: BtfType, data: bytes, programs: dict[int, str]) -> None:
        place = f"struct_ops init_kern {name}"
        kernel, found = self._kernel_struct(struct.name)
        members = {member.name: number for number, member in reversed([*enumerate(found.members)])}
        for position, member in enumerate(struct.members):
            at = member.bit_offset // 8
            number = members.get(member.name)
            if number is None:
                self._missing(place, member, data, programs)
                continue
            theirs = found.members[number]
            if member.bitfield_size or theirs.bitfield_size:
                raise _unsupported(f"{place}: bitfield {member.name} is not supported")
            self._same_type(place, member, theirs, kernel, programs.get(at))
            if at in programs and self.rules.reused_by_kernel_type:
                self._used(place, member.name, programs[at], (found.id, number))
            elif at in programs:
                self._used(name, member.name, programs[at], (struct.id, position))

    def _kernel_struct(self, raw_name: str) -> tuple[Btf, BtfType]:
        """Find the kernel's struct and the BTF that has it, of vmlinux or of a module."""
        rules = self.rules
        name = essential_name(raw_name, self.policy.flavor) if rules.flavors else raw_name
        first, second = name, _VALUE + name
        if rules.value_first:
            first, second = second, first
        kernel = self._btf_with(first)
        one, other = _struct(kernel, first), _struct(kernel, second)
        value, found = (one, other) if rules.value_first else (other, one)
        if all(member.type_id != found.id for member in value.members):
            raise Refusal(
                "EINVAL",
                f"struct_ops init_kern: struct {name} data is not found in struct {_VALUE}{name}",
            )
        return kernel, found

    def _btf_with(self, name: str) -> Btf:
        """The BTF that has this struct: a module's where vmlinux does not have it."""
        if not self.rules.in_modules:
            return self.target.btf
        found, module = find_type(name, BtfKind.STRUCT, self.target)
        if found is None:
            raise Refusal("ESRCH", _NOT_FOUND.format(name))
        return self.target.module_set.open(module) if module else self.target.btf

    def _missing(self, place: str, member: Member, data: bytes, programs: dict[int, str]) -> None:
        """A member that the kernel lacks must not be set; older versions do not look."""
        at = member.bit_offset // 8
        try:
            size = size_of(self.btf, member.type_id)
        except BtfTypeError:
            words = f"{place}: failed to resolve the size of member {member.name}"
            raise Refusal("EINVAL", words) from None
        is_set = any(data[at : at + size]) or any(at <= slot < at + size for slot in programs)
        if is_set or not self.rules.zeros_may_be_missing:
            raise _unsupported(f"{place}: Cannot find member {member.name} in kernel BTF")

    def _same_type(
        self, place: str, member: Member, theirs: Member, kernel: Btf, program: str | None
    ) -> None:
        mine = skip_modifiers_and_typedefs(self.btf, member.type_id)
        found = skip_modifiers_and_typedefs(kernel, theirs.type_id)
        if mine.kind is not found.kind:
            raise _unsupported(
                f"{place}: Unmatched member type {member.name} {int(mine.kind)} != "
                f"{int(found.kind)}(kernel)"
            )
        if mine.kind is not BtfKind.PTR:
            sizes = _size(self.btf, mine.id), _size(kernel, found.id)
            if sizes[0] != sizes[1] or sizes[0] < 0:
                raise _unsupported(
                    f"{place}: Error in size of member {member.name}: {sizes[0]} != "
                    f"{sizes[1]}(kernel)"
                )
        elif program is not None:
            pointed = skip_modifiers_and_typedefs(kernel, found.type_id)
            if pointed.kind is not BtfKind.FUNC_PROTO:
                raise _unsupported(f"{place}: kernel member {member.name} is not a func ptr")

    def _used(self, place: str, member: str, program: str, use: tuple[int, int]) -> None:
        """A program may serve several maps, as the same member of the same struct."""
        before = self.used.setdefault(program, use)
        if before == use:
            return
        who = f"prog {program} in sec {self._section_of(program)} with type {_PROGRAM_TYPE}"
        if not self.rules.reused_by_kernel_type:
            raise Refusal(
                "EINVAL",
                f"struct_ops reloc {place}: cannot use {who} attach_btf_id {before[0]} "
                f"expected_attach_type {before[1]} for func ptr {member}",
            )
        what = f"attach_btf_id {before[0]} != kern_type_id {use[0]}"
        if before[0] == use[0]:
            what = f"expected_attach_type {before[1]} != kern_member_idx {use[1]}"
        raise Refusal("EINVAL", f"{place} func ptr {member}: invalid reuse of {who}: {what}")

    def _section_of(self, program: str) -> str:
        found = (f.section for f in self.prepared.functions if f.name == program)
        return next(found, "")


def _struct(btf: Btf, name: str) -> BtfType:
    named = (btf.type(type_id) for type_id in btf.ids_named(name))
    found = next((found for found in named if found.kind is BtfKind.STRUCT), None)
    if found is None:
        raise Refusal("ENOENT", _NOT_FOUND.format(name))
    return found


def _size(btf: Btf, type_id: int) -> int:
    try:
        return size_of(btf, type_id)
    except BtfTypeError:
        return -22


def _unsupported(words: str) -> Refusal:
    return Refusal("EOPNOTSUPP", words)
