"""Programs with guarded poison, made up at random.

A program is a tree of statements over a few variables, with a place on the stack for each.
`tests.support.guarded_stream` turns it into instructions, `tests.support.guarded_c` into C, and
`tests.support.guarded_run` runs the instructions on all paths with plain numbers.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass

INPUTS = (0, 1, 2, 3, 7, 255, 1 << 31, (1 << 32) - 1, 1 << 32, (1 << 64) - 1)
"""What an unknown input is taken for."""
SMALL = (0, 1, 2, 3, 7)
NUMBERS = (*SMALL, *SMALL, *SMALL, 255, -1, -8, 0x7FFFFFFF, -(1 << 31))
"""Immediates of instructions; comparisons use them, too."""
OPERATORS = ("+", "-", "^", "&", "|", "*", "<<", ">>", "s>>", "/", "%")
CONDITIONS = ("==", "!=", ">", ">=", "<", "<=", "s>", "s>=", "s<", "s<=", "&")
NESTED = ("if", "if2", "loop", "maygoto", "switch")
CHANGING = (
    "set", "fill", "peek", "part", "compute", "compute2", "copy", "mask", "touch", "halves",
    "shift", "narrow", "negate", "swap", "extend", "flip", "call", "global",
)  # fmt: skip
"""Statements that put something into their variable."""
VARIABLES = (6, 7, 8, 9)
"""Registers; a variable's place on the stack follows from its register."""
WIDTHS = (8, 8, 4, 4, 2, 1)
TREES = 10
"""One in so many programs is a tree of statements."""


@dataclass(frozen=True)
class Statement:
    """`kind` says which fields count; see `tests.support.guarded_stream`.

    at     a byte of a variable's place, a multiple of `size`
    picks  small numbers for whatever else a kind has to choose
    """

    kind: str
    to: int = 6
    by: int = 6
    operator: str = "+"
    value: int = 0
    wide: bool = True
    size: int = 8
    at: int = 0
    then: tuple[Statement, ...] = ()
    otherwise: tuple[Statement, ...] = ()
    picks: tuple[int, ...] = (0,) * 6


PROFILES = (
    ("set", "copy", "compute", "compute2", "input", "spill", "fill", "rare", "probe", "probe"),
    ("part", "part", "halves", "halves", "spill", "store", "fill"),
    ("set", "spill", "fill", "through", "peek", "shared", "touch", "touch", "touch", "touch"),
    ("copy", "copied", "mask", "probe", "probe", "if", "if", "if2", "seen", "leave", "leave"),
    (
        "compute",
        "compute",
        "compute2",
        "mask",
        "negate",
        "swap",
        "swap",
        "extend",
        "shift",
        "narrow",
    ),
    ("compute", "set", "input", "rare", "probe", "loop", "maygoto", "if"),
    ("touch", "call", "global", "callback", "spill", "fill", "through", "rare", "probe"),
    ("set", "flip", "flip", "flip", "if", "if", "if2", "probe", "switch"),
    ("compute", "compute", "compute2", "leave", "leave", "copy", "edge", "edge", "narrow"),
)
"""What statements are drawn from: of everything, of memory, of pointers, of comparisons, of
numbers, of loops, of calls, of paths that meet again."""


