"""The health check finds what would make a kernel's BTF useless."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest

from engine.btf.kinds import BtfKind
from engine.errors import BtfDecodeError
from engine.kernels.catalog import Catalog
from engine.kernels.health import examine
from tests.support.btf_writer import BtfWriter, member
from tests.support.kernel_files import kernel_btf


def test_a_kernel_in_good_health() -> None:
    health = examine(kernel_btf("big"))
    assert health.healthy
    assert (health.byte_order, health.pointer_size, health.types) == ("big", 8, 10)
    assert health.by_kind == ((BtfKind.INT, 7), (BtfKind.STRUCT, 3))


def test_a_committed_kernel_is_in_good_health(tmp_path: Path) -> None:
    health = Catalog(tmp_path, tmp_path).check("6.12.107+deb13-s390x")
    assert health.problems == ()
    assert (health.types, health.byte_order, health.pointer_size) == (88_137, "big", 8)
    assert sum(count for _, count in health.by_kind) == 88_137
    assert dict(health.by_kind)[BtfKind.FUNC] == 37_841


def test_btf_that_is_no_kernels() -> None:
    problems = examine(BtfWriter().encode("little")).problems
    assert len(problems) == 3
    assert "no struct task_struct" in problems[0]


def test_btf_without_types() -> None:
    header = struct.pack("<HBBIIIII", 0xEB9F, 1, 0, 24, 0, 0, 0, 1)
    health = examine(header + b"\0")
    assert (health.types, health.problems) == (0, ("the BTF has no types",))


def test_references_to_nowhere_are_listed_up_to_a_bound() -> None:
    btf = BtfWriter()
    for name in ("task_struct", "file", "sk_buff"):
        btf.add_struct(name, 4, (member("a", 9999, 0),))
    for _ in range(30):
        btf.add_ptr(5000)  # type: ignore[arg-type]
    problems = examine(btf.encode("little")).problems
    assert problems[0] == "type [8] struct task_struct refers to a missing type"
    assert len(problems) == 21
    assert problems[-1] == "13 more problems of these kinds"


def test_names_outside_the_strings_are_found() -> None:
    broken = bytearray(kernel_btf())
    at = broken.index(b"task_struct\0")
    where = broken.index(struct.pack("<I", at - _strings_at(broken)), 24)
    broken[where : where + 4] = b"\xff\xff\xff\x7f"
    with pytest.raises(BtfDecodeError, match="string offset"):
        examine(bytes(broken))


def _strings_at(raw: bytes | bytearray) -> int:
    hdr_len, _, _, str_off = struct.unpack_from("<IIII", raw, 4)
    return int(hdr_len + str_off)
