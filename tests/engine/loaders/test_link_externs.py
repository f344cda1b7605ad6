"""Externs in linked programs: what the kernel lacks, and what BTF does not speak of.

What is expected is what the real loaders did when `./run conformance` asked them.
"""

from __future__ import annotations

import pytest

from engine.btf.kinds import SecVar
from engine.core.candidates import Target
from engine.core.prepare import prepare
from engine.elf.object import parse_object
from engine.insn.opcodes import CALL_KFUNC
from engine.loaders import policy_of
from engine.loaders.link import LinkedObject, link_object
from tests.support.asm import Code, call, call_subprogram, exit_, ld_imm64, mov_imm
from tests.support.btf_writer import BtfWriter
from tests.support.elf_writer import ElfWriter
from tests.support.relocating import AYA, CILIUM, LIBBPF

R_64, R_CALL = 1, 10
KFUNC_CALL = (call(-1)[0]._replace(src=CALL_KFUNC),)
"""A call of an extern as the compiler writes it: src is 2, imm -1."""


def linked(
    code: Code, at: int, kind: int, loader: str, *, declared: bool = True, bind: str = "global"
) -> LinkedObject:
    """Link a program whose instruction at byte `at` refers to the extern `outside`."""
    writer, btf = ElfWriter(), BtfWriter()
    writer.function("prog", "socket", code)
    writer.relocate(1, at, writer.symbol("outside", 0, bind=bind, kind="notype"), kind)
    if declared:
        extern = btf.add_func("outside", btf.add_func_proto(btf.int, ()), 2)
        btf.add_datasec(".ksyms", 0, (SecVar(extern, 0, 0),))
    writer.section(".BTF", btf.encode("little"))
    prepared = prepare(parse_object(writer.build()))
    return link_object(prepared, Target(BtfWriter().parsed()), policy_of(loader))


def test_libbpf_looks_externs_up_before_it_comes_to_programs():
    result = linked(mov_imm(1, 0) + KFUNC_CALL + exit_(), 8, R_CALL, LIBBPF)
    assert result.error is not None
    assert result.error.code == "EINVAL"
    text = "extern (func ksym) 'outside': not found in kernel or module BTFs"
    assert result.error.text == text
    assert (result.programs, result.failed_function) == ((), "")


def test_libbpf_does_without_weak_externs():
    result = linked(mov_imm(1, 0) + KFUNC_CALL + exit_(), 8, R_CALL, LIBBPF, bind="weak")
    assert result.error is None


def test_aya_looks_for_a_function_where_an_extern_is_called():
    result = linked(mov_imm(1, 0) + KFUNC_CALL + exit_(), 8, R_CALL, AYA)
    assert result.error is not None
    words = "error relocating `prog`: function 0x8 not found while relocating `prog`"
    assert (result.error.code, result.error.text) == ("relocate_calls", words)
    assert result.programs == ()


def test_aya_takes_the_call_of_an_extern_in_the_first_slot_for_one_of_the_program():
    result = linked(KFUNC_CALL + exit_(), 0, R_CALL, AYA)
    (program,) = result.programs
    assert program.insns is not None
    assert [insn.imm for insn in program.insns] == [1, 0, -1, 0]
    assert [piece.start for piece in program.pieces] == [0, 2]


@pytest.mark.parametrize("loader", [CILIUM, AYA])
def test_loads_of_what_btf_does_not_speak_of_stay(loader):
    (program,) = linked(ld_imm64(1, 0) + exit_(), 0, R_64, loader, declared=False).programs
    assert program.error is None
    assert program.insns is not None
    assert program.insns[0].src == 0


def test_aya_appends_a_program_that_calls_itself():
    writer = ElfWriter()
    writer.function("prog", "socket", mov_imm(1, 0) + call_subprogram(-2) + exit_())
    writer.section(".BTF", BtfWriter().encode("little"))
    prepared = prepare(parse_object(writer.build()))
    (program,) = link_object(prepared, Target(BtfWriter().parsed()), policy_of(AYA)).programs
    assert program.insns is not None
    assert [insn.imm for insn in program.insns] == [0, 1, 0, 0, -2, 0]
