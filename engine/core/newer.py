"""Types of a kind that a loader version does not know."""

from __future__ import annotations

from engine.btf.decode import Btf
from engine.btf.kinds import BtfKind


def first_newer(btf: Btf, newest: BtfKind) -> tuple[int, int] | None:
    """Id and kind of the first own type of a kind above `newest`, kept per BTF."""
    if newest >= BtfKind.ENUM64:
        return None
    key = f"core.newer-than.{int(newest)}"
    if key not in btf.caches:
        kinds = ((number, int(btf.kind(number))) for number in range(btf.first_id, len(btf)))
        btf.caches[key] = next((row for row in kinds if row[1] > newest), None)
    found: tuple[int, int] | None = btf.caches[key]
    return found
