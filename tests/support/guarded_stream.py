"""The programs of `tests.support.guarded` as instructions.

    main   static function   global function   callback of bpf_loop

Each function keeps its variables in r6 .. r9 and has a place of 8 bytes for each at fp-8 .. fp-32,
the pointer that it was given at fp-56, and the counter of its loops at fp-64.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from engine.flow.code import Code as Analysed
from engine.flow.code import found_poisons
from engine.insn import opcodes as op
from engine.insn.codec import Insn
from tests.support.asm import (
    Code,
    alu,
    alu_imm,
    atomic,
    call,
    call_subprogram,
    exit_,
    goto,
    gotol,
    jmp,
    jmp_reg,
    ld_imm64,
    ldx,
    mov,
    mov_imm,
    st,
    stx,
)
from tests.support.guarded import VARIABLES, Guarded, Statement
from tests.support.poison import POISON

POINTER, COUNTER = -56, -64
RANDOM, PROBE_READ, LOOP = 7, 4, 181
CALLEE, OUTER, CALLBACK = range(3)
"""What the distance of a call is before the functions have their places."""
PSEUDO_FUNC = 4


def place(variable: int, at: int = 0) -> int:
    """The offset of a byte of a variable's 8-byte place."""
    return -8 * (variable - 5) + at


def stream(program: Guarded) -> Code:
    """The instructions of all functions, one after the other."""
    return analysed(program).insns


def analysed(program: Guarded) -> Analysed:
    """The instructions with what the analysis is told of them: functions, and which are global."""
    end = mov_imm(0, 0) + exit_()
    own = mov(3, 10) + alu_imm("+", 3, place(7)) + stx(8, 10, POINTER, 3)
    zeros = mov_imm(8, 0) + mov_imm(9, 0)
    bodies = [
        mov_imm(6, 0) + mov_imm(7, 0) + zeros + own + _block(program.main) + end,
        mov(6, 1) + mov(7, 2) + zeros + stx(8, 10, POINTER, 3)
        + _block(program.callee) + mov(0, 6) + exit_(),
        mov(6, 1) + mov_imm(7, 0) + zeros + own + _block(program.outer) + mov(0, 6) + exit_(),
        mov(6, 1) + mov_imm(7, 0) + zeros + stx(8, 10, POINTER, 2)
        + _block(program.callback) + end,
    ]  # fmt: skip
    code: list[Insn] = []
    starts = []
    for body in bodies:
        starts.append(len(code))
        code += _with_places(body)
    _link(code, starts[1:])
    insns = tuple(code)
    return Analysed(insns, tuple(starts), frozenset({starts[2]}), found_poisons(insns))


def _with_places(body: Code) -> Code:
    """Store the variables into their places, once the first four slots have set them."""
    stores: Code = ()
    for variable in VARIABLES:
        stores += stx(8, 10, place(variable), variable)
    return body[:4] + stores + body[4:]


def _link(code: list[Insn], starts: list[int]) -> None:
    for slot, insn in enumerate(code):
        is_address = insn.is_ld_imm64 and insn.src == PSEUDO_FUNC
        if is_address or (insn.code == 0x85 and insn.src == op.CALL_SUBPROGRAM):
            code[slot] = insn._replace(imm=starts[insn.imm] - slot - 1)


def _block(statements: tuple[Statement, ...]) -> Code:
    code: Code = ()
    for statement in statements:
        code += _one(statement)
    return code


def _one(s: Statement) -> Code:
    if s.kind in _PLAIN:
        return _PLAIN[s.kind](s)
    then, otherwise = _block(s.then), _block(s.otherwise)
    if s.kind == "loop":
        return _loop(s, then)
    if s.kind == "maygoto":
        head = Insn(op.MAY_GOTO, 0, 0, len(then) + 1, 0)
        return (head, *then, *goto(-(len(then) + 2)))
    if s.kind == "switch":
        arms: Code = ()
        for value in (3, 1, 0):
            arms = jmp("!=", s.to, value, len(then) + 1) + then + goto(len(arms)) + arms
        return arms + otherwise
    skip = len(then) + (1 if otherwise else 0)
    if s.kind == "if2":
        test = jmp_reg(s.operator, s.to, s.by, skip, wide=s.wide)
    else:
        test = jmp(s.operator, s.to, s.value, skip, wide=s.wide)
    over = goto(len(otherwise)) if s.wide else gotol(len(otherwise))
    return test + then + (over + otherwise if otherwise else ())


