"""A path in libbpf's words."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from engine.btf.ext import CoreRelo
from engine.btf.kinds import TypeId
from engine.core.candidates import Candidate
from engine.core.debuglog import candidate_line, spec_text
from engine.core.kinds import CoreReloKind
from engine.core.spec import AccessSpec, parse_spec
from tests.support.btf_writer import BtfWriter, member, values

Make = Callable[[BtfWriter], int]
OFF, LSHIFT = CoreReloKind.FIELD_BYTE_OFFSET, CoreReloKind.FIELD_LSHIFT_U64
VALUE, EXISTS = CoreReloKind.ENUMVAL_VALUE, CoreReloKind.TYPE_EXISTS


def s(name: str = "s") -> Make:
    def make(w):
        inner = w.add_struct("", 8, [member("b", w.uint, 3.75, 4)])
        rows = w.add_array(w.int, w.uint, 4)
        members = [member("a", w.int, 0), member("", inner, 8), member("r", rows, 16)]
        return w.add_struct(name, 32, members)

    return make


SPECS = [
    pytest.param(s(), "0:0", OFF, "<byte_off> [10] struct s.a (0:0 @ offset 0)", id="member"),
    pytest.param(
        s(), "0:1:0", LSHIFT, "<lshift_u64> [10] struct s.b (0:1:0 @ offset 11.6)", id="bits"
    ),
    pytest.param(
        s(), "0:2:3", OFF, "<byte_off> [10] struct s.r[3] (0:2:3 @ offset 28)", id="element"
    ),
    pytest.param(s(), "2:0", OFF, "<byte_off> [10] struct s[2].a (2:0 @ offset 64)", id="root"),
    pytest.param(s(""), "0", EXISTS, "<type_exists> [10] struct <anon>", id="anonymous type"),
    pytest.param(
        lambda w: w.add_enum("e", values(A=-5)),
        "0",
        VALUE,
        "<enumval_value> [8] enum e::A = -5",
        id="enumerator",
    ),
    pytest.param(
        lambda w: w.add_enum64("e", values(A=1 << 63)),
        "0",
        VALUE,
        f"<enumval_value> [8] enum64 e::A = {1 << 63}",
        id="enum64",
    ),
    pytest.param(
        lambda w: w.add_typedef("t", w.add_enum("e", values(A=1))),
        "0",
        VALUE,
        "<enumval_value> [9] typedef t::A = 1",
        id="typedef of an enum",
    ),
    pytest.param(
        s("n" * 300), "0", EXISTS, "<type_exists> [10] struct " + "n" * 229, id="at most 255 bytes"
    ),
]


@pytest.mark.parametrize(("make", "access", "kind", "text"), SPECS)
def test_specs(make, access, kind, text):
    writer = BtfWriter()
    root = make(writer)
    btf = writer.parsed()
    spec = parse_spec(btf, CoreRelo(0, TypeId(root), access, kind), kind)
    assert spec_text(spec, btf) == text


def test_a_candidate_that_did_not_match_shows_its_first_enumerator():
    """libbpf prints the enumerator of index 0, which misleads; we print what it prints."""
    writer = BtfWriter()
    root = writer.add_enum("e", values(FIRST=7, SECOND=8))
    btf = writer.parsed()
    spec = AccessSpec(VALUE, root, btf.kind(root), "e")
    assert spec_text(spec, btf) == "<enumval_value> [8] enum e::FIRST = 7"


def test_an_enum_without_enumerators_shows_none():
    writer = BtfWriter()
    root = writer.add_enum("e")
    btf = writer.parsed()
    assert spec_text(AccessSpec(VALUE, root, btf.kind(root), "e"), btf).endswith("enum e")


def test_the_line_of_a_candidate():
    local, target = BtfWriter(), BtfWriter()
    one, other = local.add_enum("e___mine"), target.add_enum64("e")
    line = candidate_line(local.parsed().type(one), Candidate(target.parsed(), other, "vmlinux"))
    assert line == (
        "CO-RE relocating [8] enum e___mine: found target candidate [8] enum64 e in [vmlinux]"
    )
