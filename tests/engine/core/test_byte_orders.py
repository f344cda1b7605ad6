"""Byte orders that do not go together are refused, whoever has the other one."""

from __future__ import annotations

import pytest

from engine.btf.decode import Btf
from engine.core.candidates import Target
from engine.core.prepare import prepare
from engine.elf.object import parse_object
from engine.errors import BtfDecodeError, ByteOrderMismatch
from engine.loaders import all_policies
from engine.loaders.link import link_object
from tests.support.asm import exit_
from tests.support.btf_writer import BtfWriter
from tests.support.elf_writer import ElfWriter
from tests.support.relocating import ObjectWriter

ORDERS = [("little", "big"), ("big", "little")]


@pytest.mark.parametrize(("order", "other"), ORDERS)
def test_object_and_kernel(order, other):
    program = ObjectWriter(order)
    program.function("prog", exit_())
    kernel = Target(BtfWriter().parsed(other))
    for policy in all_policies():
        with pytest.raises(ByteOrderMismatch, match=f"{order}-endian, the BTF of vmlinux {other}"):
            program.relocate(kernel, policy)
        with pytest.raises(ByteOrderMismatch):
            link_object(prepare(program.object()), kernel, policy)


@pytest.mark.parametrize(("order", "other"), ORDERS)
def test_an_object_and_its_own_types(order, other):
    elf = ElfWriter(byte_order=order)
    elf.function("prog", "socket", exit_())
    elf.section(".BTF", BtfWriter().encode(other))
    with pytest.raises(ByteOrderMismatch, match=f"its types are {other}-endian"):
        prepare(parse_object(elf.build()))


@pytest.mark.parametrize(("order", "other"), ORDERS)
def test_a_module_and_its_kernel(order, other):
    base = BtfWriter().parsed(order)
    with pytest.raises(BtfDecodeError, match="different byte orders"):
        Btf.parse(BtfWriter(base=base).encode(other), base=base)
