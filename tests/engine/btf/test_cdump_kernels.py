"""Whole kernels as C: clang takes the header without a word, and lays out what BTF says."""

from __future__ import annotations

import random
from collections.abc import Iterator

import pytest

from engine.btf.c_names import CNames, c_identifier
from engine.btf.cdump import dump_header
from engine.btf.decode import Btf
from engine.btf.kinds import COMPOSITE_KINDS, ENUM_KINDS, BtfKind, BtfType
from engine.elf.object import parse_object
from tests.support.clang import CLANGS, compile_c
from tests.support.kernel_btf import KERNELS, USUAL, kernel_btf

SAMPLE = 400
"""Structs of each kernel that are compared; the same ones at each run."""


OTHERS = [pytest.param(one, marks=pytest.mark.slow) for one in KERNELS if one != USUAL]


@pytest.fixture(scope="module", params=[USUAL, *OTHERS])
def header(request, tmp_path_factory):
    """A folder with the kernel's vmlinux.h, and the kernel."""
    kernel = request.param
    folder = tmp_path_factory.mktemp("header")
    (folder / "vmlinux.h").write_text(dump_header(kernel_btf(kernel)))
    return folder, kernel


def named(btf: Btf, kinds: frozenset[BtfKind]) -> list[BtfType]:
    return [
        btf.type(number)
        for number in range(1, len(btf))
        if btf.kind(number) in kinds and btf.name(number)
    ]


def sample(btf: Btf) -> list[BtfType]:
    """Random structs, and some that many programs read."""
    composites = named(btf, COMPOSITE_KINDS)
    chosen = random.Random(4).sample(composites, SAMPLE)
    known = {"task_struct", "sk_buff", "tcp_sock", "bpf_insn", "page", "iphdr", "pt_regs"}
    return chosen + [one for one in composites if one.name in known and one not in chosen]


def members(btf: Btf, known: BtfType, at: int = 0) -> Iterator[tuple[str, int, int]]:
    """(name, bit offset, bitfield size), those of anonymous members as the struct's own."""
    for member in known.members:
        offset = at + member.bit_offset
        if member.name:
            yield c_identifier(member.name), offset, member.bitfield_size
            continue
        held = btf.type(member.type_id)
        while held.kind in (BtfKind.TYPEDEF, BtfKind.CONST):
            held = btf.type(held.type_id)
        yield from members(btf, held, offset)


@pytest.mark.parametrize("major", CLANGS)
def test_sizes_and_offsets(header, major):
    """clang agrees on each size and offset, and warns about nothing in the whole header."""
    folder, kernel = header
    btf = kernel_btf(kernel)
    names = CNames(btf)
    lines = ['#include "vmlinux.h"']
    for known in sample(btf):
        tag = f"{known.kind.word} {names.of(known)}"
        lines.append(f'_Static_assert(sizeof({tag}) == {known.size}, "{tag}");')
        for name, offset, bits in members(btf, known):
            if not bits:
                place = f"__builtin_offsetof({tag}, {name})"
                lines.append(f'_Static_assert({place} == {offset // 8}, "{tag}.{name}");')
    for known in named(btf, ENUM_KINDS):
        if known.enumerators:
            tag = f"enum {names.of(known)}"
            lines.append(f'_Static_assert(sizeof({tag}) == {known.size}, "{tag}");')
    assert len(lines) > 2000
    compile_c("\n".join(lines) + "\n", folder, kernel=kernel, major=major, syntax_only=True)


def test_bitfields_stay_where_they_are(header):
    """Types of variables come back from clang's own BTF with the same bits."""
    folder, kernel = header
    btf = kernel_btf(kernel)
    names = CNames(btf)
    chosen = [one for one in sample(btf) if one.size < 1 << 16]
    chosen += [one for one in named(btf, COMPOSITE_KINDS) if one.kind_flag and one not in chosen]
    lines = ['#include "vmlinux.h"']
    lines += [f"{one.kind.word} {names.of(one)} v{one.id};" for one in chosen]
    made = parse_object(compile_c("\n".join(lines) + "\n", folder, kernel=kernel))
    back = Btf.parse(made.btf)
    seen = 0
    for number in range(1, len(back)):
        if back.kind(number) is not BtfKind.VAR:
            continue
        local = back.type(back.type(number).type_id)
        known = btf.type(int(back.name(number)[1:]))
        assert list(members(back, local)) == list(members(btf, known)), known.name
        seen += 1
    assert seen == len(chosen) > SAMPLE
