"""Writing a value into an instruction, or replacing the instruction by poison.

Follows: libbpf src/relo_core.c bpf_core_patch_insn @ v1.7.0 and its policies.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from engine.core import wording
from engine.core.policy import LoaderPolicy, SizeChange
from engine.core.refusal import Refusal
from engine.core.values import U32, U64, RelocValue
from engine.insn.codec import LD_IMM64, Insn

BAD_RELO = 0xBAD2310
"""The helper number of poison, 195896080: libbpf relo_core.c, cilium/ebpf btf/core.go."""
POISON_CALL = Insn(code=0x85, dst=0, src=0, off=0, imm=BAD_RELO)
POISON_LOAD = (Insn(LD_IMM64, 10, 0, 0, BAD_RELO), Insn(0, 0, 0, 0, 0))

_ALU, _ALU64 = 4, 7
_LD, _LDX, _ST, _STX = 0, 1, 2, 3
_SIZE_BYTES = {0x00: 4, 0x08: 2, 0x10: 1, 0x18: 8}
_SIZE_CODES = {size: code for code, size in _SIZE_BYTES.items()}
_MAX_OFF = 0x7FFF

Say = Callable[[str], None]


class Patch(NamedTuple):
    """What was done: the field that was written, or poison; `slots` were replaced by poison."""

    poisoned: bool
    field: str = ""


def signed32(value: int) -> int:
    """The low 32 bits as a signed number."""
    value &= U32
    return value - (1 << 32) if value >> 31 else value


def poison_calls(insns: list[Insn], at: int, note: Say) -> Patch:
    """Replace an instruction by calls that no kernel knows, slot by slot.

    A two-slot load becomes two calls; the second slot goes first, else its zero opcode would
    be refused before anybody asks whether it can be reached.
    """
    slots = [at]
    if insns[at].is_ld_imm64 and at + 1 < len(insns):
        slots.insert(0, at + 1)
    for slot in slots:
        note(f"substituting insn #{slot} w/ invalid insn")
        insns[slot] = POISON_CALL
    return Patch(poisoned=True, field="poison")


def patch_insn(
    insns: list[Insn], at: int, value: RelocValue, policy: LoaderPolicy, warn: Say, note: Say
) -> Patch:
    """Change the instruction at slot `at` in place.

    `warn` and `note` take the loader's own words for warnings and debug output. Raises
    Refusal EINVAL or ERANGE where the loader refuses.
    """
    if value.poison:
        return poison_calls(insns, at, note)
    insn = insns[at]
    kind = insn.code & 7
    if kind in (_ALU, _ALU64):
        return _patch_alu(insns, at, value, policy, note)
    if kind in (_LDX, _ST, _STX):
        return _patch_offset(insns, at, value, policy, warn, note)
    if kind == _LD:
        return _patch_load(insns, at, value, policy, note)
    raise Refusal(
        "EINVAL",
        f"trying to relocate unrecognized insn #{at}, code:0x{insn.code:x}, src:0x{insn.src:x}, "
        f"dst:0x{insn.dst:x}, off:0x{insn.off & U32:x}, imm:0x{insn.imm & U32:x}",
    )


def _patch_alu(
    insns: list[Insn], at: int, value: RelocValue, policy: LoaderPolicy, note: Say
) -> Patch:
    insn = insns[at]
    if not policy.checks_value:
        # aya-obj tests the source register, not the source bit.
        if insn.src:
            words = f"invalid src_reg={insn.src:x} expected 0"
            raise Refusal("EINVAL", words, sentence=f"{{instruction}}: {words}")
    elif insn.code & 0x08:
        raise Refusal("EINVAL")
    elif value.validate and insn.imm & U64 != value.orig:
        raise _unexpected(at, "ALU/ALU64", insn.imm & U32, value)
    insns[at] = Insn(insn.code, insn.dst, insn.src, insn.off, signed32(value.new))
    note(f"patched insn #{at} (ALU/ALU64) imm {insn.imm & U64} -> {value.new}")
    return Patch(poisoned=False, field="imm")


def _patch_offset(
    insns: list[Insn],
    at: int,
    value: RelocValue,
    policy: LoaderPolicy,
    warn: Say,
    note: Say,
) -> Patch:
    insn = insns[at]
    if policy.checks_value and value.validate and insn.off & U64 != value.orig:
        raise _unexpected(at, "LDX/ST/STX", insn.off & U32, value)
    if value.new > _MAX_OFF:
        words = wording.too_far(value.new)
        raise Refusal(
            "ERANGE", f"insn #{at} (LDX/ST/STX) value too big: {value.new}", sentence=words
        )
    if value.resize_wrong and policy.size_change is SizeChange.RESIZE_OR_REFUSE:
        raise Refusal(
            "EINVAL",
            f"original type has size {value.orig_size} but target type has size {value.new_size}",
            sentence=value.resize_words,
        )
    if value.resize_wrong:
        warn(
            f"insn #{at} (LDX/ST/STX) accesses field incorrectly. Make sure you are accessing "
            "pointers, unsigned integers, or fields of matching type and size."
        )
        return poison_calls(insns, at, note)
    note(f"patched insn #{at} (LDX/ST/STX) off {insn.off & U64} -> {value.new}")
    code = insn.code
    if value.new_size != value.orig_size:
        code = _resized(insn, at, value, policy)
        note(f"patched insn #{at} (LDX/ST/STX) mem_sz {value.orig_size} -> {value.new_size}")
    insns[at] = Insn(code, insn.dst, insn.src, value.new, insn.imm)
    return Patch(poisoned=False, field="off" if code == insn.code else "off and size")


def _resized(insn: Insn, at: int, value: RelocValue, policy: LoaderPolicy) -> int:
    size = _SIZE_BYTES[insn.code & 0x18]
    if policy.checks_value and size != value.orig_size:
        raise Refusal(
            "EINVAL",
            f"insn #{at} (LDX/ST/STX) unexpected mem size: got {size}, exp {value.orig_size}",
        )
    if value.new_size not in _SIZE_CODES:
        raise Refusal("EINVAL", f"insn #{at} (LDX/ST/STX) invalid new mem size: {value.new_size}")
    return insn.code & 0xE0 | _SIZE_CODES[value.new_size] | insn.code & 7


def _patch_load(
    insns: list[Insn], at: int, value: RelocValue, policy: LoaderPolicy, note: Say
) -> Patch:
    insn = insns[at]
    second = insns[at + 1] if at + 1 < len(insns) else None
    if second is None or (
        policy.checks_value
        and (
            not insn.is_ld_imm64
            or insn.src
            or insn.off
            or (second.code, second.dst, second.src, second.off) != (0, 0, 0, 0)
        )
    ):
        raise Refusal("EINVAL", f"insn #{at} (LDIMM64) has unexpected form")
    imm = insn.imm & U32 | (second.imm & U32) << 32
    if policy.wide_load_is_sum:
        imm = (insn.imm + (second.imm << 32)) & U64
    if policy.checks_value and value.validate and imm != value.orig:
        raise _unexpected(at, "LDIMM64", imm, value)
    insns[at] = insn._replace(imm=signed32(value.new))
    insns[at + 1] = second._replace(imm=signed32(value.new >> 32))
    note(f"patched insn #{at} (LDIMM64) imm64 {imm} -> {value.new}")
    return Patch(poisoned=False, field="imm64")


def _unexpected(at: int, what: str, got: int, value: RelocValue) -> Refusal:
    return Refusal(
        "EINVAL",
        f"unexpected insn #{at} ({what}) value: got {got}, exp {value.orig} -> {value.new}",
    )
