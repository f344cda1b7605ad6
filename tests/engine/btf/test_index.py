"""The index of a kernel's BTF gives what parsing gives, and refuses what is no index."""

from __future__ import annotations

import lzma
import struct
from array import array
from bisect import bisect_left

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from engine.btf import decode, index
from engine.btf.decode import Btf, place
from engine.btf.index import build_index, open_index
from engine.btf.kinds import BtfKind
from engine.errors import BtfDecodeError, KernelFileError
from engine.kernels.catalog import COMMITTED
from tests.support.btf_writer import BtfWriter, member, values
from tests.support.kernel_btf import USUAL


def sample(byte_order="little") -> bytes:
    writer = BtfWriter()
    writer.add_struct("s", 8, [member("m", writer.int, 0)])
    writer.add_struct("s___old", 8, [member("é", writer.int, 0)])
    writer.add_enum64("e", values(A=1 << 40))
    return writer.encode(byte_order)


@pytest.fixture
def stored(tmp_path):
    """Give a function that writes an index and opens it."""

    def store(content: bytes) -> Btf:
        path = tmp_path / "kernel.index"
        path.write_bytes(content)
        return open_index(path)

    return store


@pytest.mark.parametrize("byte_order", ["little", "big"])
def test_every_type_and_name(stored, byte_order):
    raw = sample(byte_order)
    parsed, opened = Btf.parse(raw), stored(build_index(raw))
    assert (len(opened), opened.byte_order) == (len(parsed), byte_order)
    assert (opened.sha256, opened.string_bytes) == (parsed.sha256, parsed.string_bytes)
    for type_id in range(len(parsed)):
        assert opened.type(type_id) == parsed.type(type_id)
        assert opened.name(type_id) == parsed.name(type_id)
    for key in (b"s", b"e", b"int", b"absent", b""):
        assert opened.candidate_ids(key) == parsed.candidate_ids(key)
    assert opened.ids_named("s___old") == parsed.ids_named("s___old") == (9,)


def test_a_whole_kernel(stored):
    """The committed kernel of the examples, compared type by type."""
    raw = lzma.decompress((COMMITTED / f"{USUAL}.btf.xz").read_bytes())
    parsed = Btf.parse(raw)
    opened = stored(build_index(raw))
    assert len(opened) == len(parsed) > 50_000
    for type_id in range(0, len(parsed), 7):
        assert opened.kind(type_id) is parsed.kind(type_id)
        assert opened.name(type_id) == parsed.name(type_id)
    for type_id in range(0, len(parsed), 101):
        assert opened.type(type_id) == parsed.type(type_id)
    for name in ("task_struct", "sk_buff", "list_head", "int", "bpf_attach_type", "absent"):
        assert opened.ids_named(name) == parsed.ids_named(name)
        assert opened.candidate_ids(name.encode()) == parsed.candidate_ids(name.encode())
    for type_id, key in parsed.keyed_ids()[::101]:
        assert type_id in opened.candidate_ids(key)
        assert opened.candidate_ids(key) == parsed.candidate_ids(key)
    assert opened.pointer_size == 8
    for kind in BtfKind:
        assert opened.first_of(kind) == parsed.first_of(kind)


def test_the_first_of_each_kind(stored):
    for btf in (Btf.parse(sample()), stored(build_index(sample()))):
        assert [btf.first_of(kind) for kind in (BtfKind.STRUCT, BtfKind.ENUM64)] == [8, 10]
        assert btf.first_of(BtfKind.TYPE_TAG) == 0


@given(
    hashes=st.lists(st.integers(0, 2**32 - 1) | st.integers(0, 9), max_size=6000).map(sorted),
    wanted=st.integers(0, 2**32 - 1) | st.integers(0, 9),
)
@settings(max_examples=40)
@example(hashes=[5] * 5000, wanted=5)
@example(hashes=[*range(5000)], wanted=2**32 - 1)
@example(hashes=[2**32 - 1] * 5000, wanted=0)
def test_hashes_that_are_not_spread_evenly(hashes, wanted):
    assert place(memoryview(array("I", hashes)), wanted) == bisect_left(hashes, wanted)


def test_names_of_one_hash_are_told_apart(stored, monkeypatch):
    for module in (index, decode):
        monkeypatch.setattr(module, "key_hash", lambda _: 7)
    parsed, opened = Btf.parse(sample()), stored(build_index(sample()))
    for key in (b"s", b"e", b"int", b"absent"):
        assert opened.candidate_ids(key) == parsed.candidate_ids(key)


def test_a_btf_without_types(stored):
    opened = stored(build_index(BtfWriter(base=Btf.parse(sample())).encode("little")))
    assert len(opened) == 1
    assert opened.candidate_ids(b"s") == ()


def test_a_split_btf_can_stand_on_an_index(stored):
    opened = stored(build_index(sample()))
    module = BtfWriter(base=opened)
    pointer = module.add_ptr(8)
    split = module.parsed()
    assert split.type(split.type(pointer).type_id).name == "s"
    assert split.ids_named("s") == (8,)


def test_damaged_btf_has_no_index():
    with pytest.raises(BtfDecodeError):
        build_index(b"\x9f\xeb\x02" + bytes(40))


def test_a_file_that_is_not_there(tmp_path):
    with pytest.raises(KernelFileError, match="cannot be mapped") as caught:
        open_index(tmp_path / "absent.index")
    assert caught.value.place == "absent.index"


INDEX = build_index(sample())
FOREIGN = [
    pytest.param(b"", "cannot be mapped", id="empty"),
    pytest.param(INDEX[:20], "cut off", id="half a header"),
    pytest.param(INDEX[:-1], "wrong length", id="one byte is missing"),
    pytest.param(INDEX + b"\0", "wrong length", id="one byte too many"),
    pytest.param(b"\x7fELF" + INDEX[4:], "no index of the present format", id="an ELF file"),
    pytest.param(sample() + bytes(64), "no index of the present format", id="raw BTF"),
    pytest.param(
        INDEX[:12] + INDEX[12:16][::-1] + INDEX[16:],
        "no index of the present format",
        id="a machine of another byte order",
    ),
    pytest.param(
        INDEX[:20] + struct.pack("=I", 1 << 30) + INDEX[24:],
        "wrong length",
        id="more words than there are",
    ),
]


@pytest.mark.parametrize(("content", "said"), FOREIGN)
def test_what_is_no_index(stored, content, said):
    with pytest.raises(KernelFileError, match=said):
        stored(content)


def test_an_index_of_an_older_format_is_stale(stored, monkeypatch):
    monkeypatch.setattr(index, "FORMAT_VERSION", index.FORMAT_VERSION + 1)
    with pytest.raises(KernelFileError, match="present format"):
        stored(INDEX)


@given(content=st.binary(max_size=200))
def test_any_file(tmp_path_factory, content):
    path = tmp_path_factory.mktemp("index") / "file"
    path.write_bytes(content)
    with pytest.raises(KernelFileError):
        open_index(path)
