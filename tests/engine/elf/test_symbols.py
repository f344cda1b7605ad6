"""Symbol and string tables."""

import pytest

from engine.elf.symbols import StringTable
from engine.errors import ElfError, LimitExceeded


def test_strings_and_their_tails():
    strings = StringTable(b"\0bpf_prog\0\0", "section 9 .strtab")
    assert [strings.at(n) for n in (0, 1, 5, 9, 10, 1)] == [
        "",
        "bpf_prog",
        "prog",
        "",
        "",
        "bpf_prog",
    ]


def test_an_empty_table_has_the_empty_name():
    assert StringTable(b"", "here").at(0) == ""


def test_bytes_that_are_no_text():
    assert StringTable(b"a\xffb\0", "here").at(0) == "a\ufffdb"


@pytest.mark.parametrize("offset", [3, 4, 1 << 32])
def test_outside(offset):
    with pytest.raises(ElfError) as caught:
        StringTable(b"\0ab", "section 9 .strtab").at(offset)
    assert caught.value.place == f"section 9 .strtab byte {offset:#x}"


def test_without_an_end():
    with pytest.raises(ElfError, match="does not end"):
        StringTable(b"\0ab", "here").at(1)
    with pytest.raises(LimitExceeded):
        StringTable(b"a" * 100_000, "here").at(1)
