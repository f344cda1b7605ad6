"""The errors of loaders and tools, by their texts."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from engine.explain.log_facts import LogFact, Source, Weight, said
from engine.explain.words import code, marked, text

_PROGRAM: Final = re.compile(r"\bprog(?:ram)? '?([\w.\-]{1,200})'?: ")
_GO_RELOCATION: Final = re.compile(r'CORERelocation\((\w+), (\w+):"([^"]{1,200})"\[([\d:]*)\]')
_GO_TYPE: Final = re.compile(r'relocate (\w+):"([^"]{1,200})"')
_RUST_TYPE: Final = re.compile(r"error relocating [`']?([\w ]{1,200}?)[`']?,")
_KINDS: Final = {"Struct": "struct", "Union": "union", "Enum": "enum", "Typedef": ""}


@dataclass(frozen=True, slots=True)
class _Known:
    """A text to recognise; `{0}` in the words is what the pattern's first group holds."""

    kind: str
    source: Source
    pattern: str
    cause: str
    fix: str = ""
    needs: str = ""
    weight: Weight = "error"


_AMBIGUOUS: Final = (
    "Several types of the kernel have this name and give different answers, and the loader does "
    "not guess."
)
_TELL_APART: Final = (
    "Ask first, and through the same struct, for a member that only the meant type has."
)
_NO_BTF: Final = (
    "The kernel gives no BTF (`/sys/kernel/btf/vmlinux`), so nothing can be looked up in it."
)
_BRING_BTF: Final = (
    "Bring BTF made for that kernel: `btf_custom_path` of libbpf, `KernelTypes` of cilium/ebpf, "
    "`EbpfLoader::btf` of aya; BTFHub has many. Or enable CONFIG_DEBUG_INFO_BTF."
)
_NEWER_KIND: Final = (
    "The loader is older than the BTF: kind {0} is not known to it. Kind 19, ENUM64, is in kernels "
    "from 6.0 on and in objects of newer compilers."
)
_ENUM64: Final = "Take libbpf 1.0, cilium/ebpf 0.10 or aya 0.12, or newer."
_WITH_OBJECT: Final = "With the object and the kernel, the relocation can be named."

