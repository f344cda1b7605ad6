"""Small objects with CO-RE records, made in memory, and short ways to relocate them.

program = ObjectWriter()
s = program.btf.add_struct("s", 8, [member("f", program.btf.int, 4)])
program.function("prog", ldx(4, 1, 1, 4) + exit_(), relo(s, "0:0", FIELD_BYTE_OFFSET))
result = program.relocate(target_btf, "libbpf@1.7.0")
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any, NamedTuple

from engine.btf.decode import Btf
from engine.btf.encode import encode_ext
from engine.btf.ext import CoreRelo, FuncInfo, LineInfo
from engine.btf.kinds import ByteOrder, TypeId
from engine.core.candidates import Target
from engine.core.policy import LoaderPolicy
from engine.core.relocate import relocate_object
from engine.core.result import FunctionResult, ObjectResult, Relocation
from engine.elf.object import ElfObject, parse_object
from engine.insn.codec import SLOT_BYTES
from engine.loaders import policy_of
from tests.support.asm import Code
from tests.support.btf_writer import BtfWriter
from tests.support.elf_writer import ElfWriter

LIBBPF, CILIUM, AYA, KERNEL = "libbpf@1.7.0", "cilium@0.22.0", "aya@0.14.0", "kernel@6.12"


class Wanted(NamedTuple):
    """A record for the instruction at `slot` of the function it is given with."""

    type_id: int
    access: str
    kind: int
    slot: int = 0


relo = Wanted


def policy(base: str = LIBBPF, **changes: Any) -> LoaderPolicy:
    """Give a loader's policies with some of them changed."""
    return replace(policy_of(base), **changes)


class ObjectWriter:
    """Collects functions with their records; `btf` is the object's own BTF."""

    def __init__(self, byte_order: ByteOrder = "little") -> None:
        self.byte_order = byte_order
        self.btf = BtfWriter()
        self._elf = ElfWriter(byte_order=byte_order)
        self._sizes: dict[str, int] = {}
        self._functions: list[tuple[str, str, int]] = []
        self._func_infos: dict[str, list[FuncInfo]] = {}
        self.relos: dict[str, list[CoreRelo]] = {}
        self.lines: dict[str, list[LineInfo]] = {}

    def function(
        self, name: str, code: Code, *relos: Wanted, section: str = "socket", bind: str = "global"
    ) -> None:
        """Append a function to its section, with records for some of its slots."""
        start = self._sizes.get(section, 0)
        self._elf.function(name, section, code, bind=bind)
        self._functions.append((name, section, start))
        self._sizes[section] = start + len(code) * SLOT_BYTES
        for wanted in relos:
            at = start + wanted.slot * SLOT_BYTES
            self.relos.setdefault(section, []).append(
                CoreRelo(at, TypeId(wanted.type_id), wanted.access, wanted.kind)
            )

    def line(self, slot: int, text: str, number: int, *, section: str = "socket") -> None:
        """Say that the code from `slot` of the section on comes from this source line."""
        self.lines.setdefault(section, []).append(
            LineInfo(slot * SLOT_BYTES, "prog.c", text, number, 1)
        )

    def build(self) -> bytes:
        """Give the object file; types of its functions follow those of the test."""
        self._describe_functions()
        ext = encode_ext(
            self.byte_order,
            func_infos=self._func_infos,
            line_infos=self.lines,
            core_relos=self.relos,
            add_string=self.btf.add_string,
        )
        self._elf.section(".BTF", self.btf.encode(self.byte_order))
        self._elf.section(".BTF.ext", ext)
        return self._elf.build()

    def _describe_functions(self) -> None:
        while self._functions:
            name, section, start = self._functions.pop(0)
            info = FuncInfo(start, self.btf.add_func(name, self.btf.add_func_proto(self.btf.int)))
            self._func_infos.setdefault(section, []).append(info)

    def object(self) -> ElfObject:
        """Give the object as it is read."""
        return parse_object(self.build())

    def relocate(
        self, target: Target | Btf | BtfWriter, loader: str | LoaderPolicy = LIBBPF, **more: Any
    ) -> ObjectResult:
        """Relocate the object against a target, of the same byte order unless it is parsed."""
        if isinstance(target, BtfWriter):
            target = target.parsed(self.byte_order)
        if isinstance(target, Btf):
            target = Target(target)
        rules = policy_of(loader) if isinstance(loader, str) else loader
        return relocate_object(self.object(), target, rules, **more)


def only(result: ObjectResult) -> FunctionResult:
    """Give the single function of a result."""
    (function,) = result.functions
    return function


def relocations(result: ObjectResult) -> tuple[Relocation, ...]:
    """Give all relocations of a result, function by function."""
    return tuple(row for function in result.functions for row in function.relocations)


def said(result: ObjectResult) -> str:
    """Give the loader's words of refusal; fails when it did not refuse."""
    errors = [result.error, *(function.error for function in result.functions)]
    texts = [error.text for error in errors if error is not None]
    assert texts, "the loader refused nothing"
    return texts[0]