@dataclass
class Maker:
    """Draws statements; `choose` takes one of several things."""

    choose: Callable[[tuple], object]
    profile: tuple[str, ...]
    variables: tuple[int, ...] = VARIABLES
    tested: tuple[int, int] = (6, 0)
    """Variable and number of the last comparison: the next one often asks for the same."""
    stored: tuple[int, int, int] = (6, 8, 0)
    """Variable, width and byte of the place that was last written to."""
    changed: int = 6
    """Variable that last changed."""

    def body(self, depth: int, *, calls: bool) -> tuple[Statement, ...]:
        """A few statements in a row."""
        return tuple(self.statement(depth, calls=calls) for _ in range(self.choose((2, 3, 4))))

    def statement(self, depth: int, *, calls: bool) -> Statement:
        """One statement: a plain one, or one that holds others."""
        leaves = () if calls else ("call", "global", "callback")
        allowed = tuple(
            kind for kind in self.profile if kind not in leaves and (depth or kind not in NESTED)
        )
        kind = self.choose(allowed + (("if", "switch") if depth else ()))
        to, by = self.choose(self.variables), self.choose(self.variables)
        value, size = self.choose(NUMBERS), self.choose(WIDTHS)
        at = self.choose((0, 0, size, 2 * size)) % 8
        if kind in ("rare", "if", "probe", "seen", "leave") and self.choose((0, 1)):
            to, value = self.choose((self.tested, (self.changed, value), (self.changed, value)))
        elif kind in ("fill", "part", "peek", "add", "helper") and self.choose((0, 1, 2)):
            by, size, at = self._near_stored(size, at)
        elif kind in ("spill", "shared", "through") and self.choose((0, 1)):
            by = self.changed
        self._remember(kind, to, value, size, at)
        then, otherwise = self._inside(kind, depth, calls)
        operators = (
            CONDITIONS
            if kind in ("if", "if2", "probe", "seen", "copied", "leave", "edge")
            else OPERATORS
        )
        return Statement(
            kind, to, by, self.choose(operators), value, bool(self.choose((0, 1))),
            size, at, then, otherwise, tuple(self.choose(range(12)) for _ in range(6)),
        )  # fmt: skip

    def _near_stored(self, size: int, at: int) -> tuple[int, int, int]:
        """The place that was written last, whole or with another width."""
        variable, width, byte = self.stored
        return self.choose(((variable, width, byte), (variable, size, at), (variable, 4, byte & 4)))

    def _inside(
        self, kind: str, depth: int, calls: bool
    ) -> tuple[tuple[Statement, ...], tuple[Statement, ...]]:
        if kind not in NESTED:
            return (), ()
        then = self.body(depth - 1, calls=calls)
        if kind in ("loop", "maygoto") or not self.choose((0, 1)):
            return then, ()
        return then, self.body(depth - 1, calls=calls)

    def _remember(self, kind: str, to: int, value: int, size: int, at: int) -> None:
        if kind in ("if", "switch", "seen"):
            self.tested = to, value
        elif kind in ("spill", "store", "through", "shared"):
            self.stored = to, size, at
        elif kind in CHANGING:
            self.changed = to


@dataclass(frozen=True)
class Guarded:
    """A program and the functions that it calls: a static one, a global one, a callback."""

    main: tuple[Statement, ...]
    callee: tuple[Statement, ...] = ()
    outer: tuple[Statement, ...] = ()
    callback: tuple[Statement, ...] = ()


def draw(seed: int, depth: int = 3) -> Guarded:
    """The program of a seed: one of many is a tree, the others are short."""
    chance = random.Random(seed)
    profile = PROFILES[seed // TREES % len(PROFILES)]
    if seed % TREES:
        return short(chance.choice, profile)
    return make(chance.choice, depth, profile)


def short(choose: Callable[[tuple], object], profile: tuple[str, ...]) -> Guarded:
    """A few plain statements, what they change asked for at the end: nothing hides a mistake."""
    plain = tuple(kind for kind in profile if kind not in (*NESTED, "rare"))
    maker = Maker(choose, plain, VARIABLES[:2])
    main: list[Statement] = []
    for variable in maker.variables:
        kind = "input" if variable == 6 and choose((0, 1, 2)) else "set"
        main.append(Statement(kind, variable, value=choose(NUMBERS), size=choose((8, 8, 8, 2))))
    for _ in range(choose((1, 1, 2))):
        main += [maker.statement(0, calls=True) for _ in range(choose((1, 2)))]
        if choose((0, 1)):
            condition, number = choose(CONDITIONS), choose(NUMBERS)
            wide = choose((True, False))
            main.append(Statement("leave", maker.changed, 6, condition, number, wide))
        main += [maker.statement(0, calls=True) for _ in range(choose((1, 2, 3)))]
        wide = choose((True, False))
        main.append(Statement("probe", maker.changed, 6, choose(CONDITIONS), 0, wide))
    inner = maker.body(0, calls=False)
    return Guarded(tuple(main), inner, inner, inner)


def make(
    choose: Callable[[tuple], object], depth: int = 3, profile: tuple[str, ...] = ()
) -> Guarded:
    """A program out of a way to choose."""
    maker = Maker(choose, profile or choose(PROFILES))
    main = maker.body(depth, calls=True) + maker.body(1, calls=True)
    return Guarded(main, *(maker.body(1, calls=False) for _ in range(3)))
