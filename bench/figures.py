"""One measured figure, its bound, and how it relates to a reference measured in the same run."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from statistics import median
from time import process_time

Measure = Callable[[], object]


@dataclass(frozen=True, slots=True)
class Figure:
    """`value`, `bound` and `reference` are in `unit`, and less is better.

    Milliseconds differ from machine to machine; the ratio to a reference that does comparable
    work on the same machine, in the same minute, moves far less.
    """

    name: str
    value: float
    unit: str
    bound: float
    reference: float
    reference_name: str

    @property
    def ratio(self) -> float:
        """How many times the reference it takes."""
        return self.value / self.reference

    @property
    def holds(self) -> bool:
        """Whether the bound is kept."""
        return self.value <= self.bound

    def as_json(self) -> dict[str, object]:
        """Give every field, for a program to compare runs."""
        return {
            "name": self.name,
            "value": self.value,
            "unit": self.unit,
            "bound": self.bound,
            "holds": self.holds,
            "ratio": self.ratio,
            "reference": self.reference,
            "reference_name": self.reference_name,
        }


class Skipped(Exception):
    """Something that a case needs is not on this machine."""


def milliseconds(
    work: Measure, *, times: int, warm: int = 1, clock: Callable[[], float] = process_time
) -> float:
    """Give the median duration of `work`, after `warm` calls that do not count.

    The default clock counts this process's processor time, so that a busy machine changes
    little; work that waits for other processes needs `perf_counter`.
    """
    for _ in range(warm):
        work()
    spent = []
    for _ in range(times):
        began = clock()
        work()
        spent.append((clock() - began) * 1e3)
    return median(spent)


def yardstick() -> int:
    """Do a fixed amount of plain Python work: a reference for other plain Python work."""
    return sum(number * number for number in range(100_000))
