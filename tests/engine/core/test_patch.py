"""Writing values into instructions: libbpf's and aya's way."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.core.patch import BAD_RELO, POISON_CALL, patch_insn
from engine.core.policy import LoaderPolicy
from engine.core.refusal import Refusal
from engine.core.values import U64, RelocValue
from engine.insn.codec import LD_IMM64, Insn, encode_insns
from tests.support.asm import (
    Code,
    alu,
    alu_imm,
    atomic,
    call,
    exit_,
    goto,
    jmp,
    ld_imm64,
    ldx,
    mov_imm,
    stx,
)
from tests.support.asm import (
    st as store_imm,
)
from tests.support.relocating import AYA, policy
from tests.support.strategies import INSNS

LIBBPF_RULES, AYA_RULES = policy(), policy(AYA)


def patched(code: Code, value: RelocValue, rules: LoaderPolicy = LIBBPF_RULES, at: int = 0):
    """Give the code afterwards and the lines that were said."""
    insns, said = list(code), []
    patch_insn(insns, at, value, rules, said.append, said.append)
    return tuple(insns), said


def value(orig: int, new: int, **more) -> RelocValue:
    return RelocValue(orig & U64, new & U64, **more)


WRITTEN = [
    pytest.param(mov_imm(1, 8), value(8, 24), mov_imm(1, 24), "(ALU/ALU64) imm 8 -> 24", id="mov"),
    pytest.param(
        mov_imm(1, 8, wide=False),
        value(8, 24),
        mov_imm(1, 24, wide=False),
        "(ALU/ALU64) imm 8 -> 24",
        id="32-bit mov",
    ),
    pytest.param(
        alu_imm("+", 1, 8), value(8, 24), alu_imm("+", 1, 24), "(ALU/ALU64) imm 8 -> 24", id="add"
    ),
    pytest.param(
        mov_imm(1, -1),
        value(-1, -2),
        mov_imm(1, -2),
        f"(ALU/ALU64) imm {U64} -> {U64 - 1}",
        id="negative",
    ),
    pytest.param(
        mov_imm(1, 0),
        value(0, 1 << 32 | 5),
        mov_imm(1, 5),
        f"(ALU/ALU64) imm 0 -> {1 << 32 | 5}",
        id="the low 32 bits only",
    ),
    pytest.param(
        ldx(4, 1, 2, 8), value(8, 24), ldx(4, 1, 2, 24), "(LDX/ST/STX) off 8 -> 24", id="load"
    ),
    pytest.param(
        stx(4, 1, 8, 2), value(8, 0), stx(4, 1, 0, 2), "(LDX/ST/STX) off 8 -> 0", id="store"
    ),
    pytest.param(
        store_imm(4, 1, 8, 7),
        value(8, 32767),
        store_imm(4, 1, 32767, 7),
        "(LDX/ST/STX) off 8 -> 32767",
        id="store of a constant, largest offset",
    ),
    pytest.param(
        ld_imm64(1, 5), value(5, 1 << 40), ld_imm64(1, 1 << 40), f"imm64 5 -> {1 << 40}", id="wide"
    ),
    pytest.param(
        ld_imm64(1, -5),
        value(-5, -6),
        ld_imm64(1, -6),
        f"imm64 {U64 - 4} -> {U64 - 5}",
        id="wide, negative",
    ),
]


@pytest.mark.parametrize(("code", "new", "after", "words"), WRITTEN)
def test_written(code, new, after, words):
    found, said = patched(code + exit_(), new)
    assert found == after + exit_()
    assert len(said) == 1
    assert said[0].startswith("patched insn #0 (")
    assert said[0].endswith(words)


RESIZED = [
    pytest.param(ldx(4, 1, 2, 8), 4, 8, ldx(8, 1, 2, 24), id="load, 4 to 8"),
    pytest.param(ldx(8, 1, 2, 8), 8, 1, ldx(1, 1, 2, 24), id="load, 8 to 1"),
    pytest.param(stx(2, 1, 8, 2), 2, 4, stx(4, 1, 24, 2), id="store, 2 to 4"),
    pytest.param(store_imm(1, 1, 8, 7), 1, 2, store_imm(2, 1, 24, 7), id="constant, 1 to 2"),
]


@pytest.mark.parametrize(("code", "old", "new", "after"), RESIZED)
@pytest.mark.parametrize("rules", [LIBBPF_RULES, AYA_RULES], ids=["libbpf", "aya"])
def test_resized(code, old, new, after, rules):
    found, said = patched(code, value(8, 24, orig_size=old, new_size=new), rules)
    assert found == after
    assert said[-1] == f"patched insn #0 (LDX/ST/STX) mem_sz {old} -> {new}"


def test_a_resized_atomic_keeps_its_mode():
    (found,), _ = patched(atomic(4, 1, 8, 2, 0), value(8, 24, orig_size=4, new_size=8))
    assert found == atomic(8, 1, 24, 2, 0)[0]


def test_a_size_change_that_reads_something_else_is_poison():
    wrong = value(8, 24, orig_size=4, new_size=8, resize_wrong=True)
    found, said = patched(ldx(4, 1, 2, 8), wrong)
    assert found == (POISON_CALL,)
    assert said[0].startswith("insn #0 (LDX/ST/STX) accesses field incorrectly.")
    with pytest.raises(Refusal, match="has size 4 but target type has size 8"):
        patched(ldx(4, 1, 2, 8), wrong, AYA_RULES)


def test_an_address_may_change_the_size_of_what_it_points_at():
    wrong = value(8, 24, orig_size=4, new_size=8, resize_wrong=True)
    assert patched(mov_imm(1, 8), wrong)[0] == mov_imm(1, 24)


POISONED = [
    pytest.param(mov_imm(1, 8), 1, id="mov"),
    pytest.param(ldx(4, 1, 2, 8), 1, id="load"),
    pytest.param(ld_imm64(1, 5), 2, id="wide"),
    pytest.param(jmp("==", 1, 0, 0), 1, id="even a jump"),
]


@pytest.mark.parametrize(("code", "slots"), POISONED)
def test_poison(code, slots):
    found, said = patched(exit_() + code, RelocValue(0, 0, poison=True), at=1)
    assert found == exit_() + (POISON_CALL,) * slots
    assert said == [f"substituting insn #{slot} w/ invalid insn" for slot in (2, 1)[-slots:]]


def test_poison_is_the_documented_call():
    """call 0xbad2310, a helper that no kernel has: 195896080."""
    assert BAD_RELO == 195896080
    assert encode_insns((POISON_CALL,), "little").hex(" ") == "85 00 00 00 10 23 ad 0b"


def test_poison_of_a_wide_load_that_is_cut_off():
    assert patched(ld_imm64(1, 5)[:1], RelocValue(0, 0, poison=True))[0] == (POISON_CALL,)


REFUSED = [
    pytest.param(
        mov_imm(1, 9),
        value(8, 24),
        "EINVAL",
        r"unexpected insn #0 \(ALU/ALU64\) value: got 9, exp 8 -> 24",
        id="other immediate",
    ),
    pytest.param(
        mov_imm(1, -1),
        value(8, 24),
        "EINVAL",
        "got 4294967295, exp 8 -> 24",
        id="negative immediate is printed unsigned",
    ),
    pytest.param(
        mov_imm(1, -1),
        value(0xFFFFFFFF, 0),
        "EINVAL",
        f"exp {0xFFFFFFFF} -> 0",
        id="an immediate has a sign",
    ),
    pytest.param(alu("+", 1, 2), value(0, 24), "EINVAL", "^EINVAL$", id="no immediate"),
    pytest.param(
        ldx(4, 1, 2, 9),
        value(8, 24),
        "EINVAL",
        r"unexpected insn #0 \(LDX/ST/STX\) value: got 9, exp 8 -> 24",
        id="other offset",
    ),
    pytest.param(
        ldx(4, 1, 2, 8),
        value(8, 32768),
        "ERANGE",
        r"insn #0 \(LDX/ST/STX\) value too big: 32768",
        id="far offset",
    ),
    pytest.param(
        ldx(4, 1, 2, 8),
        value(8, 24, orig_size=8, new_size=4),
        "EINVAL",
        "unexpected mem size: got 4, exp 8",
        id="other size",
    ),
    pytest.param(
        ldx(4, 1, 2, 8),
        value(8, 24, orig_size=4, new_size=3),
        "EINVAL",
        "invalid new mem size: 3",
        id="no load of that size",
    ),
    pytest.param(
        ld_imm64(1, 6),
        value(5, 7),
        "EINVAL",
        r"unexpected insn #0 \(LDIMM64\) value: got 6, exp 5 -> 7",
        id="other wide immediate",
    ),
    pytest.param(
        ld_imm64(1, 5, src=1),
        value(5, 7),
        "EINVAL",
        r"insn #0 \(LDIMM64\) has unexpected form",
        id="wide load of a map",
    ),
    pytest.param(
        ld_imm64(1, 5)[:1],
        value(5, 7),
        "EINVAL",
        "has unexpected form",
        id="wide load that is cut off",
    ),
    pytest.param(
        (ld_imm64(1, 5)[0], Insn(1, 0, 0, 0, 0)),
        value(5, 7),
        "EINVAL",
        "has unexpected form",
        id="no second slot",
    ),
    pytest.param(
        (Insn(0x20, 0, 0, 0, 5), exit_()[0]),
        value(5, 7),
        "EINVAL",
        "has unexpected form",
        id="packet load",
    ),
    pytest.param(
        jmp("==", 1, 2, 3),
        value(8, 24),
        "EINVAL",
        "trying to relocate unrecognized insn #0, code:0x15, src:0x0, dst:0x1, off:0x3, imm:0x2",
        id="jump",
    ),
    pytest.param(
        goto(-3), value(8, 24), "EINVAL", "dst:0x0, off:0xfffffffd, imm:0x0", id="jump back"
    ),
    pytest.param(
        call(-1),
        value(8, 24),
        "EINVAL",
        "unrecognized insn #0, code:0x85.* imm:0xffffffff",
        id="call",
    ),
]


@pytest.mark.parametrize(("code", "new", "errno", "words"), REFUSED)
def test_refused(code, new, errno, words):
    with pytest.raises(Refusal, match=words) as caught:
        patched(code, new)
    assert caught.value.code == errno


NOT_COMPARED = [
    pytest.param(mov_imm(1, 9), mov_imm(1, 24), id="immediate"),
    pytest.param(ldx(4, 1, 2, 9), ldx(4, 1, 2, 24), id="offset"),
    pytest.param(ld_imm64(1, 9), ld_imm64(1, 24), id="wide"),
]


@pytest.mark.parametrize(("code", "after"), NOT_COMPARED)
def test_the_old_value_is_not_always_compared(code, after):
    assert patched(code, value(8, 24, validate=False))[0] == after
    assert patched(code, value(8, 24), AYA_RULES)[0] == after, "aya never does"


def test_aya_refuses_a_source_register_instead_of_a_source_bit():
    assert patched(alu("+", 1, 0), value(0, 24), AYA_RULES)[0][0].imm == 24
    with pytest.raises(Refusal, match="invalid src_reg=2 expected 0"):
        patched(alu("+", 1, 2), value(0, 24), AYA_RULES)


NUMBERS = st.integers(0, U64) | st.integers(0, 100)


@given(
    st.lists(INSNS, min_size=1, max_size=3),
    st.builds(
        RelocValue,
        NUMBERS,
        NUMBERS,
        poison=st.booleans(),
        validate=st.booleans(),
        orig_size=st.sampled_from([0, 1, 2, 4, 8]),
        new_size=st.sampled_from([0, 1, 2, 3, 4, 8]),
        resize_wrong=st.booleans(),
    ),
    st.sampled_from([LIBBPF_RULES, AYA_RULES]),
)
def test_any_instruction(code, new, rules):
    """What comes out is refused or can be encoded; only the two slots asked for change."""
    try:
        found, _ = patched(tuple(code), new, rules)
    except Refusal:
        return
    assert len(encode_insns(found, "big")) == 8 * len(code)
    changed = {
        slot for slot, (old, insn) in enumerate(zip(code, found, strict=True)) if old != insn
    }
    assert changed <= ({0, 1} if code[0].code & 7 == LD_IMM64 & 7 else {0})
