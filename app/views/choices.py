"""What the reader has chosen, in one place: read from a form or a query, written to a query.

kernel   ids, repeated      loader   ids, repeated, one or two
clang    major version      cpu      v1 ... v4
order    auto little big    opt      O0 ... O3 Os Oz
example  id of an example   draft    digest of source that only the reader's browser has
show     the kernel whose bytes are shown
one      the loader whose column is shown alone
left     kernel/loader/clang (clang may be missing) to compare with `right`
hide     panes that are folded away, by name and with commas
prog     the program shown  at       a slot on the page shown
graph    1 to draw a control-flow graph that is large
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, NamedTuple
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
PANES: Final = ("source", "before", "c0", "c1", "c2", "c3", "why")
"""Panes that can be folded away; c0 ... are the loaders' columns."""


class Side(NamedTuple):
    """One side of a comparison; `clang` is None for the compiler that is chosen above."""

    kernel: str
    loader: str
    clang: int | None = None

    def __str__(self) -> str:
        return "/".join([self.kernel, self.loader, *([str(self.clang)] if self.clang else [])])


def side_of(text: str) -> Side | None:
    """Read `kernel/loader` or `kernel/loader/clang`; None for anything else."""
    kernel, _, rest = text.partition("/")
    loader, _, clang = rest.partition("/")
    return Side(kernel, loader, _number(clang, None)) if kernel and loader else None


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
    one: str = ""
    left: str = ""
    right: str = ""
    hide: str = ""

    @property
    def shown_kernel(self) -> str:
        """The kernel whose bytes are shown; the first one unless another chosen one is named."""
        if self.show in self.kernels:
            return self.show
        return self.kernels[0] if self.kernels else ""

    @property
    def shown_loaders(self) -> tuple[str, ...]:
        """The loaders that have a column: all, or the one that is shown alone."""
        return (self.one,) if self.one in self.loaders else self.loaders

    @property
    def compared(self) -> tuple[Side, Side] | None:
        """Left and right, where two sides were named."""
        left, right = side_of(self.left), side_of(self.right)
        return (left, right) if left and right else None

    @property
    def hidden(self) -> tuple[str, ...]:
        """The panes that are folded away."""
        return tuple(name for name in PANES if name in self.hide.split(","))

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
            ("one", self.one if self.one in self.loaders else "", ""),
            ("left", self.left if self.compared else "", ""),
            ("right", self.right if self.compared else "", ""),
            ("hide", ",".join(self.hidden), ""),
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
    show, one = _last(found, "show", ""), _last(found, "one", "")
    if "cell" in found:
        show, _, one = found["cell"][-1].partition("/")
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
        show=show,
        prog=_last(found, "prog", ""),
        at=_number(_last(found, "at", ""), 0) or 0,
        graph=_number(_last(found, "graph", ""), 0) or 0,
        one=one,
        left=_side(found, "left"),
        right=_side(found, "right"),
        hide=_last(found, "hide", ""),
    )


def _side(found: Mapping[str, Sequence[str]], name: str) -> str:
    """Read a side: from its three menus where the form was sent to compare, else as it stands."""
    pressed = _last(found, "compare", "")
    if pressed == "off":
        return ""
    if pressed:
        parts = (_last(found, f"{name}-{part}", "") for part in ("kernel", "loader", "clang"))
        return "/".join(parts).rstrip("/")
    return _last(found, name, "")


def _all(found: Mapping[str, Sequence[str]], name: str, usual: tuple[str, ...]) -> tuple[str, ...]:
    chosen = tuple(dict.fromkeys(text for text in found.get(name, ()) if text))
    return chosen if name in found else usual


def _last(found: Mapping[str, Sequence[str]], name: str, usual: str) -> str:
    return found[name][-1] if name in found else usual


def _number(text: str, usual: int | None) -> int | None:
    return int(text) if text.isdecimal() and len(text) < 10 else usual
