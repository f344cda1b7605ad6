"""Requests and answers survive their encoding; whatever else a guest writes is refused."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.sandbox.vm.protocol import (
    GuestAnswer,
    GuestMap,
    GuestProgram,
    GuestRequest,
    MapEntry,
    Relocation,
    RelocationKind,
)
from app.sandbox.vm.wire import WireError, decode, encode

NUMBERS = st.integers(-(1 << 63), (1 << 63) - 1)
st.register_type_strategy(int, NUMBERS)


REQUEST = GuestRequest(
    programs=(GuestProgram("prog", 2, b"\x95" + bytes(7), log_level=2),),
    maps=(GuestMap("m", 2, 4, 8, 1, entries=(MapEntry(bytes(4), b"\1" * 8),)),),
    btf=b"\x9f\xeb\x01",
)


@settings(max_examples=40)  # building them takes longer than what is tested
@given(st.from_type(GuestRequest))
def test_requests_survive(request_):
    assert decode(GuestRequest, encode(request_)) == request_


@settings(max_examples=40)  # building them takes longer than what is tested
@given(st.from_type(GuestAnswer))
def test_answers_survive(answer):
    assert decode(GuestAnswer, encode(answer)) == answer


@given(st.binary(max_size=200))
def test_noise_is_refused_or_read_exactly(data):
    try:
        answer = decode(GuestAnswer, data)
    except WireError:
        return
    assert len(encode(answer)) == len(data)


@settings(max_examples=40)  # building them takes longer than what is tested
@given(st.from_type(GuestAnswer), st.data())
def test_cut_off_and_longer_answers_are_refused(answer, data):
    whole = encode(answer)
    end = data.draw(st.integers(0, len(whole) - 1))
    with pytest.raises(WireError):
        decode(GuestAnswer, whole[:end])
    with pytest.raises(WireError):
        decode(GuestAnswer, whole + bytes(8))


@pytest.mark.parametrize("count", [1 << 63, 1 << 40, 10_000])
def test_counts_beyond_the_bytes_cost_nothing(count):
    with pytest.raises(WireError, match="items are said to stand"):
        decode(GuestAnswer, struct.pack("<QQ", 0, count) + bytes(64))


def test_the_layout_that_the_guest_reads():
    relocation = Relocation(7, RelocationKind.MAP_VALUE, 1, -2)
    assert encode(relocation) == struct.pack("<QQQq", 7, 2, 1, -2)
    entry = MapEntry(b"abc", b"", 5)
    assert encode(entry) == struct.pack("<Q8sQQQ", 3, b"abc", 0, 1, 5)
    assert decode(GuestRequest, encode(REQUEST)) == REQUEST


def test_numbers_have_64_bits():
    with pytest.raises(WireError, match="64 bits"):
        encode(Relocation(1 << 63, RelocationKind.MAP, 0))
