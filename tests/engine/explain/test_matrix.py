"""The matrix of relocations: values, what differs, and the kernel where it first does."""

from __future__ import annotations

from engine.core.candidates import Target
from engine.core.prepare import prepare
from engine.core.relocate import relocate_object
from engine.elf.object import parse_object
from engine.explain.matrix import Cell, Matrix, build_matrix
from engine.loaders import policy_of
from tests.support.gallery import GALLERY
from tests.support.kernel_btf import kernel_btf

KERNELS = ("5.10.0-46-amd64", "6.1.0-56-amd64", "7.3.4+deb13-amd64", "6.12.117+deb12-arm64")
LOADERS = ("libbpf@1.7.0", "cilium@0.22.0", "aya@0.14.0")
ARCHES = {kernel: kernel.rsplit("-", 1)[1] for kernel in KERNELS}


def matrix(slug: str, side: str = "broken", kernels: tuple[str, ...] = KERNELS) -> Matrix:
    prepared = prepare(parse_object((GALLERY / slug / f"{side}.o").read_bytes()))
    return build_matrix(
        [
            (kernel, relocate_object(prepared, Target(kernel_btf(kernel)), policy_of(loader)))
            for kernel in kernels
            for loader in LOADERS
        ],
        ARCHES,
    )


def words(found: Matrix, number: int) -> dict[str, list[str]]:
    """Cells by kernel, in the order of the loaders."""
    row = found.rows[number]
    table: dict[str, list[str]] = {}
    for column, cell in zip(found.columns, row.cells, strict=True):
        table.setdefault(column.kernel, []).append(cell.words)
    return table


def test_values_poison_and_existence():
    found = matrix("task-state-3658", "fixed")
    assert [row.meaning for row in found.rows] == ["1 or 0", "byte offset", "byte offset"]
    assert words(found, 0) == {
        "5.10.0-46-amd64": ["0"] * 3,
        "6.1.0-56-amd64": ["1"] * 3,
        "7.3.4+deb13-amd64": ["1"] * 3,
        "6.12.117+deb12-arm64": ["1"] * 3,
    }
    assert words(found, 1)["5.10.0-46-amd64"] == ["poison"] * 3
    assert words(found, 1)["6.1.0-56-amd64"] == ["24"] * 3


def test_the_first_kernel_where_it_changes():
    found = matrix("task-state-3658", "fixed")
    first = {(c.row.number, c.loader): (c.previous, c.kernel) for c in found.first_changes()}
    assert first == {
        (number, loader): ("5.10.0-46-amd64", "6.1.0-56-amd64")
        for number in range(3)
        for loader in LOADERS
    }
    assert {(c.before.words, c.after.words) for c in found.first_changes()} == {
        ("0", "1"),
        ("poison", "24"),
        ("16", "poison"),
    }


def test_kernels_are_compared_within_their_architecture():
    found = matrix("task-state-3658", "fixed", ("6.1.0-56-amd64", "6.12.117+deb12-arm64"))
    assert found.changes() == ()


def test_differences_leave_out_what_is_the_same_everywhere():
    found = matrix("enum-1348")
    assert len(found.rows) == 2
    assert found.differences().rows == ()
    assert set(words(found, 1)["6.1.0-56-amd64"]) == {"poison"}


def test_ambiguity_and_refusal():
    found = matrix("ambiguous-1383", kernels=("6.1.0-56-amd64",))
    assert words(found, 0) == {"6.1.0-56-amd64": ["ambiguous"] * 3}
    assert "ambiguity" in found.rows[0].cells[0].text
    assert found.rows[0].local == "struct slot.number"
    size = matrix("type-size-655", kernels=("6.1.0-56-amd64",))
    assert words(size, 0) == {"6.1.0-56-amd64": ["0", "poison", "refused"]}
    assert size.rows[0].differs


def test_a_refused_object_has_no_values():
    found = matrix("type-matches-1360", kernels=("6.1.0-56-amd64",))
    libbpf, _, aya = found.rows[0].cells
    assert libbpf.kind == "value"
    assert (aya.kind, aya.value) == ("refused", None)
    assert "12" in aya.text


def test_negative_numbers_are_read_with_their_sign():
    assert Cell("value", (1 << 64) - 5).words == "-5"
    assert Cell("none").words == "-"
