"""From a load plan to a guest's request: maps, their order and size, test runs by program type."""

from __future__ import annotations

import pytest

from app.sandbox.vm.protocol import MapEntry, RelocationKind
from app.services.verify_request import HASH_BYTES, guest_request, run_problem
from engine.loaders.loadplan import LoadPlan, MapPlan, MapUse, ProgramPlan
from engine.loaders.loadplan_numbers import MAP_TYPES, PROGRAM_TYPES

INNER = MapPlan("outer.inner", "outer.inner", type=2, key_size=4, value_size=8, max_entries=1)
OUTER = MapPlan("outer", "outer", type=12, key_size=4, value_size=4, max_entries=2, inner=INNER)
RODATA = MapPlan(".rodata", ".rodata", 2, 4, 3, 1, contents=b"abc", frozen=True)
UNUSED = MapPlan("unused", "unused", type=1)


def program(kind: str = "SOCKET_FILTER", *uses: MapUse) -> ProgramPlan:
    return ProgramPlan("prog", "socket", bytes(16), PROGRAM_TYPES[kind], map_uses=uses)


def test_maps_that_are_used_with_inner_ones_first():
    uses = MapUse(0, "outer", False), MapUse(2, ".rodata", True, 1)
    asked = program("SOCKET_FILTER", *uses)
    made = guest_request(LoadPlan("x", (asked,), (UNUSED, OUTER, RODATA)), [asked], 0, None)
    assert [one.name for one in made.maps] == ["outer.inner", "outer", ".rodata"]
    assert made.maps[1].inner == 0
    assert made.maps[2].entries == (MapEntry(key=bytes(4), value=b"abc"),)
    assert made.maps[2].frozen
    found = [(r.slot, r.kind, r.map, r.offset) for r in made.programs[0].relocations]
    assert found == [(0, RelocationKind.MAP, 1, 0), (2, RelocationKind.MAP_VALUE, 2, 1)]


@pytest.mark.parametrize(("kind", "kept"), [("HASH", False), ("LRU_HASH", False), ("ARRAY", True)])
def test_hash_maps_fit_the_guest(kind: str, kept: bool):
    large = MapPlan("m", "m", MAP_TYPES[kind], 4, 8192, 100_000)
    asked = program("SOCKET_FILTER", MapUse(0, "m", False))
    (made,) = guest_request(LoadPlan("x", (asked,), (large,)), [asked], 0, None).maps
    assert (made.max_entries == 100_000) is kept
    assert kept or made.max_entries * 8196 <= HASH_BYTES


@pytest.mark.parametrize(
    ("kind", "data", "problem"),
    [
        ("SOCKET_FILTER", bytes(14), ""),
        ("XDP", bytes(13), "a packet has 14 bytes or more, the input 13"),
        ("SYSCALL", b"", ""),
        ("KPROBE", bytes(64), "the kernel has no test run for programs of type KPROBE"),
    ],
)
def test_what_can_be_run(kind: str, data: bytes, problem: str):
    asked = program(kind)
    assert run_problem(asked, data) == problem
    (made,) = guest_request(LoadPlan("x", (asked,)), [asked], 0, data).programs
    assert (made.test_run is None) is bool(problem)
    if made.test_run is not None:
        assert made.test_run.context == (data if kind == "SYSCALL" else b"")
