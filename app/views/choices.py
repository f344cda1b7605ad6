"""What the reader has chosen, in one place: read from a form or a query, written to a query.

kernel   ids, repeated      loader   ids, repeated, one or two
clang    major version      cpu      v1 ... v4
order    auto little big    opt      O0 ... O3 Os Oz
example  id of an example   draft    digest of source that only the reader's browser has
show     the kernel whose bytes are shown
prog     the program shown  at       a slot on the page shown
graph    1 to draw a control-flow graph that is large
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final
from urllib.parse import urlencode

CPUS: Final = ("v1", "v2", "v3", "v4")
ORDERS: Final[Mapping[str, str]] = {"auto": "kernel’s", "little": "little", "big": "big"}
OPTS: Final = ("O1", "O2", "O3", "Os", "Oz")

DEFAULT_EXAMPLE: Final = "enum-1348"
DEFAULT_KERNELS: Final = ("6.1.0-56-amd64",)
DEFAULT_LOADERS: Final = ("cilium@0.13.0", "libbpf@1.7.0")
DEFAULT_CPU: Final = "v3"
DEFAULT_OPT: Final = "O2"

_DRAFT = re.compile(r"[0-9a-f]{12}")


@dataclass(frozen=True, slots=True)
class Choices:
    """Everything but the source text and the object."""

    kernels: tuple[str, ...] = DEFAULT_KERNELS
    loaders: tuple[str, ...] = DEFAULT_LOADERS
    clang: int | None = None
    cpu: str = DEFAULT_CPU
    order: str = "auto"
    opt: str = DEFAULT_OPT
    example: str = ""
    draft: str = ""
    object: str = ""
    show: str = ""
    prog: str = ""
    at: int = 0
    graph: int = 0

    @property
    def shown_kernel(self) -> str:
        """The kernel whose bytes are shown; the first one unless another chosen one is named."""
        if self.show in self.kernels:
            return self.show
        return self.kernels[0] if self.kernels else ""

    def pairs(self) -> list[tuple[str, str]]:
        """Give the shortest list of names and values that leads back to these choices."""
        pairs = []
        if self.example:
            pairs.append(("example", self.example))
        elif self.object:
            pairs.append(("object", self.object))
        elif self.draft:
            pairs.append(("draft", self.draft))
        pairs += [("kernel", kernel) for kernel in self.kernels]
        pairs += [("loader", loader) for loader in self.loaders]
        if self.clang is not None:
            pairs.append(("clang", str(self.clang)))
        pairs.append(("cpu", self.cpu))
        optional = (
            ("order", self.order, "auto"),
            ("opt", self.opt, DEFAULT_OPT),
            ("show", self.show if self.show in self.kernels[1:] else "", ""),
            ("prog", self.prog, ""),
            ("at", str(self.at), "0"),
            ("graph", str(self.graph), "0"),
        )
        return pairs + [(name, chosen) for name, chosen, usual in optional if chosen != usual]

    def url(self, **changes: Any) -> str:
        """Give the address of the result with some choices changed: `url(show="...")`."""
        return "/analyse?" + replace(self, **changes).query()

    def query(self) -> str:
        """Write the choices as a query string, without `?`."""
        return urlencode(self.pairs(), safe="@,:/")


def read_choices(items: Iterable[tuple[str, str]], defaults: Choices | None = None) -> Choices:
    """Read names and values as they come; unknown names and malformed numbers are passed over.

    Ids are kept as they are: whether they exist is for the analysis to say.
    """
    found: dict[str, list[str]] = {}
    for name, text in items:
        found.setdefault(name, []).append(text.strip()[:200])
    usual = defaults or Choices()
    draft = _last(found, "draft", "")
    return Choices(
        kernels=_all(found, "kernel", usual.kernels),
        loaders=_all(found, "loader", usual.loaders),
        clang=_number(_last(found, "clang", ""), usual.clang),
        cpu=_last(found, "cpu", usual.cpu),
        order=_last(found, "order", usual.order),
        opt=_last(found, "opt", usual.opt),
        example=_last(found, "example", ""),
        draft=draft if _DRAFT.fullmatch(draft) else "",
        object=_last(found, "object", ""),
        show=_last(found, "show", ""),
        prog=_last(found, "prog", ""),
        at=_number(_last(found, "at", ""), 0) or 0,
        graph=_number(_last(found, "graph", ""), 0) or 0,
    )


def _all(found: Mapping[str, Sequence[str]], name: str, usual: tuple[str, ...]) -> tuple[str, ...]:
    chosen = tuple(dict.fromkeys(text for text in found.get(name, ()) if text))
    return chosen if name in found else usual


def _last(found: Mapping[str, Sequence[str]], name: str, usual: str) -> str:
    return found[name][-1] if name in found else usual


def _number(text: str, usual: int | None) -> int | None:
    return int(text) if text.isdecimal() and len(text) < 10 else usual
