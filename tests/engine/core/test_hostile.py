"""Damaged objects, BTF and access strings: an error of the engine's tree or a value, in time."""

from __future__ import annotations

import pickle
from datetime import timedelta

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from engine.btf.decode import Btf
from engine.btf.kinds import BtfKind, BtfType, Enumerator, Member, Param, TypeId
from engine.core.candidates import Target
from engine.core.relocate import relocate_object
from engine.core.result import ObjectResult
from engine.elf.object import parse_object
from engine.errors import EngineError
from engine.explain.narrate import why
from engine.flow.jumps import check_jumps
from engine.loaders import all_policies, policy_of
from tests.support.asm import exit_, ld_imm64, ldx, mov_imm
from tests.support.btf_writer import BtfWriter
from tests.support.goldens import GOLDEN, golden_btf, golden_object
from tests.support.relocating import ObjectWriter, relo
from tests.support.strategies import INSNS

LOADERS = st.sampled_from([policy.id for policy in all_policies()])
in_time = settings(deadline=timedelta(seconds=10), max_examples=150)


def examined(result: ObjectResult) -> None:
    """Hold a result to what its readers rely on."""
    for function in result.functions:
        assert len(function.slot_map) == len(function.before)
        assert function.after is None or len(function.after) <= len(function.before)
        for row in function.relocations:
            assert 0 <= row.slot < len(function.before)
            assert row.outcome != "failed" or function.after is None or result.error
            assert why(row)
        check_jumps(function)
    assert pickle.loads(pickle.dumps(result)) == result


def relocated(data: bytes, target: Btf, loader: str) -> None:
    try:
        obj = parse_object(data)
        result = relocate_object(obj, Target(target), policy_of(loader))
    except EngineError:
        return
    examined(result)


OBJECTS = st.sampled_from(
    [
        "alu.clang14.v2.el.o",
        "anon.clang16.v2.el.o",
        "bitfields.clang19.v4.el.o",
        "enum64.clang19.v2.el.o",
        "flavors.clang19.v3.el.o",
        "kinds.clang19.v3.el.o",
        "mapsub.clang19.v4.el.o",
        "matches.clang19.v4.el.o",
    ]
)
CHANGES = st.lists(
    st.tuples(st.integers(0, 1 << 20), st.sampled_from([0, 1, 2, 4, 0x7F, 0x80, 0xFF])), max_size=6
)


def changed(data: bytes, changes: list[tuple[int, int]], start: int, size: int) -> bytes:
    found = bytearray(data)
    for place, byte in changes:
        if size:
            found[start + place % size] = byte
    return bytes(found)


@in_time
@given(OBJECTS, st.sampled_from([".BTF", ".BTF.ext"]), CHANGES, LOADERS)
def test_objects_with_damaged_sections(name, section, changes, loader):
    data = (GOLDEN / "objects" / name).read_bytes()
    obj = golden_object(f"objects/{name}").obj
    part = obj.btf if section == ".BTF" else obj.btf_ext
    assert part is not None
    start = data.index(part)
    relocated(changed(data, changes, start, len(part)), golden_btf("btf/own-odd.el.btf"), loader)


@in_time
@given(OBJECTS, CHANGES, LOADERS)
def test_damaged_objects(name, changes, loader):
    data = (GOLDEN / "objects" / name).read_bytes()
    relocated(changed(data, changes, 0, len(data)), golden_btf("btf/own-moved.el.btf"), loader)


@in_time
@given(OBJECTS, CHANGES, LOADERS)
def test_damaged_targets(name, changes, loader):
    raw = (GOLDEN / "btf" / "own-same.el.btf").read_bytes()
    data = (GOLDEN / "objects" / name).read_bytes()
    try:
        target = Btf.parse(changed(raw, changes, 24, len(raw) - 24))
    except EngineError:
        return
    relocated(data, target, loader)


SMALL_IDS = st.integers(0, 14).map(TypeId)
NAMES = st.sampled_from(["", "s", "s___x", "f", "g"])
OFFSETS = st.sampled_from([0, 8, 32, 60, 64, 1 << 20])


