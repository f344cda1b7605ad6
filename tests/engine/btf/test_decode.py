"""Reading .BTF: headers of every shape, types, names, split BTF, and every way to be malformed."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine import limits
from engine.btf.decode import Btf, coarse_key
from engine.btf.kinds import VOID, BtfKind, TypeId
from engine.errors import BtfDecodeError, BtfTypeError, EngineError, LimitExceeded
from tests.support.btf_writer import BtfWriter, member, values
from tests.support.goldens import GOLDEN

HEADER = "HBBIIIII"


def raw(
    types: bytes = b"",
    strings: bytes = b"\0",
    *,
    order: str = "<",
    magic: int = 0xEB9F,
    version: int = 1,
    hdr_len: int = 24,
    type_off: int = 0,
    type_len: int | None = None,
    str_off: int | None = None,
    str_len: int | None = None,
    more_header: bytes = b"",
    behind: bytes = b"",
) -> bytes:
    """A .BTF section with any field of its header set to what a test wants."""
    length = len(types) if type_len is None else type_len
    return (
        struct.pack(
            order + HEADER,
            magic,
            version,
            0,
            hdr_len,
            type_off,
            length,
            type_off + len(types) if str_off is None else str_off,
            len(strings) if str_len is None else str_len,
        )
        + more_header
        + bytes(type_off)
        + types
        + strings
        + behind
    )


def words(*numbers: int, order: str = "<") -> bytes:
    return struct.pack(f"{order}{len(numbers)}I", *numbers)


def info(kind: int, vlen: int = 0, *, flag: bool = False) -> int:
    return flag << 31 | kind << 24 | vlen


INT = words(1, info(1), 4, 1 << 24 | 32)
NAMES = b"\0int\0"


def test_the_smallest_btf():
    btf = Btf.parse(raw())
    assert (len(btf), btf.byte_order, btf.first_id) == (1, "little", 1)
    assert (btf.kind(0), btf.type(0).name) == (BtfKind.VOID, "void")


@pytest.mark.parametrize("order", ["<", ">"])
def test_both_byte_orders(order):
    types = words(1, info(1), 4, 1 << 24 | 32, order=order)
    btf = Btf.parse(raw(types, NAMES, order=order))
    assert btf.byte_order == ("little" if order == "<" else "big")
    found = btf.type(1)
    assert (found.kind, found.name, found.size, found.int_bits) == (BtfKind.INT, "int", 4, 32)


SHAPES = [
    pytest.param({"hdr_len": 32, "more_header": bytes(8)}, id="a header of 32 bytes"),
    pytest.param({"hdr_len": 40, "more_header": b"\xff" * 16}, id="a header that is longer yet"),
    pytest.param({"type_off": 8}, id="a gap before the types"),
    pytest.param({"behind": b"rest"}, id="bytes behind the strings"),
]


@pytest.mark.parametrize("shape", SHAPES)
def test_offsets_count_from_the_end_of_the_header(shape):
    assert Btf.parse(raw(INT, NAMES, **shape)).name(1) == "int"


def test_a_gap_between_types_and_strings():
    data = raw(INT, b"gap!" + NAMES, str_off=len(INT) + 4, str_len=len(NAMES))
    assert Btf.parse(data).name(1) == "int"


MALFORMED = [
    pytest.param(b"", 0, "0 bytes long", id="nothing"),
    pytest.param(raw()[:23], 0, "too short for a header", id="half a header"),
    pytest.param(raw(magic=0xEB9E), 0, "not BTF's magic", id="magic"),
    pytest.param(b"\x7fELF" + bytes(60), 0, "starts with 7f45", id="an ELF file"),
    pytest.param(raw(version=2), 2, "version 2", id="version"),
    pytest.param(raw(hdr_len=23), 4, "header length 23", id="header too short"),
    pytest.param(raw(hdr_len=1 << 31), 4, "header length", id="header longer than the section"),
    pytest.param(raw(type_off=2, str_off=4), 8, "not aligned", id="types not aligned"),
    pytest.param(raw(INT, NAMES, type_len=15), 8, "not aligned", id="length not aligned"),
    pytest.param(raw(INT, NAMES, type_len=1 << 20), 8, "after the section", id="types leave"),
    pytest.param(raw(INT, NAMES, type_len=0xFFFFFFFC), 8, "after the section", id="types of 4 GB"),
    pytest.param(raw(INT, NAMES, str_off=8), 16, "overlaps", id="strings in the types"),
    pytest.param(raw(INT, NAMES, str_len=99), 16, "leaves the section", id="strings leave"),
    pytest.param(raw(INT, b"\0int"), 16, "does not end in a NUL", id="strings without an end"),
    pytest.param(raw(words(0, info(1)), str_off=8), 24, "last type is cut off", id="cut in a type"),
    pytest.param(raw(words(0, info(20), 0)), 28, "kind 20, which is not known", id="kind 20"),
    pytest.param(raw(words(0, info(0), 0)), 28, "kind 0, which is not known", id="kind 0"),
    pytest.param(raw(words(0, info(127), 0)), 28, "kind 127", id="the largest kind"),
    pytest.param(raw(words(0, info(1), 4)), 28, "leaves the section", id="INT without its tail"),
    pytest.param(raw(words(0, info(3), 0, 1, 1)), 28, "leaves the section", id="short ARRAY"),
    pytest.param(
        raw(INT + words(0, info(4, 2), 4, 0, 1, 0), NAMES),
        24 + 16 + 4,
        r"type \[2\] claims 2 entries",
        id="short STRUCT",
    ),
    pytest.param(
        raw(words(0, info(6, 0xFFFFFF), 4)), 28, "claims 16777215 entries", id="largest vlen"
    ),
    pytest.param(
        raw(words(0, 0x86FFFFFF, 4)), 28, "claims 16777215 entries", id="largest vlen and kind_flag"
    ),
]


@pytest.mark.parametrize(("data", "at", "said"), MALFORMED)
def test_malformed(data, at, said):
    with pytest.raises(BtfDecodeError, match=said) as caught:
        Btf.parse(data)
    assert caught.value.at == at
    assert f"byte {at:#x} of .BTF" in str(caught.value)


def test_the_kinds_have_7_bits_and_the_entries_24():
    """libbpf widened both fields; in older files the added bits are zero."""
    rows = b"".join(words(0, 1, 0) for _ in range(70_000))
    btf = Btf.parse(raw(INT + words(0, info(4, 70_000), 4) + rows, NAMES))
    assert len(btf.type(2).members) == 70_000


def test_too_much_is_refused(monkeypatch):
    monkeypatch.setattr(limits, "BTF_BYTES", 60)
    with pytest.raises(LimitExceeded, match="at most 60"):
        Btf.parse(raw(INT * 3, NAMES))
    monkeypatch.setattr(limits, "BTF_BYTES", 1 << 20)
    monkeypatch.setattr(limits, "BTF_TYPES", 2)
    with pytest.raises(LimitExceeded, match="3 types"):
        Btf.parse(raw(INT * 3, NAMES))


def test_a_long_name_is_refused(monkeypatch):
    monkeypatch.setattr(limits, "BTF_NAME_BYTES", 10)
    btf = Btf.parse(raw(INT, b"\0" + b"n" * 11 + b"\0"))
    with pytest.raises(LimitExceeded, match="longer than 10 bytes"):
        btf.name(1)


@pytest.mark.parametrize("offset", [5, 1 << 31, 0xFFFFFFFF])
def test_a_name_outside_of_the_strings(offset):
    btf = Btf.parse(raw(words(offset, info(1), 4, 32), NAMES))
    for ask in (btf.name, btf.type):
        with pytest.raises(BtfDecodeError, match="outside the 5 bytes of strings"):
            ask(1)


def test_names_of_other_bytes_are_shown_as_escapes():
    btf = Btf.parse(raw(INT, b"\0\xff\xfe\0"))
    assert btf.name(1) == "\\xff\\xfe"


@pytest.mark.parametrize("type_id", [2, 1 << 31, -1])
def test_ids_that_do_not_exist(type_id):
    btf = Btf.parse(raw(INT, NAMES))
    for ask in (btf.type, btf.kind, btf.name):
        with pytest.raises(BtfTypeError, match="does not exist; the BTF has ids up to 1"):
            ask(type_id)


def test_every_kind_is_decoded():
    writer = BtfWriter()
    made = {
        "ptr": writer.add_ptr(1),
        "array": writer.add_array(1, writer.uint, 5),
        "struct": writer.add_struct("s", 8, [member("m", 1, 0), member("b", 1, 4, 3)]),
        "union": writer.add_union("u", 8, [member("m", 1, 0)]),
        "enum": writer.add_enum("e", values(A=-1, B=2)),
        "fwd": writer.add_fwd("f", union=True),
        "typedef": writer.add_typedef("t", 1),
        "volatile": writer.add_volatile(1),
        "const": writer.add_const(1),
        "restrict": writer.add_restrict(1),
        "func": writer.add_func("fn", 1, linkage=2),
        "func_proto": writer.add_func_proto(1),
        "var": writer.add_var("v", 1, linkage=1),
        "datasec": writer.add_datasec(".data", 8),
        "float": writer.add_float("double", 8),
        "decl_tag": writer.add_decl_tag("tag", 1, 3),
        "type_tag": writer.add_type_tag("user", 1),
        "enum64": writer.add_enum64("e64", values(A=1 << 40)),
    }
    btf = writer.parsed("big")
    assert {btf.kind(type_id).word for type_id in made.values()} == set(made)
    found = {word: btf.type(type_id) for word, type_id in made.items()}
    assert [m.bitfield_size for m in found["struct"].members] == [0, 3]
    assert (found["array"].nelems, found["array"].type_id) == (5, 1)
    assert found["enum"].enumerators == values(A=-1, B=2)
    assert found["enum64"].enumerators == values(A=1 << 40)
    assert (found["fwd"].kind_flag, found["func"].linkage) == (True, 2)
    assert found["decl_tag"].component_idx == 3
    assert found["float"].size == 8


POINTERS = [
    pytest.param([("long", 8)], 8, id="64 bits"),
    pytest.param([("unsigned long", 4)], 4, id="32 bits"),
    pytest.param([("long", 2), ("long int", 4)], 4, id="an odd one is passed over"),
    pytest.param([("int", 4)], 8, id="no long"),
    pytest.param([("long unsigned int", 4), ("long", 8)], 4, id="the first one counts"),
]


@pytest.mark.parametrize(("ints", "size"), POINTERS)
def test_the_size_of_a_pointer(ints, size):
    types = b""
    strings = b"\0"
    for name, width in ints:
        types += words(len(strings), info(1), width, 8 * width)
        strings += name.encode() + b"\0"
    assert Btf.parse(raw(types, strings)).pointer_size == size


class TestSplit:
    """BTF of a module: its ids and strings go on where those of the kernel end."""

    def setup_method(self):
        writer = BtfWriter()
        self.kernel_struct = writer.add_struct("s", 4, [member("m", writer.int, 0)])
        self.base = writer.parsed()
        module = BtfWriter(base=self.base)
        self.pointer = module.add_ptr(self.kernel_struct)
        self.module_struct = module.add_struct("s", 8, [member("p", self.pointer, 0)])
        self.module = module
        self.btf = module.parsed()

    def test_ids_go_on(self):
        assert self.pointer == len(self.base) == self.btf.first_id
        assert len(self.btf) == len(self.base) + 2
        assert self.btf.type(self.pointer).type_id == self.kernel_struct

    def test_types_and_strings_of_the_base(self):
        assert self.btf.type(self.kernel_struct) is self.base.type(self.kernel_struct)
        assert self.btf.name(1) == "int"
        assert self.btf.kind(self.kernel_struct) is BtfKind.STRUCT
        assert self.btf.type(self.module_struct).members[0].name == "p"

    def test_names(self):
        """A loader looks a module's own types up apart from those of the kernel."""
        assert self.btf.ids_named("s") == (self.kernel_struct, self.module_struct)
        assert self.btf.candidate_ids(b"s") == (self.module_struct,)

    def test_pointers_are_those_of_the_base(self):
        assert self.btf.pointer_size == self.base.pointer_size

    def test_byte_orders_must_agree(self):
        with pytest.raises(BtfDecodeError, match="different byte orders"):
            Btf.parse(self.module.encode("big"), base=self.base)

    def test_it_cannot_be_read_without_its_base(self):
        with pytest.raises(BtfDecodeError, match="does not start with an empty string") as caught:
            Btf.parse(self.module.encode("little"))
        assert "extends its kernel's" in caught.value.hint


