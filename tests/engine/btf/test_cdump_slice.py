"""A program gets the same CO-RE records from a slice as from the whole header."""

from __future__ import annotations

import functools
import re
from pathlib import Path

import pytest

from engine.btf.cdump import dump_header, identifiers, slice_header
from engine.btf.cdump_slice import HELPER_TYPES
from engine.btf.decode import Btf
from engine.btf.ext import decode_ext
from engine.elf.object import parse_object
from tests.support.btf_writer import BtfWriter, member, values
from tests.support.clang import CLANGS, compile_c, libbpf_headers
from tests.support.kernel_btf import KERNELS, USUAL, kernel_btf

PROGRAMS = tuple(sorted((Path(__file__).parent / "programs").glob("*.bpf.c")))
LIBBPF_HEADERS = ("bpf_helpers", "bpf_core_read", "bpf_tracing", "bpf_endian", "usdt.bpf")


@functools.cache
def full(kernel: str) -> str:
    return dump_header(kernel_btf(kernel))


def records(data: bytes) -> list[tuple[str, int, str, str, str, int]]:
    """CO-RE records without type ids, which depend on how much of the header was read."""
    found = parse_object(data)
    btf = Btf.parse(found.btf)
    ext = decode_ext(found.btf_ext, found.byte_order, btf.string)
    return [
        (section, r.insn_off, btf.kind(r.type_id).word, btf.name(r.type_id), r.access, r.kind)
        for section, rows in ext.core_relos.items()
        for r in rows
    ]


@pytest.fixture
def both_ways(tmp_path):
    """Compile with the slice and with the whole header; give both results' records."""
    libbpf_headers()

    def compile_both(source: str, kernel: str, major: int = 19):
        results = []
        for header in (slice_header(kernel_btf(kernel), identifiers(source)), full(kernel)):
            (tmp_path / "vmlinux.h").write_text(header)
            results.append(records(compile_c(source, tmp_path, kernel=kernel, major=major)))
        return results

    return compile_both


@pytest.mark.parametrize("program", PROGRAMS, ids=lambda path: path.name.split(".")[0])
def test_same_records(both_ways, program):
    sliced, whole = both_ways(program.read_text(), USUAL)
    assert sliced == whole
    assert sliced


@pytest.mark.slow
@pytest.mark.parametrize("kernel", KERNELS)
@pytest.mark.parametrize("program", PROGRAMS, ids=lambda path: path.name.split(".")[0])
def test_same_records_in_every_kernel(both_ways, program, kernel):
    sliced, whole = both_ways(program.read_text(), kernel, CLANGS[KERNELS.index(kernel) % 3])
    assert sliced == whole
    assert sliced


@pytest.mark.parametrize("kernel", KERNELS)
def test_libbpf_headers_alone(tmp_path, kernel):
    """What libbpf's headers need is in the slice of a text that names nothing."""
    libbpf_headers()
    (tmp_path / "vmlinux.h").write_text(slice_header(kernel_btf(kernel), set()))
    lines = ['#include "vmlinux.h"', *(f"#include <bpf/{name}.h>" for name in LIBBPF_HEADERS)]
    lines.append('_Static_assert(sizeof(struct pt_regs) > 100, "complete");')
    compile_c("\n".join(lines) + "\n", tmp_path, kernel=kernel, syntax_only=True)


def test_helpers_that_return_structs_are_known():
    text = (libbpf_headers() / "bpf_helper_defs.h").read_text()
    returned = re.findall(r"^static (?:const )?struct (\w+) ?\*\(\*(?:const )?(\w+)\)", text, re.M)
    assert len(returned) >= 15
    assert {helper: struct for struct, helper in returned}.items() <= HELPER_TYPES.items()


def test_a_slice_is_small():
    text = PROGRAMS[1].read_text()
    sliced = slice_header(kernel_btf(USUAL), identifiers(text))
    assert len(sliced) < len(full(USUAL)) / 10
    assert slice_header(kernel_btf(USUAL), identifiers(text)) == sliced


def test_definitions_read_as_in_the_whole_header():
    """Suffixes of repeated names and of enumerators do not depend on what is in the slice."""
    whole = set(full(USUAL).split("\n\n"))
    for name in ("context", "slot", "perf_aux_event", "task_struct", "bpf_attr"):
        blocks = slice_header(kernel_btf(USUAL), {name}).split("\n\n")
        structs = [block for block in blocks if block.startswith((f"struct {name}", "enum "))]
        assert structs
        assert set(structs) <= whole


@pytest.fixture
def small():
    """A graph with each way of reaching a struct."""
    writer = BtfWriter()
    far = writer.add_struct("far", 4, [member("depth", writer.int, 0)])
    near = writer.add_struct("near", 8, [member("far", writer.add_ptr(far), 0)])
    held = writer.add_struct("held", 4, [member("h", writer.int, 0)])
    named = writer.add_typedef("held_t", held)
    anonymous = writer.add_union("", 8, [member("inner", writer.add_ptr(near), 0)])
    writer.add_struct(
        "top",
        24,
        [
            member("near", writer.add_ptr(writer.add_const(near)), 0),
            member("", anonymous, 8),
            member("by_value", named, 16),
            member("mode", writer.add_enum("", values(FIRST=0, SECOND=1)), 20),
        ],
    )
    writer.add_enum("", values(LONELY=7))
    writer.add_enum("colour", values(RED=1, GREEN=2))
    return writer.parsed()


def test_pointees_are_declared_only(small):
    text = slice_header(small, {"top"})
    assert "struct held {" in text
    assert "struct near {" not in text
    assert "enum colour" not in text


@pytest.mark.parametrize("name", ["near", "inner"])
def test_a_named_member_brings_what_it_points_at(small, name):
    text = slice_header(small, {"top", name})
    assert "struct near {" in text
    assert "struct far {" not in text


def test_members_are_followed_from_struct_to_struct(small):
    text = slice_header(small, {"top", "inner", "far"})
    assert "struct far {" in text


def test_enumerators_bring_their_enum(small):
    text = slice_header(small, {"GREEN", "LONELY"})
    assert "enum colour {\n\tRED = 1,\n\tGREEN = 2,\n};" in text
    assert "enum {\n\tLONELY = 7,\n};" in text


def test_an_enum_inside_a_struct_is_not_repeated(small):
    text = slice_header(small, {"top", "SECOND"})
    assert text.count("SECOND = 1") == 1


def test_names_the_kernel_does_not_have(small):
    assert slice_header(small, {"nothing", "int", "for"}) == slice_header(small, set())


def test_identifiers():
    source = 'a->b.c_1 /* in_comment */ "in string" 0x1f 12ull x##y é'
    assert identifiers(source) >= {"a", "b", "c_1", "in_comment", "in", "string", "x", "y"}
    assert not identifiers("1 + 2 == 3")