def graph_types() -> st.SearchStrategy:
    """Types that point at each other in any way: cycles, void, themselves."""
    members = st.lists(st.builds(Member, NAMES, SMALL_IDS, OFFSETS, st.just(0)), max_size=3)
    bitfields = st.lists(
        st.builds(Member, NAMES, SMALL_IDS, OFFSETS, st.integers(0, 70)), max_size=3
    )
    sizes = st.sampled_from([0, 1, 3, 4, 8, 0xFFFFFFFF])
    composite = st.sampled_from([BtfKind.STRUCT, BtfKind.UNION])
    link = st.sampled_from(
        [BtfKind.PTR, BtfKind.TYPEDEF, BtfKind.CONST, BtfKind.VOLATILE, BtfKind.TYPE_TAG]
    )

    def make(kind, name=NAMES, **fields):
        return st.builds(BtfType, st.just(TypeId(0)), kind, name, **fields)

    return st.one_of(
        make(st.just(BtfKind.INT), size=sizes, int_encoding=st.integers(0, 7)),
        make(link, type_id=SMALL_IDS),
        make(
            st.just(BtfKind.ARRAY),
            type_id=SMALL_IDS,
            index_type_id=SMALL_IDS,
            nelems=st.sampled_from([0, 1, 3, 0xFFFFFFFF]),
        ),
        make(composite, size=sizes, members=members.map(tuple)),
        make(composite, size=sizes, members=bitfields.map(tuple), kind_flag=st.just(True)),
        make(
            st.sampled_from([BtfKind.ENUM, BtfKind.ENUM64]),
            size=sizes,
            enumerators=st.lists(st.builds(Enumerator, NAMES, st.integers(0, 3)), max_size=2).map(
                tuple
            ),
        ),
        make(st.sampled_from([BtfKind.FWD, BtfKind.FLOAT])),
        make(
            st.just(BtfKind.FUNC_PROTO),
            name=st.just(""),
            type_id=SMALL_IDS,
            params=st.lists(st.builds(Param, NAMES, SMALL_IDS), max_size=2).map(tuple),
        ),
    )


GRAPHS = st.lists(graph_types(), max_size=8)
RECORDS = st.lists(
    st.builds(
        relo,
        st.integers(1, 16),
        st.sampled_from(["0", "1", "0:0", "0:1", "0:0:0", "0:0:1:0", "0:9", "", ":", "x", "0:-1"]),
        st.integers(0, 13),
        st.integers(0, 3),
    ),
    max_size=4,
)


def with_types(types: list[BtfType]) -> BtfWriter:
    writer = BtfWriter()
    for one in types:
        writer.add(one)
    return writer


@in_time
@given(GRAPHS, GRAPHS, RECORDS, st.lists(INSNS, min_size=4, max_size=6), LOADERS)
def test_any_graph_of_types(local, target, records, insns, loader):
    program = ObjectWriter()
    program.btf = with_types(local)
    program.function("prog", tuple(insns), *records)
    relocated(program.build(), with_types(target).parsed(), loader)


@in_time
@given(GRAPHS, RECORDS, LOADERS)
@example(
    [BtfType(TypeId(0), BtfKind.TYPEDEF, "s", type_id=TypeId(8))], [relo(8, "0", 0)], "aya@0.14.0"
)
def test_any_graph_against_itself(types, records, loader):
    program = ObjectWriter()
    program.btf = with_types(types)
    program.function("prog", ldx(4, 1, 1, 0) + mov_imm(1, 0) + ld_imm64(1, 0) + exit_(), *records)
    relocated(program.build(), with_types(types).parsed(), loader)


@in_time
@given(st.text(max_size=40) | st.text("0123456789:", max_size=200), st.integers(0, 12), LOADERS)
@example("0:" * 63 + "0", 0, "libbpf@1.7.0")
@example("9" * 5000, 0, "cilium@0.22.0")
def test_any_access_string(access, kind, loader):
    program = ObjectWriter()
    program.btf.add_struct("s", 8, [Member("f", TypeId(1), 0, 0)])
    program.function("prog", mov_imm(1, 0) + exit_(), relo(8, access.replace("\0", ""), kind))
    relocated(program.build(), program.btf.parsed(), loader)


@pytest.mark.parametrize("loader", [policy.id for policy in all_policies()])
def test_a_record_behind_the_last_slot(loader):
    """The second slot of a wide load, and an offset inside of a slot, are slots like others."""
    program = ObjectWriter()
    root = program.btf.add_enum("e", [Enumerator("A", 1)])
    program.function("prog", exit_() + ld_imm64(1, 1), relo(root, "0", 11, slot=1))
    program.relos["socket"] += [
        row._replace(insn_off=row.insn_off + 8) for row in program.relos["socket"]
    ]
    program.relos["socket"] += [
        row._replace(insn_off=row.insn_off + 3) for row in program.relos["socket"]
    ]
    relocated(program.build(), program.btf.parsed(), loader)
    relocated(program.build(), BtfWriter().parsed(), loader)
