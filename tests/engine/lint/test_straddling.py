"""Bitfields that lie across a boundary of their type, in a made-up kernel with a packed struct."""

from __future__ import annotations

import pytest

from engine.core.candidates import Target
from engine.lint.examine import examine
from engine.lint.levels import Levels
from engine.lint.scene import Kernel
from engine.loaders import policy_of
from tests.support.btf_writer import BtfWriter, member
from tests.support.gallery import cases

(SIGNS,) = [case for case in cases() if case.slug == "bitfield-sign-1086"]
LOADERS = ("libbpf@1.7.0", "cilium@0.22.0", "aya@0.14.0")


def findings(first_bit: int) -> dict[str, list[str]]:
    """What is said, by loader, where `level` (3 bits of an int) begins at a bit."""
    writer = BtfWriter()
    rows = [member("a", writer.int, 0, 8), member("level", writer.int, first_bit / 8, 3)]
    writer.add_struct("coreplay_signs", 8, rows)
    kernel = Kernel("own", "6.1.0", Target(writer.parsed()))
    reports = examine(SIGNS.prepared("broken"), [kernel], [policy_of(each) for each in LOADERS])
    return {
        report.loader: [f.message for f in report.findings if f.rule == "plain-bitfield"]
        for report in reports
    }


@pytest.mark.parametrize(("first_bit", "lost"), [(30, 1), (31, 2)])
def test_bits_that_one_loader_loses(first_bit, lost):
    found = findings(first_bit)
    assert found["libbpf@1.7.0"] == found["aya@0.14.0"] == []
    (message,) = found["cilium@0.22.0"]
    assert f"loads no more than these, and loses {lost} of 3 bits" in message


@pytest.mark.parametrize("first_bit", [8, 29, 32])
def test_bits_within_one_number(first_bit):
    assert set(map(tuple, findings(first_bit).values())) == {()}


def test_levels_end_at_pointers_and_count_structs_by_value():
    writer = BtfWriter()
    inner = writer.add_struct("inner", 4, [member("x", writer.int, 0)])
    pointer = writer.add_ptr(inner)
    array = writer.add_array(inner, writer.int, 2)
    outer = writer.add_struct("outer", 8, [member("y", array, 0)])
    flat = writer.add_struct("flat", 8, [member("y", pointer, 0)])
    levels = Levels(writer.parsed())
    assert [levels.exceed(each) for each in (inner, outer, flat, pointer)] == [
        False, True, False, False,
    ]  # fmt: skip
    assert levels.exceed(outer, 3) is False
    assert Levels(None).exceed(outer) is False
