"""Reading .BTF.ext: its three kinds of records, and every way to be malformed."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine import limits
from engine.btf.encode import BtfBuilder, encode_ext
from engine.btf.ext import CoreRelo, FuncInfo, LineInfo, decode_ext
from engine.btf.kinds import TypeId
from engine.errors import BtfDecodeError, BtfExtDecodeError, EngineError, LimitExceeded

STRINGS = {0: "", 1: "socket", 2: "a.c", 3: "int a;", 4: "0:1"}


def string(offset: int) -> str:
    if offset not in STRINGS:
        raise BtfDecodeError("a string lies outside", at=0)
    return STRINGS[offset]


def words(*numbers: int, order: str = "<") -> bytes:
    return struct.pack(f"{order}{len(numbers)}I", *numbers)


FUNCS = words(8, 1, 1, 0, 7)
LINES = words(16, 1, 1, 8, 2, 3, 12 << 10 | 5)
RELOS = words(16, 1, 1, 16, 7, 4, 2)


def ext(
    funcs: bytes = FUNCS,
    lines: bytes = LINES,
    relos: bytes | None = RELOS,
    *,
    order: str = "<",
    magic: int = 0xEB9F,
    version: int = 1,
    hdr_len: int | None = None,
    fields: dict[int, int] | None = None,
) -> bytes:
    """A section with the subsections one behind the other; `fields` overrules header words."""
    parts = [funcs, lines] + ([relos] if relos is not None else [])
    length = 8 + 8 * len(parts)
    table, at = [], 0
    for part in parts:
        table += [at, len(part)]
        at += len(part)
    for number, value in (fields or {}).items():
        table[number] = value
    head = struct.pack(order + "HBBI", magic, version, 0, length if hdr_len is None else hdr_len)
    return head + words(*table, order=order) + b"".join(parts)


def read(data: bytes, order="little"):
    return decode_ext(data, order, string)


def test_the_three_kinds_of_records():
    found = read(ext())
    assert found.func_infos == {"socket": (FuncInfo(0, TypeId(7)),)}
    assert found.line_infos == {"socket": (LineInfo(8, "a.c", "int a;", 12, 5),)}
    assert found.core_relos == {"socket": (CoreRelo(16, TypeId(7), "0:1", 2),)}


def test_big_endian():
    parts = [words(*struct.unpack(f"<{len(p) // 4}I", p), order=">") for p in (FUNCS, LINES, RELOS)]
    assert read(ext(*parts, order=">"), "big") == read(ext())


def test_a_header_of_24_bytes_has_no_relocations():
    found = read(ext(relos=None))
    assert found.core_relos == {}
    assert found.func_infos == read(ext()).func_infos


def test_a_longer_header():
    data = ext(hdr_len=40)
    assert read(data[:32] + b"\xff" * 8 + data[32:]) == read(ext())


def test_records_may_be_longer_than_we_know():
    """A newer compiler may add words; the record size says how many to step over."""
    longer = words(12, 1, 2, 0, 7, 99, 8, 6, 99)
    assert read(ext(funcs=longer)).func_infos["socket"] == (
        FuncInfo(0, TypeId(7)),
        FuncInfo(8, TypeId(6)),
    )


def test_a_section_may_come_twice():
    twice = words(8, 1, 1, 0, 7, 1, 1, 8, 6)
    assert [info.insn_off for info in read(ext(funcs=twice)).func_infos["socket"]] == [0, 8]


def test_empty_subsections():
    found = read(ext(b"", b"", b""))
    assert (found.func_infos, found.line_infos, found.core_relos) == ({}, {}, {})


def test_kinds_are_plain_numbers():
    """Whether a kind is known is the loader's business."""
    assert read(ext(relos=words(16, 1, 1, 0, 7, 4, 99))).core_relos["socket"][0].kind == 99


