"""Records that point between two slots: most loaders refuse the object, aya rounds down."""

from __future__ import annotations

import pytest

from engine.core.kinds import CoreReloKind
from tests.support.asm import exit_, ldx
from tests.support.btf_writer import BtfWriter, member
from tests.support.relocating import AYA, CILIUM, LIBBPF, ObjectWriter, relo


def moved_by_four(loader: str):
    program, target = ObjectWriter(), BtfWriter()
    local = program.btf.add_struct("s", 8, [member("f", program.btf.int, 4)])
    target.add_struct("s", 16, [member("f", target.int, 8)])
    code = ldx(4, 1, 1, 4) + exit_()
    program.function("prog", code, relo(local, "0:0", CoreReloKind.FIELD_BYTE_OFFSET))
    records = program.relos["socket"]
    records[0] = records[0]._replace(insn_off=4)
    return program.relocate(target, loader)


@pytest.mark.parametrize("loader", [LIBBPF, CILIUM])
def test_between_two_slots_is_refused(loader):
    result = moved_by_four(loader)
    assert result.error is not None
    assert "offset 4 is not aligned" in result.error.text


def test_aya_rounds_down():
    result = moved_by_four(AYA)
    assert result.error is None
    assert result.functions[0].after[0].off == 8
