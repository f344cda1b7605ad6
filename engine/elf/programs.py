"""The functions of an object: entry programs and subprograms, with their instructions."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable
from dataclasses import dataclass, field

from engine import limits
from engine.elf.object import ElfObject, Section
from engine.elf.symbols import Symbol
from engine.errors import ElfError, LimitExceeded
from engine.insn.codec import SLOT_BYTES, Insn, decode_insns


@dataclass(frozen=True, slots=True)
class Function:
    """One function; `offset` is its first byte in the section, a multiple of 8.

    `is_entry` is True outside .text, where loaders look for programs to attach. `binding` is
    global, weak or local.
    """

    name: str
    section: str
    section_index: int
    offset: int
    insns: tuple[Insn, ...] = field(repr=False)
    is_entry: bool
    binding: str

    @property
    def end(self) -> int:
        """The byte after the last one, in the section."""
        return self.offset + len(self.insns) * SLOT_BYTES


def functions(obj: ElfObject) -> tuple[Function, ...]:
    """Give every function symbol of non-zero size in a code section, by section, then offset.

    Raises ElfError when a function leaves its section, is not made of whole 8-byte slots, or
    shares bytes with another; LimitExceeded for more code than `engine.limits` allows. What
    the instructions do is not checked.

    Follows: libbpf src/libbpf.c bpf_object__add_programs (which symbols are functions); libbpf
    does not look for overlaps.
    """
    found: list[tuple[int, int, Symbol]] = []
    for symbol in obj.symbols:
        if symbol.type != "func" or symbol.size == 0 or not symbol.is_defined:
            continue
        if obj.sections[symbol.section].is_code:
            found.append((symbol.section, symbol.value, symbol))
    found.sort(key=lambda entry: entry[:2])
    result: list[Function] = []
    slots = 0
    for section_index, _, symbol in found:
        section = obj.sections[section_index]
        _check_range(symbol, section)
        if result and result[-1].section_index == section_index:
            _check_apart(result[-1], symbol, section)
        slots += symbol.size // SLOT_BYTES
        if slots > limits.OBJECT_SLOTS:
            raise LimitExceeded(
                f"more than {limits.OBJECT_SLOTS} instruction slots in one object",
                place=_place(symbol, section),
            )
        result.append(_function(symbol, section, obj))
    return tuple(result)


def _function(symbol: Symbol, section: Section, obj: ElfObject) -> Function:
    code = section.data[symbol.value : symbol.value + symbol.size]
    return Function(
        name=symbol.name,
        section=section.name,
        section_index=section.index,
        offset=symbol.value,
        insns=decode_insns(code, obj.byte_order),
        is_entry=section.name != ".text",
        binding=symbol.bind,
    )


def _check_range(symbol: Symbol, section: Section) -> None:
    if section.size // SLOT_BYTES > limits.PROGRAM_SLOTS:
        raise LimitExceeded(
            f"{section.size // SLOT_BYTES} instruction slots, "
            f"at most {limits.PROGRAM_SLOTS} are read",
            place=f"section {section.name}",
        )
    if symbol.value % SLOT_BYTES or symbol.size % SLOT_BYTES:
        raise ElfError(
            f"function {symbol.name} of {symbol.size} bytes is not made of whole 8-byte slots",
            place=_place(symbol, section),
        )
    if symbol.value + symbol.size > section.size:
        raise ElfError(
            f"function {symbol.name} of {symbol.size} bytes leaves its section "
            f"of {section.size} bytes",
            place=_place(symbol, section),
        )


def _check_apart(previous: Function, symbol: Symbol, section: Section) -> None:
    if symbol.value < previous.end:
        raise ElfError(
            f"functions {previous.name} and {symbol.name} share instructions",
            place=_place(symbol, section),
            hint="Aliases are not supported: give each function its own code.",
        )


def _place(symbol: Symbol, section: Section) -> str:
    return f"section {section.name} byte {symbol.value:#x}"


class FunctionIndex:
    """Finds the function that holds a byte of a section.

    Sections are named, as in .BTF.ext; of several sections with one name the first counts.
    """

    def __init__(self, all_functions: Iterable[Function]) -> None:
        self._by_section: dict[str, tuple[list[int], list[Function]]] = {}
        for function in sorted(all_functions, key=lambda f: (f.section_index, f.offset)):
            starts, members = self._by_section.setdefault(function.section, ([], []))
            if not members or members[0].section_index == function.section_index:
                starts.append(function.offset)
                members.append(function)

    def at(self, section: str, offset: int) -> Function | None:
        """Give the function whose range holds byte `offset` of `section`, or None."""
        starts, members = self._by_section.get(section, ([], []))
        place = bisect_right(starts, offset) - 1
        if place < 0 or offset >= members[place].end:
            return None
        return members[place]
