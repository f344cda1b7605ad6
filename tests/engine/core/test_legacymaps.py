"""Maps from before BTF: which definitions each loader refuses, in its words.

What is expected is what the real loaders did when they were asked about such objects.
"""

from __future__ import annotations

import struct

import pytest

from engine.core.candidates import Target
from engine.core.prepare import prepare
from engine.core.relocate import relocate_object
from engine.core.result import LoaderError
from engine.elf.object import parse_object
from engine.loaders import policy_of
from tests.support.asm import exit_, mov_imm
from tests.support.btf_writer import BtfWriter
from tests.support.elf_writer import ElfWriter

LIBBPF, OLD, NEW = "libbpf@0.8.0", "cilium@0.9.1", "cilium@0.22.0"


def error(loader: str, *sizes: int, bind: str = "global", last: int = 0) -> LoaderError | None:
    """Ask a loader about maps of so many bytes each, the last byte of which is `last`."""
    elf = ElfWriter()
    elf.function("prog", "socket", mov_imm(0, 0) + exit_())
    definitions = [(struct.pack("<4I", 1, 4, 4, 4) + bytes(size))[:size] for size in sizes]
    data = b"".join(definitions)
    section = elf.section("maps", data[:-1] + bytes([last]) if data else b"", flags=3)
    at = 0
    for number, size in enumerate(sizes):
        elf.symbol(f"m{number}", section, value=at, size=size, bind=bind)
        at += size
    elf.section(".BTF", BtfWriter().encode("little"))
    prepared = prepare(parse_object(elf.build()))
    return relocate_object(prepared, Target(BtfWriter().parsed()), policy_of(loader)).error


@pytest.mark.parametrize("loader", [LIBBPF, OLD, NEW])
def test_sound_ones(loader):
    assert error(loader, 20, 20) is None
    assert error(loader, 28) is None


DEPRECATED = (
    "map 'm0' (legacy): legacy map definitions are deprecated, use BTF-defined maps instead\n"
)
UNEVEN = "load maps: section maps: map descriptors are not of equal size"
REFUSED = [
    (LIBBPF, (20, 24, 20), {}, "elf: unable to determine legacy map definition size"),
    (LIBBPF, (), {}, "elf: unable to determine legacy map definition size"),
    (LIBBPF, (20,), {"bind": "local"}, "map 'm0' (legacy): static maps are not supported"),
    (LIBBPF, (24,), {"last": 9}, 'maps section: "m0" has unrecognized, non-zero options'),
    (LIBBPF, (40, 36, 20), {}, 'corrupted maps section: last map "m2" too small'),
    (OLD, (), {}, "load maps: section maps: no symbols"),
    (OLD, (20, 24, 20), {}, UNEVEN),
    (OLD, (20, 28), {}, "load maps: section maps: missing symbol for map at offset 24"),
    (OLD, (12,), {}, "load maps: map m0: missing max entries"),
    (NEW, (20, 18), {}, "load maps: map m1: missing flags"),
]


@pytest.mark.parametrize(("loader", "sizes", "changes", "text"), REFUSED)
def test_refused_ones(loader, sizes, changes, text):
    found = error(loader, *sizes, **changes)
    assert found is not None
    assert found.text.endswith(text)
    assert found.text.startswith((DEPRECATED, text))
