"""Writing fixups into instructions: cilium/ebpf's way."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.core.fixup import Fixup, apply_fixup, missing
from engine.core.kinds import EXISTENCE_KINDS, CoreReloKind
from engine.core.patch import POISON_CALL, POISON_LOAD
from engine.core.policy import WidePoison
from engine.core.refusal import Refusal
from engine.core.values import U64
from engine.insn.codec import Insn, encode_insns
from tests.support.asm import alu, call, exit_, jmp, ld_imm64, ldx, mov_imm, stx
from tests.support.strategies import INSNS

OFF = CoreReloKind.FIELD_BYTE_OFFSET


def applied(code, fixup, wide=WidePoison.R10_LOAD):
    insns = list(code)
    lost = apply_fixup(insns, 0, fixup, wide)
    return tuple(insns), lost


def fixup(local: int, target: int, **more) -> Fixup:
    return Fixup(OFF, local & U64, target & U64, **more)


WRITTEN = [
    pytest.param(mov_imm(1, 8), fixup(8, 24), mov_imm(1, 24), id="mov"),
    pytest.param(mov_imm(1, 8, wide=False), fixup(8, 24), mov_imm(1, 24, wide=False), id="w mov"),
    pytest.param(ldx(4, 1, 2, 8), fixup(8, 24), ldx(4, 1, 2, 24), id="load"),
    pytest.param(stx(4, 1, 8, 2), fixup(8, 32767), stx(4, 1, 32767, 2), id="store, far"),
    pytest.param(ldx(4, 1, 2, -8), fixup(0xFFF8, 24), ldx(4, 1, 2, 24), id="16 bits are compared"),
    pytest.param(ld_imm64(1, 5), fixup(5, 1 << 40), ld_imm64(1, 1 << 40), id="wide"),
    pytest.param(ld_imm64(1, -5), fixup(-5, -6), ld_imm64(1, -6), id="wide, negative"),
    pytest.param(mov_imm(1, 9), fixup(8, 24, unchecked=True), mov_imm(1, 24), id="not compared"),
]


@pytest.mark.parametrize(("code", "new", "after"), WRITTEN)
def test_written(code, new, after):
    assert applied(code, new) == (after, set())


REFUSED = [
    pytest.param(mov_imm(1, 9), fixup(8, 24), "invalid immediate 9, expected 8", id="immediate"),
    pytest.param(mov_imm(1, 8), fixup(8, 1 << 31), "exceeds MaxInt32", id="far immediate"),
    pytest.param(alu("+", 1, 2), fixup(0, 24), "invalid source RegSource", id="no immediate"),
    pytest.param((Insn(0xD4, 1, 0, 0, 16),), fixup(16, 24), "relocation against swap", id="swap"),
    pytest.param(ldx(4, 1, 2, 9), fixup(8, 24), "invalid offset 9, expected 8", id="offset"),
    pytest.param(ldx(4, 1, 2, 8), fixup(8, 32768), "exceeds MaxInt16", id="far offset"),
    pytest.param(
        ld_imm64(1, -6),
        fixup(5, 7),
        r"invalid immediate -6, expected 5 \(fixup: byte_off=5->7\)",
        id="wide",
    ),
    pytest.param(
        ld_imm64(1, 5, src=1), fixup(5, 7), "not a dword-sized immediate load", id="load of a map"
    ),
    pytest.param(ld_imm64(1, 5)[:1], fixup(5, 7), "not a dword-sized immediate load", id="cut off"),
    pytest.param(jmp("==", 1, 2, 3), fixup(8, 24), "invalid class JumpClass", id="jump"),
    pytest.param(
        jmp("==", 1, 2, 3, wide=False), fixup(8, 24), "invalid class Jump32Class", id="32-bit jump"
    ),
    pytest.param(call(1), fixup(8, 24), "invalid class JumpClass", id="call"),
]


@pytest.mark.parametrize(("code", "new", "words"), REFUSED)
def test_refused(code, new, words):
    with pytest.raises(Refusal, match=words):
        applied(code, new)


POISON = Fixup(OFF, poison=True)
WIDE = [
    pytest.param(WidePoison.R10_LOAD, POISON_LOAD, set(), id="load of r10"),
    pytest.param(WidePoison.TWO_CALLS, (POISON_CALL, POISON_CALL), set(), id="two calls"),
    pytest.param(WidePoison.ONE_CALL, (POISON_CALL,), {1}, id="one call: a slot is lost"),
]


@pytest.mark.parametrize(("wide", "after", "lost"), WIDE)
def test_poison_of_a_wide_load(wide, after, lost):
    found, slots = applied(ld_imm64(1, 5) + exit_(), POISON, wide)
    assert slots == lost
    assert found[: len(after)] == after
    assert found[2:] == exit_()


@pytest.mark.parametrize("wide", WidePoison)
@pytest.mark.parametrize("code", [mov_imm(1, 8), ldx(4, 1, 2, 8), ld_imm64(1, 5)[:1]])
def test_poison_of_one_slot(wide, code):
    assert applied(code, POISON, wide) == ((POISON_CALL,), set())


def test_the_load_of_r10_is_the_documented_one():
    """r10 = 0xbad2310 ll, which writes a register that may only be read."""
    assert encode_insns(POISON_LOAD, "little").hex(" ") == (
        "18 0a 00 00 10 23 ad 0b 00 00 00 00 00 00 00 00"
    )


@pytest.mark.parametrize("kind", CoreReloKind)
def test_nothing_found(kind):
    """What asks for existence becomes 0; sizes and ids of types are poisoned, too."""
    found = missing(kind, EXISTENCE_KINDS)
    assert found.poison is (kind not in EXISTENCE_KINDS)
    assert found.is_missing is (kind in EXISTENCE_KINDS)
    assert (found.local, found.target) == ((0, 0) if found.poison else (1, 0))


def test_words():
    assert str(fixup(4, 8)) == "byte_off=4->8"
    assert str(POISON) == "byte_off=poison"


@given(
    st.lists(INSNS, min_size=1, max_size=3),
    st.builds(
        Fixup,
        st.sampled_from(CoreReloKind),
        st.integers(0, U64) | st.integers(0, 100),
        st.integers(0, U64) | st.integers(0, 100),
        st.booleans(),
        st.booleans(),
    ),
    st.sampled_from(WidePoison),
)
def test_any_instruction(code, new, wide):
    """What comes out is refused or can be encoded; no other instruction changes."""
    try:
        found, lost = applied(code, new, wide)
    except Refusal:
        return
    assert len(encode_insns(found, "little")) == 8 * len(code)
    assert lost <= {1}
    assert found[2:] == tuple(code[2:])
    assert code[0].is_ld_imm64 or found[1:] == tuple(code[1:])
