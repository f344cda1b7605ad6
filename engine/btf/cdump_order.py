"""Putting definitions into an order in which C can read them.

Depth first: what a definition needs by value is written before it, what it names in a parameter
list is declared before it. Cycles go through pointers, and a pointer needs no definition.

Follows: libbpf src/btf_dump.c btf_dump_order_type (the idea of strong and weak links).
"""

from __future__ import annotations

from typing import Final

from engine.btf.c_decl import Declarations, Definition
from engine.btf.decode import Btf
from engine.btf.kinds import SKIPPED_KINDS, BtfKind, BtfType, TypeId
from engine.errors import BtfTypeError

_MOST_NESTED: Final = 80
"""Definitions waiting for each other; a kernel has about 20."""


class Ordered:
    """Collects the text of definitions, each once, in a readable order.

    `known` may hold definitions of an earlier run on the same BTF; new ones are added to it.
    """

    def __init__(
        self, btf: Btf, declarations: Declarations, known: dict[int, Definition] | None = None
    ) -> None:
        self._btf = btf
        self._declarations = declarations
        self._known = known
        self._parts: list[str] = []
        self._done: set[int] = set()
        self._begun: set[int] = set()
        self._tags: set[str] = set()
        self._enums: dict[int, int] = {}

    @property
    def text(self) -> str:
        """All that was written so far."""
        return "".join(self._parts)

    def complete(self, type_id: TypeId) -> None:
        """Write what is needed to have a variable of this type.

        Raises BtfTypeError for types that contain themselves.
        """
        known = self._btf.type(type_id)
        if known.kind is BtfKind.TYPEDEF:
            self.declare(type_id)
            behind = known
            while behind.kind in SKIPPED_KINDS or behind.kind is BtfKind.ARRAY:
                behind = self._btf.type(behind.type_id)
            if behind.name and (behind.is_composite or behind.is_enum):
                self.complete(behind.id)
        elif known.kind is BtfKind.FWD:
            self.declare(type_id)
        elif type_id not in self._done:
            self._write(known)

    def loose_enum(self, type_id: TypeId) -> None:
        """Write an anonymous enum, unless it stands inside something written before."""
        if type_id not in self._enums:
            self._write(self._btf.type(type_id))

    def declare(self, type_id: TypeId) -> None:
        """Write what is needed to name this type, and to point at it."""
        if type_id in self._done:
            return
        known = self._btf.type(type_id)
        if known.is_composite or known.kind is BtfKind.FWD:
            word = known.kind.word
            if known.kind is BtfKind.FWD:
                word = "union" if known.kind_flag else "struct"
            tag = f"{word} {self._declarations.names.of(known)};\n"
            if tag not in self._tags:
                self._tags.add(tag)
                self._parts.append(tag)
        else:
            self._write(known)

    def _write(self, known: BtfType) -> None:
        if known.id in self._begun or len(self._begun) > _MOST_NESTED:
            raise BtfTypeError(
                f"[{known.id}] {known.kind.word} {known.name or '<anon>'} needs itself",
                place=f"type [{known.id}] of .BTF",
            )
        self._begun.add(known.id)
        definition = self._definition(known)
        for type_id in definition.needs.complete:
            self.complete(type_id)
        for type_id in definition.needs.declared:
            self.declare(type_id)
        self._begun.discard(known.id)
        self._done.add(known.id)
        if known.is_composite:
            self._tags.add(f"{known.kind.word} {self._declarations.names.of(known)};\n")
        self._parts.append(definition.text)
        if known.kind is not BtfKind.TYPEDEF:
            self._parts.append("\n")

    def _definition(self, known: BtfType) -> Definition:
        found = self._known.get(known.id) if self._known is not None else None
        if found is None:
            self._declarations.enum_copies = {}
            found = self._declarations.define(known)
            if self._known is not None:
                self._known[known.id] = found
        if any(enum in self._enums for enum in found.needs.inline_enums):
            self._declarations.enum_copies = self._enums
            return self._declarations.define(known)
        for enum in found.needs.inline_enums:
            self._enums[enum] = self._enums.get(enum, 0) + 1
        return found