_KNOWN: Final[tuple[_Known, ...]] = (
    _Known("ambiguous", "cilium", r"ambiguous relocation", _AMBIGUOUS, _TELL_APART, _WITH_OBJECT),
    _Known(
        "ambiguous",
        "aya",
        r"multiple candidate target types found",
        _AMBIGUOUS,
        _TELL_APART,
        _WITH_OBJECT,
    ),
    _Known(
        "unexpected-value",
        "cilium",
        r"invalid immediate (-?\d+), expected (-?\d+)",
        "The instruction holds {0} and the types of the object say {1}. A static linker gives "
        "types new ids without writing them into instructions.",
        "Load the object as the compiler wrote it, not linked, or with libbpf, which does not "
        "compare ids.",
    ),
    _Known(
        "unexpected-value",
        "cilium",
        r"invalid offset (-?\d+), expected (-?\d+)",
        "The instruction holds the offset {0} and the types of the object say {1}.",
        "Compile without a tool that rewrites the object behind the compiler.",
    ),
    _Known(
        "far-offset",
        "cilium",
        r"exceeds MaxInt16",
        "The field lies further from the start of its struct than a load can reach.",
        "Read it with `BPF_CORE_READ`, which computes the address.",
        _WITH_OBJECT,
    ),
    _Known(
        "too-large",
        "cilium",
        r"exceeds MaxInt32",
        "The value does not fit the 32 bits of the instruction.",
        "Ask for it as an enumerator of a 64-bit enum, which is loaded with 64 bits.",
        _WITH_OBJECT,
    ),
    _Known("no-kernel-btf", "cilium", r"no BTF found for kernel version", _NO_BTF, _BRING_BTF),
    _Known(
        "no-kernel-btf",
        "libbpf",
        r"failed to find valid kernel BTF|kernel BTF is missing at|[Ee]rror loading vmlinux BTF",
        _NO_BTF,
        _BRING_BTF,
    ),
    _Known(
        "broken-module",
        "cilium",
        r"load BTF for kmod ([\w.\-]+): .*(?:string table is empty|EOF)|load kernel module spec",
        "The BTF of a kernel module cannot be read, often a header of 24 bytes with nothing behind "
        "it, and that fails every program.",
        "Take cilium/ebpf 0.20 or newer, or have the module built with the kernel's BTF at hand.",
    ),
    _Known(
        "broken-module",
        "libbpf",
        r"failed to load module \[([\w.\-]+)\]'s BTF object",
        "The BTF of module `{0}` cannot be read. libbpf looks into modules when the kernel itself "
        "has no type of the name.",
        "Have the module built with the kernel's BTF at hand, or unload it.",
    ),
    _Known(
        "newer-btf",
        "libbpf",
        r"(?:[Uu]nsupported|[Uu]nknown|[Ii]nvalid) BTF_KIND:? ?(\d+)",
        _NEWER_KIND,
        _ENUM64,
    ),
    _Known(
        "newer-btf",
        "cilium",
        r"unknown kind:? (?:Unknown )?\(?(\d+)\)?|unsupported BTF kind:? (\d+)",
        _NEWER_KIND,
        _ENUM64,
    ),
    _Known(
        "unsized",
        "cilium",
        r"unsized type \*btf\.(\w+)",
        "The kernel has a {0} of the same name, and this version asks it for a size.",
        "Take cilium/ebpf 0.10 or newer.",
    ),
    _Known(
        "no-name",
        "cilium",
        r"relocate unnamed or anonymous type",
        "The program reads through a struct without a name, so there is nothing to look for.",
        "Give the struct a name, or take preserve_access_index off.",
        _WITH_OBJECT,
    ),
    _Known(
        "lost-symbol",
        "cilium",
        r"symbol \"?([\w.]+)\"?: unsatisfied program reference|unsatisfied program reference",
        "A called function begins with an instruction that became poison, and the function's name "
        "went with it (cilium/ebpf 0.13).",
        "Take a newer cilium/ebpf, or put something in front of the access.",
        _WITH_OBJECT,
    ),
    _Known(
        "unknown-kind",
        "cilium",
        r"apply CO-RE relocations: .*unknown: not supported",
        "The program asks a question that this version does not know, type_matches most likely.",
        "Take cilium/ebpf 0.15 or newer, or ask with `bpf_core_field_exists`.",
        _WITH_OBJECT,
    ),
    _Known(
        "not-btf",
        "cilium",
        r"bad magic number '\[159 235 ",
        "A BTF has its bytes in an order or place that this version does not expect.",
        "Take a newer version; check that object and kernel have the same byte order.",
    ),
    _Known(
        "no-target-type",
        "aya",
        r"missing target BTF info",
        "The kernel does not have a type whose size or id the program asks for.",
        "Ask with `bpf_core_type_exists` first.",
        _WITH_OBJECT,
    ),
    _Known(
        "resized",
        "aya",
        r"original type .* has size (\d+) but target type .* has size (\d+)",
        "The field had {0} bytes when the program was compiled and has {1} on this kernel; a "
        "signed number cannot be read through another width.",
        "Read it with `BPF_CORE_READ_BITFIELD_PROBED`, for any width.",
        _WITH_OBJECT,
    ),
    _Known(
        "unknown-kind",
        "aya",
        r"invalid BTF relocation kind `?(\d+)",
        "aya does not know relocation kind {0}; 12 is type_matches, and any use of it makes the "
        "object unreadable.",
        "Ask with `bpf_core_type_exists` and `bpf_core_field_exists` instead.",
    ),
    _Known(
        "far-offset",
        "aya",
        r"overflows 16 bits offset field",
        "The field lies further from the start of its struct than a load can reach.",
        "Read it with `BPF_CORE_READ`, which computes the address.",
        _WITH_OBJECT,
    ),
    _Known(
        "no-extern",
        "libbpf",
        r"extern \((?:func|var)[^)]*\) '([\w.]+)'.*not found in kernel or module BTFs",
        "The kernel has no `{0}`, which the program refers to.",
        "Declare it `__weak` and ask with `bpf_ksym_exists`.",
    ),
    _Known(
        "bad-record",
        "kernel",
        r"Invalid core_relo\[(\d+)\]",
        "Record {0} points outside of the program: the light skeleton and its program differ.",
        "Generate the skeleton anew.",
    ),
    _Known(
        "refused",
        "libbpf",
        r"failed to perform CO-RE relocations: (\S+)",
        "libbpf gives up on the object ({0}); the lines above name the relocation.",
        weight="note",
    ),
    _Known(
        "poison-told",
        "cilium",
        r"bad CO-RE relocation",
        "The verifier came to an instruction that cilium/ebpf had replaced because the kernel "
        "lacks what it asks for.",
        "Ask for it with `bpf_core_field_exists` or its like, in an if around the access.",
        _WITH_OBJECT,
    ),
    _Known(
        "refused",
        "bpftool",
        r"^Error: failed to (?:load|open) object file",
        "bpftool gives up; the lines above say why.",
        weight="note",
    ),
)
_ROWS: Final = tuple((re.compile(known.pattern), known) for known in _KNOWN)
_WORDS: Final = (
    "relocat", "invalid", "exceeds MaxInt", "BTF", "multiple candidate", "program reference",
    "unknown kind", "unsized type", "magic number", "original type", "overflows 16 bits",
    "load kernel module spec", "core_relo", "Error: failed",
)  # fmt: skip
"""Every text that is known holds one of them."""


def loader_error(number: int, line: str) -> LogFact | None:
    """Recognise an error of a loader in one line."""
    if not any(word in line for word in _WORDS):
        return None
    for pattern, known in _ROWS:
        match = pattern.search(line)
        if match is not None:
            return _fact(number, line, known, match)
    return None


def _fact(number: int, line: str, known: _Known, match: re.Match[str]) -> LogFact:
    groups = [group for group in match.groups() if group] or ["a module"]
    words = marked(known.cause)
    filled = text(
        *(
            code(piece.text.format(*groups)) if piece.code else piece.text.format(*groups)
            for piece in words
        )
    )
    kind_word, asked = _asked(line)
    if asked:
        filled = text(filled, " It is about ", code(asked), ".")
    program = _PROGRAM.search(line)
    return LogFact(
        known.kind,
        known.source,
        known.weight,
        number,
        said(line),
        filled,
        marked(known.fix),
        program=program[1] if program else "",
        kind_word=kind_word,
        asked=asked,
        needs=marked(known.needs),
    )


def _asked(line: str) -> tuple[str, str]:
    """Kind and type of the relocation, where the error names them."""
    found = _GO_RELOCATION.search(line)
    if found is not None:
        words = f"{_KINDS.get(found[2], found[2].lower())} {found[3]}".strip()
        return found[1], f"{words} + {found[4]}" if found[4] not in ("", "0") else words
    found = _GO_TYPE.search(line)
    if found is not None:
        return "", f"{_KINDS.get(found[1], found[1].lower())} {found[2]}".strip()
    rust = _RUST_TYPE.search(line)
    return ("", rust[1]) if rust is not None else ("", "")
