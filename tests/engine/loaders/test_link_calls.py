"""Programs that call programs: what each loader makes of a call that does not lead to .text."""

from __future__ import annotations

import pytest

from engine.btf.decode import Btf
from engine.core.candidates import Target
from engine.core.prepare import prepare
from engine.loaders import policy_of
from engine.loaders.link import link_object
from tests.support.asm import call_subprogram, exit_, mov_imm
from tests.support.btf_writer import BtfWriter
from tests.support.relocating import AYA, CILIUM, LIBBPF, ObjectWriter


def linked(loader: str):
    program = ObjectWriter()
    program.function("prog", mov_imm(1, 0) + call_subprogram(-2) + exit_())
    target = Target(Btf.parse(BtfWriter().encode("little")))
    return link_object(prepare(program.object()), target, policy_of(loader))


def test_cilium_appends_a_program_that_calls_itself_twice_and_refuses_it():
    (program,) = linked(CILIUM).programs
    assert program.insns is None
    assert program.error is not None
    assert program.error.text == "duplicate symbol prog"


def test_libbpf_lets_programs_call_only_subprograms():
    result = linked(LIBBPF)
    assert result.error is not None
    assert "in section 'socket'" in result.error.text


@pytest.mark.parametrize("loader", [AYA])
def test_aya_links_it(loader):
    result = linked(loader)
    assert result.error is None


@pytest.mark.parametrize(
    ("loader", "programs"),
    [("libbpf@0.8.0", 1), ("libbpf@1.1.2", 1), (LIBBPF, 0), (CILIUM, 0), (AYA, 0)],
)
def test_a_lone_function_of_text_was_a_program_once(loader, programs):
    program = ObjectWriter()
    program.function("f", mov_imm(0, 0) + exit_(), section=".text")
    target = Target(Btf.parse(BtfWriter().encode("little")))
    result = link_object(prepare(program.object()), target, policy_of(loader))
    assert result.error is None
    assert len(result.programs) == programs


def test_types_that_cilium_cannot_read_fail_objects_without_programs():
    program, kernel = ObjectWriter(), BtfWriter()
    kernel.add_type_tag("user", kernel.int)
    program.function("f", mov_imm(0, 0) + exit_(), section=".text")
    program.function("g", mov_imm(0, 0) + exit_(), section=".text")
    result = link_object(
        prepare(program.object()), Target(kernel.parsed()), policy_of("cilium@0.9.1")
    )
    assert result.error is not None
    assert result.error.code == "btf.LoadSpec"
