"""Instructions as text, in the form of `llvm-objdump -d` 19, split into tokens.

What objdump would show as a bare symbol or comment after a jump or call is left out. Where
LLVM 19 knows an instruction only with `--mcpu=v3` (32-bit atomics) that form is used, and
load_acquire and store_release, which it does not know, are written as LLVM 20 does. Atomics
whose imm has stray bits set are unknown here, though LLVM overlooks the bits.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from engine.btf.kinds import ByteOrder
from engine.insn import opcodes as op
from engine.insn.codec import Insn

REGISTERS = 12
"""LLVM names r0 to r11; a higher number makes an instruction unknown."""


class Token(NamedTuple):
    """A piece of a line, for a page to colour and link.

    `kind` is one of mnemonic, register, immediate, offset, jump, call, memory-size, operator,
    text and unknown. `target` is set for jumps alone: the slot index that the jump lands on,
    counted like the line's own, which may lie outside the function.
    """

    kind: str
    text: str
    target: int | None = None


@dataclass(frozen=True, slots=True)
class Line:
    """One instruction: its first slot, its slots (1 or 2) and its tokens."""

    slot: int
    slots: int
    tokens: tuple[Token, ...]

    @property
    def text(self) -> str:
        """The whole line without slot number and bytes: `r1 = 0x1 ll`."""
        return "".join(token.text for token in self.tokens)


def disassemble(insns: Sequence[Insn], *, byte_order: ByteOrder) -> tuple[Line, ...]:
    """Give one line for each instruction; never raises.

    What no rule knows becomes a line with a single `unknown` token, `<unknown 0xff>`, of two
    slots when the opcode is that of a 64-bit load with a slot after it. The byte order has no
    bearing on decoded instructions: it is asked for because their meaning (`le16`) has.
    """
    lines = []
    slot = 0
    while slot < len(insns):
        insn = insns[slot]
        if insn.is_ld_imm64 and slot + 1 < len(insns):
            tokens, slots = _ld_imm64(insn, insns[slot + 1]), 2
        else:
            tokens, slots = _BY_CLASS[insn.code & op.CLASS_MASK](insn, slot), 1
        lines.append(Line(slot, slots, tokens or _unknown(insn)))
        slot += slots
    return tuple(lines)


Tokens = tuple[Token, ...]
_NOTHING: Tokens = ()

_SPACE = Token("text", " ")
_COMMA = Token("text", ", ")
_OPEN = Token("text", "(")
_CLOSE = Token("text", ")")
_ASSIGN = Token("operator", "=")
_R = tuple(Token("register", f"r{number}") for number in range(REGISTERS))
_W = tuple(Token("register", f"w{number}") for number in range(REGISTERS))


def _unknown(insn: Insn) -> Tokens:
    return (Token("unknown", f"<unknown {insn.code:#04x}>"),)


def _immediate(value: int) -> Token:
    return Token("immediate", hex(value))


def _word(text: str) -> Token:
    return Token("mnemonic", text)


def _has_registers(*numbers: int) -> bool:
    return all(number < REGISTERS for number in numbers)


def _assign(target: Token, *value: Token) -> Tokens:
    return (target, _SPACE, _ASSIGN, _SPACE, *value)


def _ld_imm64(insn: Insn, second: Insn) -> Tokens:
    value = second.imm << 32 | insn.imm & 0xFFFFFFFF
    if insn.off or not _has_registers(insn.dst):
        return _NOTHING
    if insn.src:
        return (
            _word("ld_pseudo"),
            _SPACE,
            _R[insn.dst],
            _COMMA,
            _immediate(insn.src),
            _COMMA,
            _immediate(value),
        )
    return _assign(_R[insn.dst], _immediate(value), _SPACE, _word("ll"))


def _ld(insn: Insn, slot: int) -> Tokens:
    """The packet loads of classic BPF: `r0 = *(u32 *)skb[...]`."""
    size = op.SIZE_BYTES[insn.code & op.SIZE_MASK]
    mode = insn.code & op.MODE_MASK
    if size == 8 or mode not in (op.MODE_ABS, op.MODE_IND):
        return _NOTHING
    if mode == op.MODE_IND and not _has_registers(insn.src):
        return _NOTHING
    place = _R[insn.src] if mode == op.MODE_IND else _immediate(insn.imm)
    return _assign(
        _R[0],
        Token("memory-size", f"*(u{size * 8} *)"),
        _word("skb"),
        Token("text", "["),
        place,
        Token("text", "]"),
    )


def _address(register: int, offset: int) -> Tokens:
    """`r1 - 0x4`, without brackets."""
    sign = "-" if offset < 0 else "+"
    return (
        _R[register],
        _SPACE,
        Token("operator", sign),
        _SPACE,
        Token("offset", hex(abs(offset))),
    )


def _memory(word: str, register: int, offset: int) -> Tokens:
    return (Token("memory-size", f"*({word} *)"), _OPEN, *_address(register, offset), _CLOSE)


def _ldx(insn: Insn, slot: int) -> Tokens:
    size = op.SIZE_BYTES[insn.code & op.SIZE_MASK]
    mode = insn.code & op.MODE_MASK
    if not _has_registers(insn.dst, insn.src):
        return _NOTHING
    if mode == op.MODE_MEM:
        return _assign(_R[insn.dst], *_memory(f"u{size * 8}", insn.src, insn.off))
    if mode == op.MODE_MEMSX and size < 8:
        return _assign(_R[insn.dst], *_memory(f"s{size * 8}", insn.src, insn.off))
    return _NOTHING


def _st(insn: Insn, slot: int) -> Tokens:
    size = op.SIZE_BYTES[insn.code & op.SIZE_MASK]
    if insn.code & op.MODE_MASK != op.MODE_MEM or not _has_registers(insn.dst):
        return _NOTHING
    memory = _memory(f"u{size * 8}", insn.dst, insn.off)
    return (*memory, _SPACE, _ASSIGN, _SPACE, _immediate(insn.imm))


def _stx(insn: Insn, slot: int) -> Tokens:
    size = op.SIZE_BYTES[insn.code & op.SIZE_MASK]
    mode = insn.code & op.MODE_MASK
    if not _has_registers(insn.dst, insn.src):
        return _NOTHING
    if mode == op.MODE_MEM:
        memory = _memory(f"u{size * 8}", insn.dst, insn.off)
        return (*memory, _SPACE, _ASSIGN, _SPACE, _R[insn.src])
    if mode == op.MODE_ATOMIC:
        return _atomic(insn, size)
    return _NOTHING


def _atomic(insn: Insn, size: int) -> Tokens:
    registers = _R if size == 8 else _W
    value = registers[insn.src]
    pointer = Token("memory-size", f"(u{size * 8} *)")
    address = (pointer, _OPEN, *_address(insn.dst, insn.off), _CLOSE)
    if insn.imm == op.ATOMIC_LOAD_ACQUIRE:
        source = (pointer, _OPEN, *_address(insn.src, insn.off), _CLOSE)
        return _assign(registers[insn.dst], _word("load_acquire"), _OPEN, *source, _CLOSE)
    if insn.imm == op.ATOMIC_STORE_RELEASE:
        return (_word("store_release"), _OPEN, *address, _COMMA, value, _CLOSE)
    if size < 4:
        return _NOTHING
    bare = _address(insn.dst, insn.off)
    suffix = "_64" if size == 8 else "32_32"
    if insn.imm == op.ATOMIC_XCHG:
        return _assign(value, _word("xchg" + suffix), _OPEN, *bare, _COMMA, value, _CLOSE)
    if insn.imm == op.ATOMIC_CMPXCHG:
        result = registers[0]
        operands = (*bare, _COMMA, result, _COMMA, value)
        return _assign(result, _word("cmpxchg" + suffix), _OPEN, *operands, _CLOSE)
    return _atomic_arithmetic(insn, size, address)


def _atomic_arithmetic(insn: Insn, size: int, address: Tokens) -> Tokens:
    words = op.ATOMIC_OPERATORS.get(insn.imm & ~op.ATOMIC_FETCH)
    if words is None:
        return _NOTHING
    operator, name = words
    # A plain 32-bit add is older than the w registers, and objdump writes it with r.
    registers = _R if size == 8 or insn.imm == 0 else _W
    value = registers[insn.src]
    if insn.imm & op.ATOMIC_FETCH:
        return _assign(value, _word("atomic_fetch_" + name), _OPEN, *address, _COMMA, value, _CLOSE)
    memory = _memory(f"u{size * 8}", insn.dst, insn.off)
    return (_word("lock"), _SPACE, *memory, _SPACE, Token("operator", operator), _SPACE, value)


def _alu(insn: Insn, slot: int) -> Tokens:
    wide = insn.code & op.CLASS_MASK == op.ALU64
    registers = _R if wide else _W
    from_register = bool(insn.code & op.SOURCE_REGISTER)
    operation = insn.code & op.OPERATION_MASK
    if not _has_registers(insn.dst):
        return _NOTHING
    target = registers[insn.dst]
    if operation == op.END:
        return _endian(insn, wide=wide, big=from_register)
    if operation == op.NEG:
        if from_register:
            return _NOTHING
        return _assign(target, Token("operator", "-"), target)
    operator = op.ALU_OPERATORS.get(operation)
    if operator is None or (from_register and not _has_registers(insn.src)):
        return _NOTHING
    if operation == op.MOV and from_register and insn.off:
        return _extending_move(insn, registers, wide=wide)
    if insn.off == 1 and operation in (op.DIV, op.MOD):
        operator = "s" + operator
    elif insn.off:
        return _NOTHING
    value = registers[insn.src] if from_register else _immediate(insn.imm)
    return (target, _SPACE, Token("operator", operator), _SPACE, value)


def _endian(insn: Insn, *, wide: bool, big: bool) -> Tokens:
    if insn.imm not in (16, 32, 64) or (wide and big):
        return _NOTHING
    word = "bswap" if wide else "be" if big else "le"
    register = _R[insn.dst]
    return _assign(register, _word(f"{word}{insn.imm}"), _SPACE, register)


def _extending_move(insn: Insn, registers: Tokens, *, wide: bool) -> Tokens:
    """A move with an offset: sign extension (`(s8)r2`) or a cast between address spaces."""
    target, value = registers[insn.dst], registers[insn.src]
    if insn.off in (8, 16) or (wide and insn.off == 32):
        return _assign(target, Token("memory-size", f"(s{insn.off})"), value)
    if not wide or insn.off != 1:
        return _NOTHING
    return _assign(
        target,
        _word("addr_space_cast"),
        _OPEN,
        value,
        _COMMA,
        _immediate(insn.imm >> 16 & 0xFFFF),
        _COMMA,
        _immediate(insn.imm & 0xFFFF),
        _CLOSE,
    )


def _jump(insn: Insn, slot: int) -> Tokens:
    narrow = insn.code & op.CLASS_MASK == op.JMP32
    from_register = bool(insn.code & op.SOURCE_REGISTER)
    operation = insn.code & op.OPERATION_MASK
    if operation in (op.CALL, op.EXIT) and not narrow:
        return _call(insn) if operation == op.CALL else _exit(insn)
    distance = op.jump_distance(insn)
    if distance is None:
        return _NOTHING
    landing = Token("jump", f"{distance:+#x}", slot + 1 + distance)
    if operation == op.JA:
        return (_word("gotol" if narrow else "goto"), _SPACE, landing)
    if insn.code == op.MAY_GOTO:
        return (_word("may_goto"), _SPACE, landing)
    if not _has_registers(insn.dst) or (from_register and not _has_registers(insn.src)):
        return _NOTHING
    registers = _W if narrow else _R
    return (
        _word("if"),
        _SPACE,
        registers[insn.dst],
        _SPACE,
        Token("operator", op.JUMP_OPERATORS[operation]),
        _SPACE,
        registers[insn.src] if from_register else _immediate(insn.imm),
        _SPACE,
        _word("goto"),
        _SPACE,
        landing,
    )


def _call(insn: Insn) -> Tokens:
    if not insn.code & op.SOURCE_REGISTER:
        return (_word("call"), _SPACE, Token("call", hex(insn.imm)))
    if not _has_registers(insn.dst):
        return _NOTHING
    return (_word("callx"), _SPACE, _R[insn.dst])


def _exit(insn: Insn) -> Tokens:
    if insn.code & op.SOURCE_REGISTER or insn.imm:
        return _NOTHING
    return (_word("exit"),)


_BY_CLASS: dict[int, Callable[[Insn, int], Tokens]] = {
    op.LD: _ld,
    op.LDX: _ldx,
    op.ST: _st,
    op.STX: _stx,
    op.ALU: _alu,
    op.JMP: _jump,
    op.JMP32: _jump,
    op.ALU64: _alu,
}
