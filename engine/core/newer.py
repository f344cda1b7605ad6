"""Types of a kind that a loader version does not know."""

from __future__ import annotations

from engine.btf.decode import Btf
from engine.btf.kinds import KIND_OF, BtfKind


def first_newer(btf: Btf, newest: BtfKind) -> tuple[int, int] | None:
    """Id and kind of the first own type of a kind above `newest`."""
    newer = (KIND_OF[number] for number in range(newest + 1, len(KIND_OF)))
    found = [(first, int(kind)) for kind in newer if (first := btf.first_of(kind))]
    return min(found, default=None)