MALFORMED = [
    pytest.param(b"", 0, "0 bytes long", id="nothing"),
    pytest.param(ext(magic=1), 0, "BTF's magic", id="magic"),
    pytest.param(ext(order=">"), 0, "BTF's magic", id="other byte order"),
    pytest.param(ext(version=3), 2, "version 3", id="version"),
    pytest.param(ext(hdr_len=20), 4, "header length 20", id="header too short"),
    pytest.param(ext(hdr_len=1 << 30), 4, "header length", id="header longer than the section"),
    pytest.param(ext(fields={1: 1 << 30}), 8, "after the section", id="functions leave"),
    pytest.param(ext(fields={2: 0xFFFFFFFF}), 16, "after the section", id="lines start far away"),
    pytest.param(ext(fields={5: 4096}), 24, "after the section", id="relocations leave"),
    pytest.param(ext(fields={4: 2}), 24, "not aligned", id="not aligned"),
    pytest.param(ext(fields={1: 3}), 8, "no room for its record size", id="three bytes"),
    pytest.param(ext(funcs=words(4, 1, 1, 0, 7)), 32, "record size 4", id="records too short"),
    pytest.param(ext(funcs=words(10, 1, 1, 0, 7)), 32, "record size 10", id="records of 10 bytes"),
    pytest.param(ext(funcs=words(8)), 32, "no records", id="a record size alone"),
    pytest.param(ext(funcs=words(8, 1)), 36, "is cut off", id="half a section head"),
    pytest.param(ext(funcs=words(8, 1, 0)), 40, "zero records", id="zero records"),
    pytest.param(ext(funcs=words(8, 1, 2, 0, 7)), 40, "2 records leave", id="too few records"),
    pytest.param(
        ext(funcs=words(8, 1, 0xFFFFFFFF, 0, 7)), 40, "4294967295 records leave", id="most records"
    ),
]


@pytest.mark.parametrize(("data", "at", "said"), MALFORMED)
def test_malformed(data, at, said):
    with pytest.raises(BtfExtDecodeError, match=said) as caught:
        read(data)
    assert caught.value.at == at
    assert f"byte {at:#x} of .BTF.ext" in str(caught.value)


def test_a_name_that_cannot_be_read():
    with pytest.raises(BtfExtDecodeError, match="section name cannot be read"):
        read(ext(funcs=words(8, 77, 1, 0, 7)))


def test_a_line_that_cannot_be_read():
    with pytest.raises(EngineError, match="outside"):
        read(ext(lines=words(16, 1, 1, 8, 99, 3, 0)))


BOUNDS = [
    pytest.param("FUNC_INFOS", "function infos", id="functions"),
    pytest.param("LINE_INFOS", "line infos", id="lines"),
    pytest.param("CORE_RELOCATIONS", "CO-RE relocations", id="relocations"),
]


@pytest.mark.parametrize(("bound", "said"), BOUNDS)
def test_too_many(monkeypatch, bound, said):
    monkeypatch.setattr(limits, bound, 0)
    with pytest.raises(LimitExceeded, match=f"1 {said}"):
        read(ext())


def sound() -> tuple[bytes, BtfBuilder]:
    builder = BtfBuilder()
    relos = tuple(CoreRelo(8 * n, TypeId(n), "0:1", n) for n in range(13))
    data = encode_ext(
        "little",
        func_infos={"socket": (FuncInfo(0, TypeId(1)),)},
        line_infos={
            "socket": (LineInfo(0, "a.c", "x", 1, 1),),
            "xdp": (LineInfo(8, "a.c", "", 2, 1),),
        },
        core_relos={"socket": relos[:6], "xdp": relos[6:]},
        add_string=builder.add_string,
    )
    return data, builder


SOUND, BUILDER = sound()


@given(
    st.lists(st.tuples(st.integers(0, len(SOUND) - 1), st.integers(0, 255)), max_size=6),
    st.integers(0, len(SOUND)),
    st.sampled_from(["little", "big"]),
)
def test_damaged(changes, length, order):
    data = bytearray(SOUND)
    for place, byte in changes:
        data[place] = byte
    for damaged in (bytes(data), bytes(data[:length])):
        try:
            found = decode_ext(damaged, order, string)
        except EngineError:
            continue
        assert all(row for rows in found.core_relos.values() for row in rows)
