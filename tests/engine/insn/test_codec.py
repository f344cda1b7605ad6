"""Slots to bytes and back."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.errors import InsnError
from engine.insn.codec import SLOT_BYTES, Insn, decode_insns, encode_insn, encode_insns
from tests.support.strategies import INSNS

BYTE_ORDERS = ["little", "big"]


@pytest.mark.parametrize("byte_order", BYTE_ORDERS)
@given(insns=st.lists(INSNS, max_size=20))
def test_encoding_then_decoding(byte_order, insns):
    data = encode_insns(insns, byte_order)
    assert len(data) == SLOT_BYTES * len(insns)
    assert decode_insns(data, byte_order) == tuple(insns)


@pytest.mark.parametrize("byte_order", BYTE_ORDERS)
@given(data=st.binary(max_size=64))
def test_decoding_then_encoding(byte_order, data):
    if len(data) % SLOT_BYTES:
        with pytest.raises(InsnError, match=f"{len(data)} bytes long"):
            decode_insns(data, byte_order)
    else:
        assert encode_insns(decode_insns(data, byte_order), byte_order) == data


def test_layout():
    """The registers share a byte, whose halves swap with the byte order."""
    insn = Insn(0x61, dst=1, src=10, off=-4, imm=0x11223344)
    assert encode_insn(insn, "little").hex() == "61a1fcff44332211"
    assert encode_insn(insn, "big").hex() == "611afffc11223344"


def test_only_the_first_slot_is_a_64_bit_load():
    assert Insn(0x18, 1, 0, 0, 0).is_ld_imm64
    assert not Insn(0, 0, 0, 0, 0).is_ld_imm64