def test_names_are_found_by_what_every_loader_keeps():
    writer = BtfWriter()
    for name in ("s", "s___old", "s____x", "s_", "t", "___s", ""):
        writer.add_struct(name, 4)
    btf = writer.parsed()
    assert btf.candidate_ids(b"s") == (8, 9, 10, 11)
    assert btf.candidate_ids(b"") == (13,)
    assert btf.ids_named("s") == (8,)
    assert btf.ids_named("absent") == ()
    assert btf.ids_named("\ud800") == ()


@given(st.binary(max_size=20))
def test_the_key_of_a_name(name):
    key = coarse_key(name)
    assert name.startswith(key)
    assert not key.endswith(b"_")
    assert b"___" not in key


def walk(btf: Btf) -> None:
    for type_id in range(min(len(btf), 200)):
        for ask in (btf.type, btf.kind, btf.name, btf.word_behind):
            try:
                ask(type_id)
            except EngineError:
                continue
    for look_up in (btf.candidate_ids, btf.ids_named):
        try:
            look_up(b"s" if look_up == btf.candidate_ids else "s")
        except EngineError:
            continue


SOUND = (GOLDEN / "btf" / "own-odd.el.btf").read_bytes()


@given(st.lists(st.tuples(st.integers(0, len(SOUND) - 1), st.integers(0, 255)), max_size=8))
def test_damaged_btf(changes):
    data = bytearray(SOUND)
    for place, byte in changes:
        data[place] = byte
    try:
        btf = Btf.parse(bytes(data))
    except EngineError:
        return
    walk(btf)


@given(st.integers(0, len(SOUND)), st.binary(max_size=12))
def test_truncated_btf(length, rest):
    try:
        btf = Btf.parse(SOUND[:length] + rest)
    except EngineError:
        return
    walk(btf)


def test_types_are_kept():
    btf = Btf.parse(SOUND)
    assert btf.type(1) is btf.type(1)
    assert btf.type(VOID).id == TypeId(0)