def _loop(s: Statement, then: Code) -> Code:
    """The counter is a slot of its own, so that bodies may do what they like."""
    count = mov_imm(1, 0) + stx(8, 10, COUNTER, 1)
    test = ldx(8, 1, 10, COUNTER) + alu_imm("+", 1, 1) + stx(8, 10, COUNTER, 1)
    body = then + test
    return count + body + jmp("<", 1, s.value % 4, -(len(body) + 1))


def _compute(s: Statement) -> Code:
    value = s.value
    if s.operator in ("<<", ">>", "s>>"):
        value %= 32
    elif s.operator in ("/", "%"):
        value = abs(value) or 5
    return alu_imm(s.operator, s.to, value, wide=s.wide)


def _compute2(s: Statement) -> Code:
    operator = "+" if s.operator in ("<<", ">>", "s>>", "/", "%") else s.operator
    return alu(operator, s.to, s.by, wide=s.wide)


def _probe(s: Statement) -> Code:
    """Ask for several numbers in a row: a wrong one makes another arm run, or none."""
    code: Code = ()
    for value in (0, 1, s.value):
        code += jmp("!=", s.to, value, 1, wide=s.wide) + MARK
    code += jmp(s.operator, s.to, s.value, 1, wide=not s.wide) + MARK
    return code + jmp("s>", s.to, -1, 1, wide=s.wide) + POISON


def _seen(s: Statement) -> Code:
    """A comparison, and on both of its sides one of the same register with a close number."""
    other = max(min(s.value + (s.at % 3) - 1, 0x7FFFFFFF), -(1 << 31))
    inner = jmp("==", s.to, other, 1, wide=not s.at & 4) + MARK
    order = jmp(">" if s.size == 8 else "s>", s.to, other, 1, wide=s.wide) + MARK
    side = inner + order
    return (
        jmp(s.operator, s.to, s.value, len(side) + 1, wide=s.wide) + side + goto(len(side)) + side
    )


def _copied(s: Statement) -> Code:
    """A copy, a comparison of one of the two, and one of the other."""
    to = s.to if s.to != s.by else 1
    one, other = (to, s.by) if s.at else (s.by, to)
    check = jmp("==", other, s.value, 1) + MARK + jmp(s.operator, other, s.value, 1) + MARK
    return mov(to, s.by, wide=s.wide) + jmp(s.operator, one, s.value, len(check)) + check


def _part(s: Statement) -> Code:
    """A place is written once or more, each time in another width, and read in some width."""
    code: Code = ()
    for number, pick in enumerate(s.picks[: 2 + s.at % 2]):
        size, at = _piece(pick)
        value = (s.value, 0, 1, 0, -1, 0)[s.picks[number + 1] % 6]
        off = place(s.by, at)
        if s.picks[number + 2] % 4 == 0:
            code += st(size, 10, off, value)
        elif s.picks[number + 2] % 4 == 1:
            code += stx(size, 10, off, s.to)
        else:
            code += mov_imm(1, value, wide=s.wide) + stx(size, 10, off, 1)
    size, at = _piece(s.picks[5])
    return code + ldx(size, s.to, 10, place(s.by, at), signed=size < 8 and s.picks[4] == 0)


def _halves(s: Statement) -> Code:
    """A zero in one half of a place, a number in the other, and one of them read."""
    half = s.at & 4
    number = mov_imm(1, s.value) + stx(4, 10, place(s.by, 4 - half), 1)
    zero = mov_imm(1, 0) + stx(4, 10, place(s.by, half), 1)
    both = number + zero if s.picks[4] % 3 == 0 else zero + number
    return both + ldx(4, s.to, 10, place(s.by, half if s.picks[5] else 4 - half))


