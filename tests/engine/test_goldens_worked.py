"""The bug that started coreplay, slot by slot: cilium/ebpf issue 1348.

A guarded read of an enumerator that no kernel has. The guard's jump crosses the 16-byte load
that becomes poison; where the load shrinks, the jump misses its target.
"""

from __future__ import annotations

import pytest

from engine.core.candidates import Target
from engine.core.relocate import relocate_object
from engine.core.result import FunctionResult
from engine.explain.narrate import why
from engine.flow.jumps import JumpCheck, check_jumps
from engine.insn.codec import encode_insn
from engine.loaders import policy_of
from tests.support.goldens import golden_object
from tests.support.kernel_btf import USUAL, kernel_btf

BEFORE = """
    18 01 00 00 01 00 00 00   r1 = 1 ll: does the enumerator exist
    00 00 00 00 00 00 00 00
    15 01 03 00 00 00 00 00   if r1 == 0 goto +3
    18 01 00 00 01 00 00 00   r1 = 1 ll: its value
    00 00 00 00 00 00 00 00
    63 1a fc ff 00 00 00 00   *(u32 *)(r10 - 4) = r1
    b7 00 00 00 00 00 00 00   r0 = 0
    95 00 00 00 00 00 00 00   exit
"""
TWO_CALLS = """
    18 01 00 00 00 00 00 00
    00 00 00 00 00 00 00 00
    15 01 03 00 00 00 00 00
    85 00 00 00 10 23 ad 0b
    85 00 00 00 10 23 ad 0b
    63 1a fc ff 00 00 00 00
    b7 00 00 00 00 00 00 00
    95 00 00 00 00 00 00 00
"""
ONE_CALL = """
    18 01 00 00 00 00 00 00
    00 00 00 00 00 00 00 00
    15 01 03 00 00 00 00 00
    85 00 00 00 10 23 ad 0b
    63 1a fc ff 00 00 00 00
    b7 00 00 00 00 00 00 00
    95 00 00 00 00 00 00 00
"""
R10_LOAD = """
    18 01 00 00 00 00 00 00
    00 00 00 00 00 00 00 00
    15 01 03 00 00 00 00 00
    18 0a 00 00 10 23 ad 0b
    00 00 00 00 00 00 00 00
    63 1a fc ff 00 00 00 00
    b7 00 00 00 00 00 00 00
    95 00 00 00 00 00 00 00
"""
AFTER = [
    pytest.param("libbpf@1.7.0", TWO_CALLS, id="libbpf@1.7.0"),
    pytest.param("libbpf@1.1.2", TWO_CALLS, id="libbpf@1.1.2"),
    pytest.param("libbpf@0.8.0", None, id="libbpf@0.8.0 cannot read ENUM64"),
    pytest.param("kernel@6.12", TWO_CALLS, id="kernel@6.12"),
    pytest.param("aya@0.14.0", TWO_CALLS, id="aya@0.14.0"),
    pytest.param("cilium@0.9.1", None, id="cilium@0.9.1 cannot read ENUM64"),
    pytest.param("cilium@0.12.3", ONE_CALL, id="cilium@0.12.3"),
    pytest.param("cilium@0.13.0", ONE_CALL, id="cilium@0.13.0"),
    pytest.param("cilium@0.13.1", R10_LOAD, id="cilium@0.13.1"),
    pytest.param("cilium@0.22.0", R10_LOAD, id="cilium@0.22.0"),
]


def slots(listing: str) -> list[str]:
    return [line.strip()[:23] for line in listing.strip().splitlines()]


def relocated(loader: str) -> FunctionResult:
    """Give the one function of the example on a kernel that lacks the enumerator."""
    prepared = golden_object("objects/worked1348.clang19.v2.el.o")
    (function,) = relocate_object(prepared, Target(kernel_btf(USUAL)), policy_of(loader)).functions
    return function


def listed(insns) -> list[str]:
    return [encode_insn(insn, "little").hex(" ") for insn in insns]


@pytest.mark.parametrize(("loader", "after"), AFTER)
def test_bytes(loader, after):
    function = relocated(loader)
    assert listed(function.before) == slots(BEFORE)
    if after is None:
        assert function.after is None
    else:
        assert listed(function.after) == slots(after)


def test_the_jump_skips_what_sets_the_result():
    """Eight slots became seven: `+3` now lands on the exit behind `r0 = 0`."""
    function = relocated("cilium@0.13.0")
    assert function.slot_map == (0, 1, 2, 3, None, 4, 5, 6)
    assert check_jumps(function) == (
        JumpCheck(slot_before=2, slot_after=2, intended=5, actual=6, landing="wrong-slot", lost=1),
    )


@pytest.mark.parametrize("loader", ["libbpf@1.7.0", "aya@0.14.0", "cilium@0.13.1"])
def test_the_jump_is_sound(loader):
    (jump,) = check_jumps(relocated(loader))
    assert (jump.intended, jump.actual, jump.landing, jump.lost) == (6, 6, "fine", 0)


def test_what_is_said_about_it():
    exists, value = relocated("cilium@0.13.0").relocations
    assert (exists.outcome, exists.orig, exists.new) == ("patched", 1, 0)
    assert (value.outcome, value.new, value.slots) == ("poisoned", None, 2)
    assert exists.local == "enum cgroup_subsys_id::cpuset_cgrp_id_lublub"
    lacking = "enum cgroup_subsys_id has no enumerator cpuset_cgrp_id_lublub"
    assert (why(exists), why(value)) == (lacking, lacking)
    assert value.line is not None
    assert value.line.file_name.endswith("worked1348.bpf.c")
    assert "EXISTS" in value.line.line, "clang gives the load no line of its own"
