"""What the verifier of each kernel keeps of a value, as one record per measured version.

Measured on Debian's kernels 5.10.251, 6.1.192, 6.12.117, 6.18.15 and 7.3.4 by loading programs
whose poison stands behind a guard; figures without a measurement follow kernel/bpf/verifier.c
of the version and are chosen so that the analysis never knows more than the kernel.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import Final

Version = tuple[int, int]


@dataclass(frozen=True, slots=True)
class VerifierPolicy:
    """One verifier; each flag says that a value survives, so False is always the safe answer.

    `since` is the first version (major, minor) that this record stands for.
    """

    name: str
    since: Version
    narrow_fills: bool
    """A 64-bit spill of a constant, read back as its low 8, 16 or 32 bits."""
    negations: bool
    """BPF_NEG of a constant."""
    divisions: bool
    """Unsigned BPF_DIV of a constant by a constant."""
    byte_swaps: bool
    """Conversion of a constant to big-endian order on a little-endian kernel."""
    dead_global_calls: bool
    """A global function whose calls are all dead is not verified."""
    zeros_outlive_neighbours: bool
    """A zero stored at an 8-byte boundary survives a store into another part of its slot."""
    zeros_outlive_spills: bool
    """Zeros in a slot survive a number that is spilled to another part of it."""
    stored_immediates: bool
    """A constant written with BPF_ST, not from a register."""
    ranges_decide_equality: bool
    """`==` is decided when the ranges do not meet; else only between constants."""
    ranges_compared: bool
    """Two registers are compared by their ranges; else only when the second is a constant."""
    narrow_copies_linked: bool
    """`w1 = w2` links the copy to the original when it fits 32 bits."""
    signed_constant_loads: bool
    """Sign-extending loads from a frozen map give constants."""
    measured: bool = True
    """False: the kernel is older than all that were measured, so nothing counts as dead."""


_OLDEST: Final = VerifierPolicy(
    name="5.10",
    since=(5, 10),
    narrow_fills=False,
    negations=False,
    divisions=False,
    byte_swaps=False,
    dead_global_calls=False,
    zeros_outlive_neighbours=True,
    zeros_outlive_spills=False,
    stored_immediates=False,
    ranges_decide_equality=False,
    ranges_compared=False,
    narrow_copies_linked=False,
    signed_constant_loads=False,
)
_V6_12: Final = replace(
    _OLDEST,
    name="6.12",
    since=(6, 12),
    narrow_fills=True,
    dead_global_calls=True,
    zeros_outlive_neighbours=False,
    zeros_outlive_spills=True,
    stored_immediates=True,
    ranges_decide_equality=True,
    ranges_compared=True,
    narrow_copies_linked=True,
    signed_constant_loads=True,
)
_V6_18: Final = replace(_V6_12, name="6.18", since=(6, 18), negations=True)

POLICIES: Final = (
    _OLDEST,
    replace(_OLDEST, name="6.1", since=(6, 1)),
    _V6_12,
    _V6_18,
    replace(_V6_18, name="7.3", since=(7, 3), divisions=True, byte_swaps=True),
)
"""Oldest first; between two measured versions the older one is taken."""

STRICTEST: Final = replace(_OLDEST, name="any", zeros_outlive_neighbours=False)
"""Loses whatever one of the measured kernels loses: for kernels of unknown version."""

_VERSION = re.compile(r"(\d+)\.(\d+)")


def verifier_of(release: str) -> VerifierPolicy:
    """Choose the record for a kernel release (`6.1.0-56-amd64`); never raises.

    A release that does not begin with a version gets the strictest record; one older than all
    that were measured gets it with `measured` off.
    """
    found = _VERSION.match(release)
    if found is None:
        return STRICTEST
    version = int(found[1][:6]), int(found[2][:6])
    known = [policy for policy in POLICIES if policy.since <= version]
    if not known:
        return replace(STRICTEST, name=f"{version[0]}.{version[1]}", measured=False)
    return known[-1]