def _shift(s: Statement) -> Code:
    """A negative number, shifted with its sign or without."""
    by, operator = s.picks[0] % 5, ("s>>", ">>", "s>>")[s.picks[1] % 3]
    return mov_imm(s.to, -1 - abs(s.value) % 256) + alu_imm(operator, s.to, by, wide=s.wide)


def _narrow(s: Statement) -> Code:
    """An input of which 64 bits are known to be large, cut to 32 by a copy or a sum."""
    floor = s.value if s.value >= 0 else 0x7FFFFFFF
    known = call(RANDOM) + mov(s.to, 0) + jmp(">", s.to, floor, 2) + mov_imm(0, 0) + exit_()
    if s.picks[0] % 3 == 1:
        return known + mov(s.to, s.to, wide=False)
    if s.picks[0] % 3 == 2:
        return known + alu_imm("+", s.to, -1 - s.picks[1])
    return known + alu_imm(("+", "|", "^")[s.picks[1] % 3], s.to, s.picks[2] % 2, wide=False)


def _edge(s: Statement) -> Code:
    """An input below a power of two, compared with the largest and the smallest that it can be."""
    most = (1 << s.picks[0] % 8 + 1) - 1
    known = call(RANDOM) + mov(s.to, 0) + alu_imm("&", s.to, most)
    if s.picks[1] % 2:
        known += alu_imm("+", s.to, 1 + s.picks[2])
        most += 1 + s.picks[2]
    number = (most, most, most - 1, 0, 1)[s.picks[3] % 5]
    first = jmp(s.operator, s.to, number, 1, wide=s.wide) + MARK
    return known + first + jmp(s.operator, s.to, most - number, 1, wide=s.wide) + MARK


def _piece(pick: int) -> tuple[int, int]:
    """A width, and a byte to put it at."""
    return ((8, 0), (8, 0), (4, 0), (4, 4), (4, 0), (4, 4), (2, 0), (2, 4), (1, 0), (1, 4), (1, 5),
            (2, 6))[pick]  # fmt: skip


def _anywhere(s: Statement) -> Code:
    """A store to one of two places, nobody knows which."""
    start = call(RANDOM) + alu_imm("&", 0, 8) + mov(1, 10) + alu_imm("+", 1, place(7))
    return start + alu("+", 1, 0) + stx(s.size, 1, s.at, s.by)


def _flip(s: Statement) -> Code:
    """One of two numbers, after an input: paths that meet again with different values."""
    if s.wide:
        either = mov_imm(s.to, s.value) + jmp("==", 0, s.picks[0] % 4, 1) + mov_imm(s.to, 1)
        return call(RANDOM) + either
    here, (size, at) = place(s.by), ((8, 0), (4, 0), (4, 4))[s.picks[1] % 3]
    values = mov_imm(1, s.value) + mov_imm(2, (0, 1)[s.picks[2] % 2])
    either = jmp("==", 0, s.picks[0] % 4, 1) + stx(size, 10, here + at, 2)
    return call(RANDOM) + values + stx(8, 10, here, 1) + either + ldx(size, s.to, 10, here + at)


def _touch(s: Statement) -> Code:
    """A number on the stack, something that may write there, and the number read back."""
    inside = ("helper", "add", "anywhere", "through", "shared", "call", "callback", "global")
    other = (6, 7, 8, 9)[s.picks[1] % 4] if s.picks[2] % 3 == 0 else s.by
    between = replace(s, kind=inside[s.picks[0] % len(inside)], by=other)
    size, at = _piece(s.picks[3] % 6)
    off = place(s.by, at)
    return (
        mov_imm(1, s.value % 8) + stx(size, 10, off, 1) + _one(between) + ldx(size, s.to, 10, off)
    )


def _helper(s: Statement) -> Code:
    arguments = mov(1, 10) + alu_imm("+", 1, place(s.by, s.at)) + mov_imm(2, s.size)
    return arguments + mov_imm(3, 0) + call(PROBE_READ)


def _add(s: Statement) -> Code:
    operation = {"+": op.ATOMIC_FETCH, "&": op.ATOMIC_XCHG}.get(s.operator, 0)
    size = 8 if s.size == 8 else 4
    return mov_imm(1, 0) + atomic(size, 10, place(s.by, s.at & 4 if size == 4 else 0), 1, operation)


