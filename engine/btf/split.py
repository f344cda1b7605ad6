"""The BTF of a kernel's modules: split BTFs on one base, each parsed when it is needed.

A distribution ships some 4,000 modules, so a search by name must not parse them all: a set of
modules may come with an index that tells which of them can define a name.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from engine.btf.decode import Btf, coarse_key
from engine.errors import EngineError

Opener = Callable[[], Btf]
Index = Callable[[bytes], Collection[str]]
"""Gives, for a coarse key, the names of all modules that may define it."""


@dataclass(frozen=True, slots=True)
class ModuleFault:
    """A module whose BTF some loader, or every one, cannot read.

    kind     `empty`: sound, but without strings of its own; `broken`: anything else
    problem  what is wrong, as a clause
    """

    module: str
    kind: Literal["empty", "broken"]
    problem: str


class ModuleSet:
    """Modules in the order in which a loader meets them; a module is parsed once.

    A broken module defines nothing; it is among `faults`.
    """

    def __init__(
        self,
        openers: Mapping[str, Opener],
        *,
        index: Index | None = None,
        faults: Sequence[ModuleFault] = (),
    ) -> None:
        self.names: tuple[str, ...] = tuple(openers)
        self.faults = tuple(faults)
        self._openers = dict(openers)
        self._index = index
        self._broken = {fault.module for fault in faults if fault.kind == "broken"}
        self._parsed: dict[str, Btf] = {}

    @classmethod
    def of(cls, modules: Iterable[tuple[str, Btf]]) -> ModuleSet:
        """Make a set of modules that are parsed already."""
        rows = dict(modules)
        faults = [ModuleFault(name, "empty", EMPTY) for name, btf in rows.items() if is_empty(btf)]
        return cls({name: _given(btf) for name, btf in rows.items()}, faults=faults)

    def __len__(self) -> int:
        return len(self.names)

    def __iter__(self) -> Iterator[tuple[str, Btf]]:
        """All modules that can be read; parses each of them."""
        return ((name, self.open(name)) for name in self.names if name not in self._broken)

    def open(self, name: str) -> Btf:
        """The split BTF of one module; raises what its decoding raises, or KeyError."""
        if name not in self._parsed:
            self._parsed[name] = self._openers[name]()
        return self._parsed[name]

    def defining(self, name: str) -> Iterator[tuple[str, Btf]]:
        """The modules that may have types with this name's coarse key; an empty name: all."""
        if not name or self._index is None:
            yield from self
            return
        among = self._index(coarse_key(name.encode("utf-8", "surrogatepass")))
        for module in self.names:
            if module in among and module not in self._broken:
                yield module, self.open(module)

    def only(self, names: Collection[str]) -> ModuleSet:
        """The modules among `names`, in this set's order."""
        subset = ModuleSet(
            {name: self._openers[name] for name in self.names if name in names},
            index=self._index,
            faults=[fault for fault in self.faults if fault.module in names],
        )
        subset._parsed = self._parsed
        return subset


EMPTY = "it has no strings of its own"


def is_empty(btf: Btf) -> bool:
    """Whether a split BTF brings no strings of its own, as one that is only a header."""
    return btf.base is not None and btf.string_bytes == btf.first_string


def parse_modules(base: Btf, sections: Iterable[tuple[str, bytes]]) -> ModuleSet:
    """Parse raw split BTFs on their base; one that cannot be read becomes a fault."""
    openers: dict[str, Opener] = {}
    faults: list[ModuleFault] = []
    for name, data in sections:
        try:
            btf = Btf.parse(data, base=base)
        except EngineError as error:
            faults.append(ModuleFault(name, "broken", str(error)))
            openers[name] = _failing(error)
            continue
        openers[name] = _given(btf)
        if is_empty(btf):
            faults.append(ModuleFault(name, "empty", EMPTY))
    return ModuleSet(openers, faults=faults)


def _given(btf: Btf) -> Opener:
    return lambda: btf


def _failing(error: EngineError) -> Opener:
    def fail() -> Btf:
        raise error

    return fail
