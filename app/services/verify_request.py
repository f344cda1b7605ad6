"""From a load plan to what a guest is asked: maps by index, inner maps first, test runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from app.sandbox.vm.protocol import (
    GuestMap,
    GuestProgram,
    GuestRequest,
    MapEntry,
    Relocation,
    RelocationKind,
    TestRun,
)
from engine.loaders.loadplan import (
    FUNC_INFO_BYTES,
    LINE_INFO_BYTES,
    LoadPlan,
    MapPlan,
    MapUse,
    ProgramPlan,
)
from engine.loaders.loadplan_numbers import MAP_TYPES, PROGRAM_TYPES

_KEY: Final = bytes(4)
_PACKET: Final = frozenset(
    PROGRAM_TYPES[word]
    for word in (
        *("SOCKET_FILTER", "SCHED_CLS", "SCHED_ACT", "XDP", "CGROUP_SKB", "FLOW_DISSECTOR"),
        *("LWT_IN", "LWT_OUT", "LWT_XMIT", "LWT_SEG6LOCAL"),
    )
)
"""Program types that the kernel runs on a packet."""
_CONTEXT: Final = frozenset(PROGRAM_TYPES[word] for word in ("SYSCALL", "RAW_TRACEPOINT"))
"""Program types that the kernel runs on a context as it is given."""
_PREALLOCATED: Final = frozenset(
    MAP_TYPES[word]
    for word in ("HASH", "PERCPU_HASH", "LRU_HASH", "LRU_PERCPU_HASH", "STACK_TRACE")
)
HASH_BYTES: Final = 16 << 20
"""What a hash or stack map may take up in a guest of 192 MB; no verdict depends on its entries."""
_ENTRY_BYTES: Final = 64
"""What an entry takes up beside key and value."""
PACKET_BYTES: Final = 14
"""An Ethernet header: what the kernel wants of a packet at least."""


def run_problem(program: ProgramPlan, data: bytes) -> str:
    """Why BPF_PROG_TEST_RUN cannot run a program on this input; empty when it can."""
    if program.type in _PACKET:
        short = len(data) < PACKET_BYTES
        return f"a packet has {PACKET_BYTES} bytes or more, the input {len(data)}" if short else ""
    if program.type in _CONTEXT:
        return ""
    names = {number: word for word, number in PROGRAM_TYPES.items()}
    return f"the kernel has no test run for programs of type {names.get(program.type, '')}"


def guest_request(
    plan: LoadPlan, programs: Sequence[ProgramPlan], log_level: int, data: bytes | None
) -> GuestRequest:
    """Make the request for some programs of a plan, with the maps that they refer to.

    `data` is the input of test runs; None: no program is run. Raises nothing.
    """
    wanted = {use.symbol for program in programs for use in program.map_uses}
    maps, places = _maps([made for made in plan.maps if made.symbol in wanted])
    return GuestRequest(
        programs=tuple(_program(program, places, log_level, data) for program in programs),
        maps=maps,
        btf=plan.btf.data if plan.btf is not None else None,
    )


def _maps(plans: Sequence[MapPlan]) -> tuple[tuple[GuestMap, ...], Mapping[str, int]]:
    maps: list[GuestMap] = []
    places = {}
    for plan in plans:
        inner = None
        if plan.inner is not None:
            inner = len(maps)
            maps.append(_map(plan.inner, None))
        places[plan.symbol] = len(maps)
        maps.append(_map(plan, inner))
    return tuple(maps), places


def _map(plan: MapPlan, inner: int | None) -> GuestMap:
    entries = () if plan.contents is None else (MapEntry(key=_KEY, value=plan.contents),)
    return GuestMap(
        name=plan.name,
        type=plan.type,
        key_size=plan.key_size,
        value_size=plan.value_size,
        max_entries=_entries(plan),
        flags=plan.flags,
        inner=inner,
        entries=entries,
        frozen=plan.frozen,
        btf_key_type_id=plan.key_type_id,
        btf_value_type_id=plan.value_type_id,
        extra=plan.extra,
    )


def _entries(plan: MapPlan) -> int:
    """A hash or stack map that fits the guest."""
    if plan.type not in _PREALLOCATED:
        return plan.max_entries
    most = HASH_BYTES // (plan.key_size + plan.value_size + _ENTRY_BYTES)
    return min(plan.max_entries, max(most, 1))


def _program(
    program: ProgramPlan, places: Mapping[str, int], log_level: int, data: bytes | None
) -> GuestProgram:
    return GuestProgram(
        name=program.kernel_name,
        type=program.type,
        instructions=program.insns,
        license=program.license,
        expected_attach_type=program.attach_type,
        flags=program.flags,
        attach_btf_id=program.attach_btf_id,
        relocations=tuple(_relocation(use, places) for use in program.map_uses),
        func_info=program.func_info,
        func_info_record=FUNC_INFO_BYTES if program.func_info else 0,
        line_info=program.line_info,
        line_info_record=LINE_INFO_BYTES if program.line_info else 0,
        log_level=log_level,
        test_run=_test_run(program, data),
    )


def _relocation(use: MapUse, places: Mapping[str, int]) -> Relocation:
    kind = RelocationKind.MAP_VALUE if use.value else RelocationKind.MAP
    return Relocation(slot=use.slot, kind=kind, map=places[use.symbol], offset=use.offset)


def _test_run(program: ProgramPlan, data: bytes | None) -> TestRun | None:
    if data is None or run_problem(program, data):
        return None
    if program.type in _PACKET:
        return TestRun(data=data, data_out=len(data) + 256)
    return TestRun(context=data, context_out=len(data))