def _shared(s: Statement) -> Code:
    """A store through a pointer to the own stack that was computed."""
    return mov(1, 10) + alu_imm("+", 1, place(s.to)) + stx(s.size, 1, s.at, s.by)


def _call(s: Statement) -> Code:
    pointer = mov(3, 10) + alu_imm("+", 3, place(s.by))
    return mov(1, s.to) + mov(2, s.by) + pointer + call_subprogram(CALLEE) + mov(s.to, 0)


def _global(s: Statement) -> Code:
    """The second argument is memory that the function may write."""
    pointer = mov(2, 10) + alu_imm("+", 2, place(s.by))
    return mov(1, s.to) + pointer + call_subprogram(OUTER) + mov(s.to, 0)


def _callback(s: Statement) -> Code:
    arguments = mov_imm(1, 2) + ld_imm64(2, CALLBACK, src=PSEUDO_FUNC) + mov(3, 10)
    return arguments + alu_imm("+", 3, place(s.by)) + mov_imm(4, 0) + call(LOOP)


def _swap(s: Statement) -> Code:
    kind = op.ALU if s.wide else op.ALU64
    source = op.SOURCE_REGISTER if s.wide else 0  # be, or bswap
    return (Insn(kind | op.END | source, s.to, 0, 0, {8: 64, 4: 32}.get(s.size, 16)),)


def _negate(s: Statement) -> Code:
    return (Insn((op.ALU64 if s.wide else op.ALU) | op.NEG, s.to, 0, 0, 0),)


def _extend(s: Statement) -> Code:
    if s.at:
        size = min(s.size, 4)
        spill = mov_imm(1, s.value, wide=size < 4) + stx(4 if size == 4 else 8, 10, place(s.by), 1)
        return spill + ldx(size, s.to, 10, place(s.by), signed=True)
    bits = {1: 8, 2: 16}.get(s.size, 32 if s.wide else 16)
    return mov(s.to, s.by, wide=s.wide, off=bits)


def _through(s: Statement) -> Code:
    return ldx(8, 1, 10, POINTER) + stx(s.size, 1, s.at, s.by)


def _peek(s: Statement) -> Code:
    return ldx(8, 1, 10, POINTER) + ldx(s.size, s.to, 1, s.at)


MARK = mov_imm(5, 0)
"""An instruction that is only there to be come to."""

_PLAIN: dict[str, Callable[[Statement], Code]] = {
    "set": lambda s: mov_imm(s.to, s.value, wide=s.wide),
    "copy": lambda s: mov(s.to, s.by, wide=s.wide),
    "compute": _compute,
    "compute2": _compute2,
    "mask": lambda s: alu_imm("&", s.to, abs(s.value) & 255, wide=s.wide),
    "negate": _negate,
    "swap": _swap,
    "extend": _extend,
    "input": lambda s: call(RANDOM) + mov(s.to, 0, wide=s.size >= 4),
    "spill": lambda s: stx(s.size, 10, place(s.to, s.at), s.by),
    "store": lambda s: st(s.size, 10, place(s.to, s.at), s.value),
    "fill": lambda s: ldx(s.size, s.to, 10, place(s.by, s.at)),
    "part": _part,
    "anywhere": _anywhere,
    "halves": _halves,
    "shift": _shift,
    "narrow": _narrow,
    "edge": _edge,
    "touch": _touch,
    "flip": _flip,
    "poison": lambda s: jmp("==", s.to, s.value, 1, wide=s.wide) + POISON,
    "rare": lambda s: jmp("!=", s.to, s.value, 1, wide=s.wide) + POISON,
    "leave": lambda s: jmp(s.operator, s.to, s.value, 2, wide=s.wide) + mov_imm(0, 0) + exit_(),
    "probe": _probe,
    "seen": _seen,
    "copied": _copied,
    "helper": _helper,
    "add": _add,
    "shared": _shared,
    "through": _through,
    "peek": _peek,
    "call": _call,
    "global": _global,
    "callback": _callback,
}
