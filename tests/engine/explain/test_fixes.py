"""Every fix compiles, and the program made of it is no longer refused for CO-RE's sake."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from engine.core.candidates import Target
from engine.core.kinds import CoreReloKind
from engine.core.prepare import prepare
from engine.elf.object import parse_object
from engine.explain.fixes import Fix, fixes
from engine.flow.verdict import judge_object
from engine.loaders import policy_of
from engine.loaders.link import link_object
from tests.support.asm import exit_, ldx, mov_imm
from tests.support.btf_writer import BtfWriter, member, values
from tests.support.clang import compile_c
from tests.support.gallery import Case, cases
from tests.support.relocating import AYA, CILIUM, LIBBPF, ObjectWriter, relo

GOOD = ("clear", "poison-unreachable")


class Offer(NamedTuple):
    """A fix with where it was offered; `before` is the verdict that called for it."""

    case: Case
    kernel: str
    loader: str
    fix: Fix


def offers() -> Iterator[Offer]:
    """Each kind of fix once for each case that it is offered for."""
    for case in cases():
        seen = set()
        for kernel, loader in case.runs:
            prepared, target = case.prepared("broken"), case.target(kernel)
            policy = policy_of(loader)
            for function in case.result("broken", kernel, loader).functions:
                for row in function.relocations:
                    for fix in fixes(row, prepared, target, policy, function):
                        if fix.snippet and fix.kind not in seen:
                            seen.add(fix.kind)
                            yield Offer(case, kernel, loader, fix)


OFFERS = tuple(offers())


@pytest.mark.parametrize("offer", OFFERS, ids=lambda o: f"{o.case.slug}-{o.fix.kind}")
def test_a_fix_compiles_and_the_verdict_improves(offer: Offer, tmp_path: Path):
    assert offer.fix.snippet is not None
    made = prepare(parse_object(compile_c(offer.fix.snippet.program, tmp_path)))
    target = offer.case.target(offer.kernel)
    linked = link_object(made, target, policy_of(offer.loader))
    (judged,) = judge_object(made, linked, "6.1.0" if offer.kernel == "own" else offer.kernel)
    assert judged.kind in GOOD, judged.headline
    if judged.kind == "poison-unreachable":
        assert judged.count("no") == len(judged.poisons)


def test_the_gallery_calls_for_every_kind_of_fix_that_has_code():
    kinds = {offer.fix.kind for offer in OFFERS}
    assert kinds >= {
        "renamed", "retyped", "guard", "bitfield", "width", "enum-renamed", "enum-guard",
        "type-guard", "own-type", "tell-apart", "no-type-matches", "far-offset",
    }  # fmt: skip


def offered(writer: ObjectWriter, target: BtfWriter, loader: str = LIBBPF) -> tuple[Fix, ...]:
    """The fixes of a program with one function and one relocation."""
    (function,) = writer.relocate(target, loader).functions
    kernel = Target(target.parsed())
    policy = policy_of(loader)
    prepared = prepare(writer.object())
    return fixes(function.relocations[0], prepared, kernel, policy, function)


def reads(root: str, fields: list[tuple[str, str]], access: str, kind: str = "struct"):
    """A program that reads a member of its own `root`; fields are (name, type attribute)."""
    writer = ObjectWriter()
    members = [
        member(name, getattr(writer.btf, type_), 8 * at) for at, (name, type_) in enumerate(fields)
    ]
    add = writer.btf.add_union if kind == "union" else writer.btf.add_struct
    type_id = add(root, 8 * len(fields), members)
    code = mov_imm(1, 0) + mov_imm(0, 0) + exit_()
    writer.function("prog", code, relo(type_id, access, CoreReloKind.FIELD_BYTE_OFFSET))
    return writer


def test_a_kind_that_changed_is_declared_anew(tmp_path: Path):
    target = BtfWriter()
    target.add_union("s", 8, [member("f", target.int, 0)])
    found = offered(reads("s", [("f", "int")], "0:0"), target)
    assert found[0].kind == "other-kind"
    assert found[0].snippet is not None
    assert "union s___now {" in found[0].snippet.code
    made = prepare(parse_object(compile_c(found[0].snippet.program, tmp_path)))
    linked = link_object(made, Target(target.parsed()), policy_of(LIBBPF))
    assert judge_object(made, linked, "6.1.0")[0].kind == "clear"


def test_a_member_that_moved_further_in_is_found():
    target = BtfWriter()
    inner = target.add_struct("thread_info", 4, [member("cpu", target.int, 0)])
    target.add_struct("task", 8, [member("info", inner, 0), member("x", target.int, 4)])
    found = offered(reads("task", [("cpu", "int")], "0:0"), target)
    assert found[0].title == "Read info.cpu where the old name is gone"
    assert found[0].snippet is not None
    assert "struct { int cpu; } info;" in found[0].snippet.code


@pytest.mark.parametrize(
    "name",
    ["a b", 'x"; int y', "*/", "int", "ends_", "\x1b[31m", "\u00e9", "x" * 500, "1a"],
)
def test_a_name_that_c_cannot_hold_gives_no_code(name: str):
    found = offered(reads("s", [(name, "int")], "0:0"), BtfWriter())
    root = offered(reads(name, [("f", "int")], "0:0"), BtfWriter())
    in_code = [fix.kind for fix in (*found, *root) if fix.snippet and name in fix.snippet.code]
    if name != "ends_":  # a member may end so; only types have flavors
        assert in_code == []
    assert [fix.kind for fix in root if fix.kind == "guard"] == []


def test_a_guard_that_says_no_needs_nothing():
    writer = ObjectWriter()
    enum = writer.btf.add_enum("e", values(GONE=1))
    code = mov_imm(1, 1) + exit_()
    writer.function("prog", code, relo(enum, "0", CoreReloKind.ENUMVAL_EXISTS))
    assert offered(writer, BtfWriter()) == ()


def test_a_field_that_is_there_needs_nothing():
    target = BtfWriter()
    target.add_struct("s", 16, [member("f", target.int, 8)])
    assert offered(reads("s", [("f", "int")], "0:0"), target) == ()


@pytest.mark.parametrize("loader", [LIBBPF, CILIUM])
def test_a_type_without_a_name_is_to_get_one(loader: str):
    found = offered(reads("", [("f", "int")], "0:0"), BtfWriter(), loader)
    assert [fix.kind for fix in found] == ["name-the-type"]
    assert found[0].snippet is None


def test_a_signed_field_that_grew_is_read_by_its_width():
    writer, target = ObjectWriter(), BtfWriter()
    mine = writer.btf.add_struct("s", 4, [member("f", writer.btf.int, 0)])
    access = relo(mine, "0:0", CoreReloKind.FIELD_BYTE_OFFSET)
    writer.function("prog", ldx(4, 0, 1, 0) + exit_(), access)
    target.add_struct("s", 8, [member("f", target.long, 0)])
    for loader in (LIBBPF, AYA):
        (fix,) = offered(writer, target, loader)
        assert fix.kind == "width"
        assert fix.snippet is not None
        assert "BPF_CORE_READ_BITFIELD_PROBED(one, f)" in fix.snippet.code
