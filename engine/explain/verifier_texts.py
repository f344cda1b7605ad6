"""The complaints of the verifier that CO-RE can be behind, and what to do about each.

The texts are those of Linux kernel/bpf/verifier.c, cfg.c and check_btf.c from 5.10 to 7.3; which
of them broken jumps and poison lead to was measured on five kernels.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from engine.explain.words import Text, code, text
from engine.insn.helpers import HELPERS

BAD_RELO: Final = 195896080
_MISSING_MAP: Final = 2_001_000_000
_MISSING_KFUNC: Final = 2_002_000_000
_RANGE: Final = 1_000_000
_R10_LOAD: Final = "r10 = 0xbad2310"

WITH_OBJECT: Final = text(
    "With the object that was loaded, the instruction's number leads to the field; with the kernel "
    "as well, to what took its place."
)
_JUMP_NEEDS: Final = text(
    "With the object, the kernel and the loader's version, each jump can be checked."
)
_GUARD: Final = text(
    "Ask for it with ",
    code("bpf_core_field_exists"),
    ", ",
    code("bpf_core_enum_value_exists"),
    " or ",
    code("bpf_core_type_exists"),
    " first, in an if around the access.",
)
_NEWER_CILIUM: Final = text(
    "If cilium/ebpf 0.9.0 to 0.13.0 loaded it, take 0.13.1 or newer: those versions replace the "
    "two slots of a load by one call, and jumps across it go astray (cilium/ebpf issue 1348)."
)


@dataclass(frozen=True, slots=True)
class Complaint:
    """What one line of the verifier means; `insn` when it names an instruction itself."""

    kind: str
    cause: Text
    fix: Text
    insn: int | None = None
    needs: Text = ()


def complaint_of(line: str, insn_text: str) -> Complaint | None:
    """Recognise a complaint; `insn_text` is the instruction listed before it."""
    if not any(word in line for word in _WORDS):
        return None
    for pattern, build in _COMPLAINTS:
        match = pattern.search(line)
        if match is not None:
            return build(match, insn_text)
    return None


def _invalid_func(match: re.Match[str], _: str) -> Complaint:
    number = int(match[1])
    if number == BAD_RELO:
        return Complaint(
            "poison-call",
            text(
                "The verifier came to an instruction that the loader had replaced by ",
                code(f"call {BAD_RELO}"),
                " (0xbad2310), because the kernel lacks the field, type or enumerator that it "
                "asks for.",
            ),
            _GUARD,
            needs=WITH_OBJECT,
        )
    if _MISSING_MAP <= number < _MISSING_MAP + _RANGE:
        return Complaint(
            "missing-map",
            text(
                f"Map number {number - _MISSING_MAP} of the object was not created, and the "
                "program uses it."
            ),
            text("Leave the map's autocreate on, or keep the program from using it."),
        )
    if _MISSING_KFUNC <= number < _MISSING_KFUNC + _RANGE:
        return Complaint(
            "missing-kfunc",
            text(
                f"Extern number {number - _MISSING_KFUNC} of the object is a weak kernel function "
                "that this kernel lacks, and the program calls it."
            ),
            text("Ask with ", code("bpf_ksym_exists"), " before the call."),
        )
    name = HELPERS.get(number, "")
    words = (
        text("Helper ", code(name), f" (number {number})")
        if name
        else text(f"Helper number {number}")
    )
    return Complaint(
        "unknown-helper",
        text("This kernel, or this type of program, does not have it: ", words, "."),
        text(
            "Ask for it with ",
            code("bpf_core_enum_value_exists(enum bpf_func_id, ...)"),
            " before the call.",
        ),
    )


def _frame_pointer(_: re.Match[str], insn_text: str) -> Complaint:
    if _R10_LOAD in insn_text:
        return Complaint(
            "poison-load",
            text(
                "The verifier came to a load that cilium/ebpf had replaced by ",
                code(_R10_LOAD),
                ", because the kernel lacks what it asks for.",
            ),
            _GUARD,
            needs=WITH_OBJECT,
        )
    return Complaint(
        "frame-pointer",
        text(
            "The program writes r10. If the instruction in front of this is ",
            code(f"(18) {_R10_LOAD}"),
            ", it is cilium/ebpf's mark for what the kernel lacks.",
        ),
        text("Look at the instruction; with a log of level 2 it stands one line above."),
        needs=WITH_OBJECT,
    )


def _broken(kind: str, cause: str, group: int | None = None) -> Callable[..., Complaint]:
    def build(match: re.Match[str], _: str) -> Complaint:
        insn = int(match[group]) if group is not None else None
        words = cause.format(*match.groups())
        return Complaint(kind, text(words), _NEWER_CILIUM, insn, _JUMP_NEEDS)

    return build


def _half_a_load(match: re.Match[str], _: str) -> Complaint:
    return Complaint(
        "half-a-load",
        text(
            f"Opcode {match[1]} is the second half of a 16-byte load whose first half was replaced "
            "alone."
        ),
        text("libbpf before 0.2 did so; load it with a newer version."),
    )


def _mem_access(match: re.Match[str], _: str) -> Complaint:
    return Complaint(
        "plain-read",
        text(
            code(match[1]),
            " is read as a pointer, but the verifier takes it for ",
            code(match[2]),
            ": a number, or a pointer that this kind of program may not follow itself.",
        ),
        text("Read kernel memory with ", code("BPF_CORE_READ"), " in this kind of program."),
    )


def _context(match: re.Match[str], _: str) -> Complaint:
    return Complaint(
        "context-access",
        text(
            f"The program reads {match[2]} bytes at offset {match[1]} of its context, which this "
            "kernel does not allow. cilium/ebpf leaves an access as wide as it was compiled, also "
            "where the kernel's field is narrower."
        ),
        text("Compare the field's size on this kernel with the one compiled in."),
        needs=WITH_OBJECT,
    )


_COMPLAINTS: Final[tuple[tuple[re.Pattern[str], Callable[..., Complaint]], ...]] = (
    (re.compile(r"invalid func unknown#(\d{1,12})"), _invalid_func),
    (re.compile(r"cannot use helper unknown#(\d{1,12})"), _invalid_func),
    (re.compile(r"frame pointer is read only"), _frame_pointer),
    (
        re.compile(r"jump out of range from insn (\d{1,9}) to (\d{1,9})"),
        _broken("jump-out-of-range", "Instruction {0} jumps to {1}, behind the program's end.", 1),
    ),
    (
        re.compile(r"jump into the middle of ldimm64 insn (\d{1,9})"),
        _broken(
            "jump-into-load",
            "A jump leads into the second half of the 16-byte load at instruction {0}.",
            1,
        ),
    ),
    (
        re.compile(r"invalid BPF_LD_IMM insn"),
        _broken(
            "jump-into-load",
            "A jump leads into the second half of a 16-byte load (kernels before 6.1 say so), or "
            "that half is damaged.",
        ),
    ),
    (
        re.compile(r"unreachable insn (\d{1,9})"),
        _broken(
            "unreachable-insn",
            "No way leads to instruction {0}; a compiler leaves no such code, a jump that misses "
            "its target does.",
            1,
        ),
    ),
    (
        re.compile(r"\b(R\d{1,2}) !read_ok"),
        _broken(
            "not-initialised",
            "{0} is used before it has a value on this path. C gives that when a function returns "
            "nothing; a jump that lands one instruction late skips the assignment.",
        ),
    ),
    (re.compile(r"unknown opcode ([0-9a-f]{2})"), _half_a_load),
    (re.compile(r"invalid bpf_context access off=(\d{1,9}) size=(\d{1,3})"), _context),
    (re.compile(r"\b(R\d{1,2}) invalid mem access '([^']{1,60})'"), _mem_access),
    (
        re.compile(r"last insn is not an exit or jmp"),
        _broken("falls-through", "The program, or a function of it, goes on past its end."),
    ),
)
_WORDS: Final = (
    "invalid", "cannot use helper", "frame pointer", "jump ", "unreachable insn", "!read_ok",
    "unknown opcode", "last insn",
)  # fmt: skip
"""Most lines hold none of them, which is quickly told."""
