"""What can be asked of real verifiers about the program that a result shows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from app.services.verification import GuestKernel, Judge
from app.views.menu import Option
from app.views.prose import loader_name

ALL: Final = "all"


@dataclass(frozen=True, slots=True)
class Offer:
    """The menus; no guests where none is installed.

    note     how the kernel that judges differs from the one that is shown
    missing  the series that has no guest, where that of the shown kernel has none
    real     loaders among the chosen ones that can run in a guest themselves
    """

    guests: tuple[Option, ...] = ()
    loaders: tuple[Option, ...] = ()
    note: str = ""
    missing: str = ""
    real: tuple[str, ...] = ()


def offer(
    guests: Sequence[GuestKernel],
    judges: Mapping[str, Judge | None],
    loaders: Sequence[str],
    built: Sequence[str],
) -> Offer:
    """Build the menus; `judges` has the guest for each kernel that is shown, None for none."""
    if not guests:
        return Offer()
    found = [judge for judge in judges.values() if judge is not None]
    first = found[0].guest.id if found else ""
    # The kernel that is shown goes along, so that the answer tells both.
    asked = {judge.guest.id: judge.asked for judge in found if judge.note}
    lacking = [kernel for kernel, judge in judges.items() if judge is None]
    rows = [Option(asked.get(g.id, g.id), g.id, g.id == first) for g in reversed(guests)]
    if len(guests) > 1:
        rows.append(Option(ALL, f"all {len(guests)} guest kernels", not first))
    both = Option("", " and ".join(map(loader_name, loaders)), True)
    each = [Option(loader, loader_name(loader), False) for loader in loaders]
    return Offer(
        guests=tuple(rows),
        loaders=(both, *each) if len(loaders) > 1 else (both,),
        note=next((_note(judge) for judge in found if judge.note), ""),
        missing=lacking[0] if lacking else "",
        real=tuple(loader_name(loader) for loader in loaders if loader in built),
    )


def _note(judge: Judge) -> str:
    return (
        f"{judge.asked} is judged by {judge.guest.id}, another build of {judge.guest.series}, "
        "with bytes relocated for that."
    )
